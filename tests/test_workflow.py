"""One model, every way to ask it: the answers are the same."""

import pytest

import kerassent as ks

TEXTS = [
    "a wonderful film",
    "the tea was awful . never again",
    "",
    " \t\r\n",
    "good " * 5000,
    "caf\u00e9 na\u00efve \u1e9e\u0130\u03a3",
    "\u4f60\u597d \U0001f600\u200d\U0001f525 \u0e2a\u0e27\u0e31\u0e2a",
    "good\x00bad",
    "\ud800 half",
    '"quoted" \\ {"b64": "eA=="}',
    b"\xff\xfe\x00",
    b"",
]


def test_every_way_to_ask_gives_the_same_answer(tiny_run, tiny_models):
    expected = ks.predict(tiny_run[0], TEXTS)
    assert len({p.score for p in expected}) > 4  # texts are told apart
    answers = {
        "run": ks.predict(tiny_run[1], TEXTS),
        "export": ks.predict(tiny_models, TEXTS),
    }
    with ks.serve(tiny_models, port=0, rest_api_port=0) as server:
        for url in (server.grpc_url, server.rest_url):
            with ks.Client(url, model_name="tiny") as client:
                answers[url] = client.predict(TEXTS)
                answers[f"predict {url}"] = ks.predict(client, TEXTS)
    for way, found in answers.items():
        for text, one, other in zip(TEXTS, expected, found, strict=True):
            assert one.probabilities == pytest.approx(
                other.probabilities, abs=1e-5
            ), (way, text)
            if abs(one.score - 0.5) > 1e-5:
                assert one.label == other.label, (way, text)
    assert answers[server.grpc_url] == answers[server.rest_url]


def test_an_evaluation_is_the_same_whatever_is_asked(
    tiny_run, tiny_models, easy_reviews
):
    expected = ks.evaluate(tiny_run[0], easy_reviews)
    found = ks.evaluate(tiny_models, easy_reviews)
    assert found.confusion_matrix == expected.confusion_matrix
    with ks.serve(tiny_models, port=0, rest_api_port=0) as server:
        with ks.Client(server.grpc_url, model_name="tiny") as client:
            found = ks.evaluate(client, easy_reviews)
    assert found.log_loss == pytest.approx(expected.log_loss, abs=1e-5)
    assert found.confusion_matrix == expected.confusion_matrix
