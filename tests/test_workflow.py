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


@pytest.fixture
def run(easy_reviews, tiny_preset, tmp_path):
    ks.train(
        easy_reviews,
        tmp_path / "run",
        preset=str(tiny_preset),
        epochs=1,
        batch_size=16,
        max_lr=1e-2,
        verbose=0,
    )
    return tmp_path / "run"


def test_every_way_to_ask_gives_the_same_answer(run, tmp_path):
    expected = ks.predict(run, TEXTS)
    assert len({p.score for p in expected}) > 4  # texts are told apart
    ks.export(run, tmp_path / "tiny")
    answers = {"export": ks.predict(tmp_path / "tiny", TEXTS)}
    with ks.serve(tmp_path / "tiny", port=0, rest_api_port=0) as server:
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
    run, easy_reviews, tmp_path
):
    ks.export(run, tmp_path / "tiny")
    expected = ks.evaluate(run, easy_reviews)
    assert ks.evaluate(tmp_path / "tiny", easy_reviews).accuracy == (
        expected.accuracy
    )
    with ks.serve(tmp_path / "tiny", port=0, rest_api_port=0) as server:
        with ks.Client(server.grpc_url, model_name="tiny") as client:
            found = ks.evaluate(client, easy_reviews)
    assert found.log_loss == pytest.approx(expected.log_loss, abs=1e-5)
    assert found.confusion_matrix == expected.confusion_matrix
