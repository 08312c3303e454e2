import json
import shutil

import numpy as np
import pytest
from scipy.special import softmax

import kerassent as ks
from kerassent.calibration import calibrate, fit_temperature, held_out
from kerassent.classifier import SentimentClassifier
from kerassent.review_hash import hash_reviews
from kerassent.reviews import Reviews
from kerassent.run_record import read_info


@pytest.fixture
def noisy_reviews(easy_rows):
    """The easy rows, of which every fifth has the other label."""
    other = {"neg": "pos", "pos": "neg"}
    return Reviews(
        [text for text, _ in easy_rows],
        [
            other[label] if i % 5 == 2 else label
            for i, (_, label) in enumerate(easy_rows)
        ],
    )


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of the run that may be changed."""
    return shutil.copytree(tiny_run[1], tmp_path / "run")


@pytest.mark.parametrize("num_classes", [2, 4])
@pytest.mark.parametrize("expected", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(num_classes, expected):
    rng = np.random.default_rng(0)
    logits = rng.normal(0.0, 4.0, (60_000, num_classes))
    cumulated = softmax(logits / expected, axis=1).cumsum(axis=1)
    drawn = rng.random((60_000, 1))
    y_true = (drawn > cumulated[:, :-1]).sum(axis=1)
    assert fit_temperature(logits, y_true) == pytest.approx(expected, rel=0.02)
    shifted = logits + rng.normal(0.0, 9.0, (60_000, 1))
    assert fit_temperature(shifted, y_true) == pytest.approx(expected, rel=0.02)


def test_no_other_temperature_has_a_lower_log_loss(run, noisy_reviews):
    classifier = SentimentClassifier.from_preset(run)
    found = calibrate(classifier, noisy_reviews)
    assert classifier.temperature == found.temperature > 1.5
    assert found.previous_temperature == 1.0
    assert found.log_loss_after < found.log_loss_before - 0.1
    assert found.calibration_error_after < found.calibration_error_before
    assert found.num_reviews == 160
    for factor, least in ((1.0, -1e-9), (1.05, 1e-7), (1 / 1.05, 1e-7)):
        classifier.temperature = factor * found.temperature
        log_loss = ks.evaluate(classifier, noisy_reviews).log_loss
        assert log_loss - found.log_loss_after >= least - 1e-7


def test_it_starts_from_whatever_temperature_there_was(run, noisy_reviews):
    classifier = SentimentClassifier.from_preset(run)
    expected = calibrate(classifier, noisy_reviews)
    for previous in (0.2, 7.0):
        classifier.temperature = previous
        found = calibrate(classifier, noisy_reviews)
        assert found.temperature == pytest.approx(
            expected.temperature, rel=1e-3
        )
        assert found.previous_temperature == previous
        assert found.log_loss_after == pytest.approx(
            expected.log_loss_after, abs=1e-6
        )


def test_a_runs_temperature_reaches_every_way_to_ask(
    run, noisy_reviews, tmp_path
):
    before = ks.evaluate(run, noisy_reviews)
    found = ks.calibrate(run, noisy_reviews)
    assert found.log_loss_before == pytest.approx(before.log_loss, abs=1e-6)
    saved = json.loads((run / "task.json").read_text())
    assert saved["config"]["temperature"] == found.temperature
    assert not list(run.glob(".writing-*"))

    classifier = SentimentClassifier.from_preset(run)
    assert classifier.temperature == found.temperature
    texts = ["a good film", "the tea was awful"]
    logits = classifier._logits_of(texts).numpy()
    expected = softmax(logits / found.temperature, axis=1)
    assert classifier.predict_proba(texts) == pytest.approx(expected, abs=1e-6)
    assert [each.score for each in ks.predict(run, texts)] == pytest.approx(
        expected.max(axis=1), abs=1e-6
    )
    after = ks.evaluate(run, noisy_reviews)
    assert after.log_loss == pytest.approx(found.log_loss_after, abs=1e-6)
    assert after.expected_calibration_error == pytest.approx(
        found.calibration_error_after, abs=1e-4
    )
    assert after.accuracy == before.accuracy
    assert after.provenance.temperature == found.temperature

    models = tmp_path / "models" / "tiny"
    ks.export(run, models)
    assert [each.score for each in ks.predict(models, texts)] == pytest.approx(
        expected.max(axis=1), abs=1e-5
    )
    assert ks.evaluate(
        models, noisy_reviews
    ).provenance.temperature == pytest.approx(found.temperature)
    with ks.serve(models, port=0, rest_api_port=0) as server:
        for url in (server.grpc_url, server.rest_url):
            with ks.Client(url, model_name="tiny") as client:
                assert client.predict_proba(texts) == pytest.approx(
                    expected, abs=1e-5
                )


def test_the_part_that_was_held_out_is_found(tiny_run, easy_reviews):
    trained, valid = easy_reviews.split(test_size=0.1, seed=0)
    directory = tiny_run[1]
    assert held_out(directory, easy_reviews) == valid
    assert held_out(directory, valid) is valid
    with pytest.raises(ValueError, match="was trained on these reviews"):
        held_out(directory, trained)
    # As many in another order are others, for all that is known.
    others = Reviews(easy_reviews.texts[::-1], easy_reviews.labels[::-1])
    assert held_out(directory, others) is others
    assert held_out(directory / "assets", trained) is trained


def test_a_run_is_calibrated_on_what_was_held_out(run, easy_reviews):
    with pytest.raises(ValueError, match="No temperature is best.*16 of 16"):
        calibrate(run, easy_reviews)


def test_the_record_says_what_it_was_fitted_to(run, noisy_reviews):
    found = calibrate(run, noisy_reviews)
    info = read_info(run)
    record = info["calibration"]
    assert record["temperature"] == found.temperature
    assert record["log_loss_after"] == found.log_loss_after
    assert record["sha256"] == hash_reviews(noisy_reviews)
    assert info["num_reviews"] == {"train": 144, "valid": 16}


def test_what_no_temperature_fits_is_refused(easy_reviews, run):
    classifier = SentimentClassifier.from_preset(run)
    with pytest.raises(ValueError, match="160 of 160.*nothing of mistakes"):
        calibrate(classifier, easy_reviews)
    assert classifier.temperature == 1.0
    other = {"neg": "pos", "pos": "neg"}
    wrong = Reviews(
        easy_reviews.texts, [other[each] for each in easy_reviews.labels]
    )
    with pytest.raises(ValueError, match="0 of 160.*no better than chance"):
        calibrate(run, wrong)
    saved = json.loads((run / "task.json").read_text())
    assert saved["config"]["temperature"] == 1.0


def test_an_export_is_refused(tiny_models, easy_reviews):
    with pytest.raises(ValueError, match="must be a `SentimentClassifier`"):
        calibrate(tiny_models, easy_reviews)


def test_a_record_that_says_less_hides_no_run(run, easy_reviews):
    (run / "train.json").write_text('{"sha256": null, "valid_size": 0.1}')
    assert held_out(run, easy_reviews) is easy_reviews
