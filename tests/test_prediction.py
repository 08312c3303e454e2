import pytest

from kerassent.calibration import calibrate
from kerassent.client import Client
from kerassent.comparison import compare
from kerassent.errors import PresetError
from kerassent.evaluation import evaluate
from kerassent.prediction import explain, predict
from kerassent.scoring.local import score_file
from kerassent.server import serve

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


def test_what_is_no_model_is_refused_by_all_that_ask_one(
    easy_reviews, tmp_path
):
    source = tmp_path / "in.csv"
    calls = (
        lambda model: predict(model, TEXTS),
        lambda model: evaluate(model, easy_reviews),
        lambda model: compare(model, model, easy_reviews),
        lambda model: calibrate(model, easy_reviews),
        lambda model: score_file(model, source, tmp_path / "out.csv"),
    )
    source.write_text("text\ngood\n")
    for call in calls:
        for wrong in (None, 5, ["neg", "pos"], len):
            with pytest.raises(
                TypeError, match="`model` must be the path of a run or an exp"
            ):
                call(wrong)


def test_all_explain_alike(tiny_run, tiny_models):
    texts = [*TEXTS, "", b"\xff a \xc3\xbcber good film" * 3]
    expected = explain(tiny_run[0], texts)
    assert [w.text for w in expected[0].words] == ["a", "good", "film"]
    assert expected[2].words == ()
    assert [e.label for e in expected] == [
        p.label for p in predict(tiny_run[0], texts)
    ]
    with serve(tiny_models, port=0, rest_api_port=0) as server:
        clients = [
            Client(url, model_name="tiny")
            for url in (server.grpc_url, server.rest_url)
        ]
        for model in (tiny_models, *clients):
            found = explain(model, texts)
            for one, other in zip(found, expected, strict=True):
                assert one.label == other.label
                assert one.score == pytest.approx(other.score, abs=1e-5)
                assert [(w.text, w.start, w.end) for w in one.words] == [
                    (w.text, w.start, w.end) for w in other.words
                ]
                assert [w.attribution for w in one.words] == pytest.approx(
                    [w.attribution for w in other.words], abs=1e-4
                )
                assert one.completeness_error == pytest.approx(
                    other.completeness_error, abs=1e-4
                )
        for client in clients:
            client.close()


def test_another_class_is_explained_here_only(tiny_run, tiny_models):
    of_each = {
        target: explain(tiny_run[1], TEXTS[:1], target=target)[0]
        for target in ("neg", "pos")
    }
    assert {k: e.label for k, e in of_each.items()} == {
        "neg": "neg",
        "pos": "pos",
    }
    assert sum(e.score for e in of_each.values()) == pytest.approx(1)
    assert [w.attribution for w in of_each["neg"].words] == pytest.approx(
        [-w.attribution for w in of_each["pos"].words], abs=1e-5
    )
    with pytest.raises(ValueError, match="one of 'neg', 'pos'. Received: 'po'"):
        explain(tiny_run[0], TEXTS, target="po")
    with pytest.raises(ValueError, match="`target` goes with a classifier"):
        explain(tiny_models, TEXTS, target="pos")


def test_what_cannot_explain_is_refused(make_classifier):
    with pytest.raises(TypeError, match=r"Pass `\['good'\]`"):
        explain(make_classifier(), "good")
    with pytest.raises(TypeError, match="`model` must be a.*Received: 3"):
        explain(3, ["good"])
    assert explain(make_classifier(), []) == []
