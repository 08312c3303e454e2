"""Other signatures, and models that are not ours."""

import numpy as np
import pytest
import tensorflow as tf

from kerassent.client import Client
from kerassent.contract import Explanation, Prediction, Word
from kerassent.errors import InvalidRequest, ServingError

NASTY = ["", "a b", "\x00", "😀 é", "\ud800", b"\xff\xfe"]


def client_of(url, signature_name=None, **arguments):
    return Client(
        url, model_name="sentiment", signature_name=signature_name, **arguments
    )


def test_classify_gives_what_predict_gives(url, expected_predictions):
    texts = NASTY + [str(number) for number in range(200)]
    expected = [
        Prediction(each.label, each.score, each.probabilities)
        for each in expected_predictions(texts)
    ]
    with client_of(url) as client:
        assert client.classify(texts) == expected
        assert client.classify([]) == []


def test_explanations_are_the_models_words_and_numbers(
    url, hashing, expected_predictions
):
    texts = ["a wonderful é film", "", "dull", *map(str, range(50)), "😀 x"]
    with client_of(url) as client:
        explanations = client.explain(texts)
        assert client.explain([]) == []
    for text, prediction, explanation in zip(
        texts, expected_predictions(texts), explanations, strict=True
    ):
        given = hashing.explain(tf.constant([text]))
        words, start = [], 0
        for place, word in enumerate(text.split(" ")):
            end = start + len(word.encode())
            attribution = float(given["attributions"][0, place])
            words.append(Word(word, start, end, attribution))
            assert text.encode()[start:end].decode() == word
            start = end + 1
        assert explanation == Explanation(
            prediction.label,
            prediction.score,
            tuple(words),
            float(given["completeness_error"][0]),
        )


def test_model_without_names_has_numbers_for_classes(url, hashing):
    shares = hashing.probabilities(tf.constant(["a", "b"]))["shares"].numpy()
    with client_of(url, "shares") as client:
        assert client.class_names == ("0", "1")
        predictions = client.predict(["a", "b"])
        np.testing.assert_array_equal(client.predict_proba(["a", "b"]), shares)
    assert predictions == [
        Prediction(
            str(row.argmax()),
            float(row.max()),
            {"0": float(row[0]), "1": float(row[1])},
        )
        for row in shares
    ]


def test_only_output_keeps_its_name_over_rest(url, hashing):
    with client_of(url, "shares") as client:
        outputs = client.outputs(["a"])
    expected = hashing.probabilities(tf.constant(["a"]))
    np.testing.assert_array_equal(outputs["shares"], expected["shares"])
    assert list(outputs) == ["shares"]


def test_outputs_are_the_models_as_they_are(url, hashing):
    texts = [str(number) for number in range(130)] + [""]
    with client_of(url, "other") as client:
        outputs = client.outputs(texts)
        assert client.outputs([]) == {}
        with pytest.raises(
            ServingError,
            match="gives no probabilities. Its outputs are .*'logits' float32 "
            r"\(1, 2\).*`Client.outputs\(texts\)`",
        ):
            client.predict(["a"])
    expected = hashing.other(tf.constant(texts))
    assert set(outputs) == {"logits", "length", "upper", "is_empty"}
    np.testing.assert_array_equal(outputs["logits"], expected["logits"])
    assert outputs["logits"].dtype == np.float32
    assert outputs["length"].tolist() == list(map(len, texts))
    assert outputs["upper"].tolist() == [text.upper() for text in texts]
    assert outputs["is_empty"].dtype == bool
    assert outputs["is_empty"].tolist() == [False] * 130 + [True]


@pytest.mark.parametrize("ask", ["predict", "classify", "explain", "outputs"])
def test_unknown_signature_is_named_with_what_to_do(url, ask):
    with (
        client_of(url, "none") as client,
        pytest.raises(
            InvalidRequest,
            match=r"none.*`signature_name`.*`Client.metadata\(\)`",
        ),
    ):
        getattr(client, ask)(["a"])


def test_signature_that_explains_nothing_is_told(url):
    with (
        client_of(url, "serving_default") as client,
        pytest.raises(ServingError, match="explains nothing.*'words'"),
    ):
        client.explain(["a"])
