import json

import numpy as np
import pytest
from scipy.special import softmax

import kerassent as ks
from kerassent.calibration import calibrate, fit_temperature
from kerassent.classifier import SentimentClassifier
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
    directory = tmp_path / "run"
    tiny_run[0].save_to_preset(str(directory))
    return directory


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
    assert not list(run.glob("*.writing"))

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


@pytest.fixture(scope="module")
def noisy_run(easy_rows, tiny_preset, tmp_path_factory):
    """A run of `train` on reviews of which some are mislabelled."""
    other = {"neg": "pos", "pos": "neg"}
    texts, labels = zip(*easy_rows, strict=True)
    reviews = Reviews(
        texts,
        [other[each] if i % 5 == 2 else each for i, each in enumerate(labels)],
    )
    directory = tmp_path_factory.mktemp("runs") / "noisy"
    ks.train(
        reviews,
        directory,
        preset=str(tiny_preset),
        valid_size=0.4,
        epochs=4,
        batch_size=16,
        max_lr=3e-3,
        seed=3,
        verbose=0,
    )
    return directory, reviews


def test_the_part_that_was_held_out_is_found(noisy_run):
    run, reviews = noisy_run
    trained, valid = reviews.split(test_size=0.4, seed=3)
    found = calibrate(run, reviews)
    assert found.num_reviews == len(valid) == 64
    again = calibrate(run, valid)
    assert again.temperature == pytest.approx(found.temperature, rel=1e-3)
    record = read_info(run)["calibration"]
    assert record["temperature"] == again.temperature
    assert record["sha256"] == read_info(run)["sha256"]["valid"]
    with pytest.raises(ValueError, match="was trained on these reviews"):
        calibrate(run, trained)
    # The order is another: these are other reviews, for all that is known.
    others = Reviews(reviews.texts[::-1], reviews.labels[::-1])
    assert calibrate(run, others).num_reviews == 160


def test_what_no_temperature_fits_is_refused(tiny_run, easy_reviews, run):
    with pytest.raises(ValueError, match="No temperature is best.*160 of 160"):
        calibrate(run, easy_reviews)
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
