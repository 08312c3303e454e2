import pytest

from kerassent.errors import PresetError
from kerassent.prediction import predict

TEXTS = ["a good film", "very bad"]


def test_a_prediction_names_what_the_probabilities_say(make_classifier):
    classifier = make_classifier()
    rows = classifier.predict_proba(TEXTS)
    for row, found in zip(rows, predict(classifier, TEXTS), strict=True):
        assert found.label == ("neg", "pos")[row.argmax()]
        assert found.score == pytest.approx(row.max())
        assert found.probabilities == pytest.approx(
            {"neg": row[0], "pos": row[1]}
        )


def test_a_run_an_export_and_its_version_say_the_same(tiny_run, tiny_models):
    expected = predict(tiny_run[0], TEXTS)
    for model in (str(tiny_run[1]), tiny_models, tiny_models / "1"):
        found = predict(model, TEXTS)
        assert [p.label for p in found] == [p.label for p in expected]
        for one, other in zip(found, expected, strict=True):
            assert one.probabilities == pytest.approx(
                other.probabilities, abs=1e-5
            )


def test_no_texts_give_no_predictions(make_classifier):
    assert predict(make_classifier(), []) == []


def test_errors_say_what_is_wrong(make_classifier, tmp_path):
    with pytest.raises(
        TypeError, match=r"must be a list of texts. Pass `\['good'\]`"
    ):
        predict(make_classifier(), "good")
    with pytest.raises(TypeError, match="`texts.1.` is nan of type float"):
        predict(make_classifier(), ["good", float("nan")])
    with pytest.raises(PresetError, match="no trained model at.*no directory"):
        predict(tmp_path / "missing", TEXTS)
    with pytest.raises(PresetError, match="it has none of these files"):
        predict(tmp_path, TEXTS)
