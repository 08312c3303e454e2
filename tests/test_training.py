import csv
import json

import numpy as np
import pytest

from kerassent import rate_search
from kerassent.classifier import SentimentClassifier
from kerassent.evaluation import evaluate
from kerassent.lr_curve import LRCurve
from kerassent.rate_search import look_for_lr
from kerassent.reviews import Reviews
from kerassent.run_record import check_output, read_info
from kerassent.training import train

QUICK = {"epochs": 8, "batch_size": 16, "max_lr": 3e-3, "verbose": 0}


@pytest.fixture
def run(tiny_run):
    return tiny_run


def test_a_run_directory_has_what_the_design_says(run):
    names = {path.name for path in run[1].iterdir()}
    assert names == {
        "assets",
        "checkpoints",
        "config.json",
        "history.csv",
        "learning_curves.svg",
        "metadata.json",
        "model.weights.h5",
        "preprocessor.json",
        "step_losses.csv",
        "task.json",
        "task.weights.h5",
        "tokenizer.json",
        "train.json",
    }
    kept = {path.name for path in (run[1] / "checkpoints").iterdir()}
    assert kept == {"settings.json"}
    assert not run[1].with_name("tiny.partial").exists()


def test_the_record_says_how_it_was_made(run, easy_reviews):
    info = read_info(run[1])
    assert info["class_names"] == ["neg", "pos"]
    assert info["num_reviews"] == {"train": 144, "valid": 16}
    assert (info["epochs"], info["batch_size"], info["seed"]) == (8, 16, 0)
    assert (info["sequence_length"], info["truncate"]) == (32, "tail")
    assert info["clean_html"] is False
    assert info["precision"] in ("float32", "bfloat16")
    assert info["max_lr"] == 3e-3
    _, valid = easy_reviews.split(test_size=0.1, seed=0)
    assert info["valid"] == json.loads(
        json.dumps(evaluate(run[1], valid).figures())
    )


def history_of(run):
    return list(csv.DictReader((run / "history.csv").read_text().splitlines()))


def test_the_history_has_each_epochs_last_rate(run):
    rows = history_of(run[1])
    assert [row["epoch"] for row in rows] == list("01234567")
    # The cycle of 72 steps ends at max_lr over 25 and 10,000.
    assert float(rows[-1]["learning_rate"]) == pytest.approx(
        3e-3 / 25 / 1e4, rel=1e-4
    )


def test_the_run_loads_as_the_classifier_that_was_returned(run):
    classifier, directory = run
    texts = ["a wonderful film", "the tea was awful"]
    assert SentimentClassifier.from_preset(directory).predict_proba(
        texts
    ) == pytest.approx(classifier.predict_proba(texts), abs=1e-6)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model(
    run, easy_reviews, tiny_preset, tmp_path
):
    again = train(
        easy_reviews,
        tmp_path / "again",
        preset=str(tiny_preset),
        truncate="tail",
        **QUICK,
    )
    for old, new in zip(run[0].weights, again.weights, strict=True):
        np.testing.assert_allclose(old, new, atol=1e-5)


def test_weight_decay_spares_biases_and_norms(run):
    decayed = [
        variable.path
        for variable in run[0].trainable_variables
        if run[0].optimizer._use_weight_decay(variable)
    ]
    assert decayed
    assert not [p for p in decayed if p.endswith(("bias", "gamma", "beta"))]
    assert any(path.endswith("kernel") for path in decayed)


def test_given_validation_reviews_are_not_split_off(
    easy_reviews, tiny_preset, tmp_path
):
    valid = Reviews(["bad book", "good tea", "fine"], ["neg", "pos", "pos"])
    train(
        easy_reviews,
        tmp_path / "run",
        preset=str(tiny_preset),
        valid=valid,
        **QUICK | {"epochs": 1},
    )
    info = read_info(tmp_path / "run")
    assert info["num_reviews"] == {"train": 160, "valid": 3}


@pytest.mark.parametrize("start_lr, end_lr", [(3e-4, 3e-2), (1e-6, 1e-5)])
def test_auto_takes_what_the_finder_suggests_and_says_why(
    start_lr, end_lr, easy_reviews, tiny_preset, tmp_path, monkeypatch, caplog
):
    # An untrained encoder needs larger rates than a pretrained one.
    monkeypatch.setattr(rate_search, "_START_LR", start_lr)
    monkeypatch.setattr(rate_search, "_END_LR", end_lr)
    caplog.set_level("INFO", "kerassent")
    train(
        easy_reviews,
        tmp_path / "run",
        preset=str(tiny_preset),
        **QUICK | {"epochs": 1, "max_lr": "auto"},
    )
    found = read_info(tmp_path / "run")["max_lr"]
    kept = LRCurve.from_json((tmp_path / "run/lr_curve.json").read_text())
    assert kept.learning_rates[0] == pytest.approx(start_lr)
    if end_lr == 1e-5:
        assert found == 5e-5
        assert "max_lr 5e-05, since none was found: the curve is" in caplog.text
        return
    reviews, _ = easy_reviews.split(test_size=0.1, seed=0)
    curve = look_for_lr(reviews, preset=str(tiny_preset), batch_size=16)
    assert kept.losses == pytest.approx(curve.losses, rel=1e-5)
    assert found == pytest.approx(curve.suggestion, rel=1e-6)
    assert f"max_lr {found:.2g}: the middle of the longest fall" in caplog.text
    assert f"(steepest {curve.suggestions['steepest']:.2g}, " in caplog.text


def test_nothing_is_written_over(easy_reviews, tmp_path):
    (tmp_path / "run").mkdir()
    check_output(tmp_path / "run", resume=False)  # an empty one will do
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is there already. Choose anoth"):
        train(easy_reviews, tmp_path / "run")
    with pytest.raises(FileExistsError, match="already, and no run of `train`"):
        train(easy_reviews, tmp_path / "run", resume=True)
    (tmp_path / "new.partial").mkdir()
    with pytest.raises(FileExistsError, match="unfinished run is there.*--res"):
        train(easy_reviews, tmp_path / "new")


def test_errors_say_what_is_wrong(easy_reviews, tiny_preset, tmp_path):
    with pytest.raises(ValueError, match="must have labels: pass `label=`"):
        train(Reviews(["good"]), tmp_path / "run")
    for argument in ("reviews", "valid"):
        given = {"reviews": easy_reviews, argument: "train.csv"}
        with pytest.raises(
            TypeError,
            match=rf"`{argument}` must be Reviews. Received: 'train.csv' of "
            r"type str. Read the file first: `load_reviews\('train.csv'",
        ):
            train(output=tmp_path / "run", **given)
    with pytest.raises(TypeError, match="`epochs` must be a whole number"):
        train(easy_reviews, tmp_path / "run", epochs=1.5)
    with pytest.raises(ValueError, match="`epochs` must be 1 or more"):
        train(easy_reviews, tmp_path / "run", epochs=0)
    with pytest.raises(ValueError, match="number or 'auto'. Received: 'high'"):
        train(easy_reviews, tmp_path / "run", max_lr="high")
    with pytest.raises(ValueError, match="`max_lr` must be above 0"):
        train(easy_reviews, tmp_path / "run", max_lr=-1.0)
    assert not (tmp_path / "run.partial").exists()


ONE = {"epochs": 1, "batch_size": 16, "max_lr": 3e-3, "verbose": 0}


def test_each_option_reaches_what_it_is_for(
    easy_reviews, tiny_preset, tmp_path
):
    classifier = train(
        easy_reviews,
        tmp_path / "run",
        preset=str(tiny_preset),
        layer_decay=0.9,
        weight_decay=0.1,
        clip_norm=0.5,
        gradient_accumulation=2,
        label_smoothing=0.2,
        ema=0.9,
        frozen_layers=1,
        best_weights=False,
        precision="float32",
        cache=tmp_path / "tokens",
        tensorboard=True,
        checkpoint_minutes=None,
        **ONE,
    )
    optimizer = classifier.optimizer
    assert (optimizer.layer_decay, optimizer.weight_decay) == (0.9, 0.1)
    assert optimizer.global_clipnorm == 0.5
    assert int(optimizer.iterations) == 9 // 2
    assert classifier.loss.label_smoothing == 0.2
    # Nine steps, of which the average of four updates is kept.
    for pair in zip(
        optimizer._trainable_variables,
        optimizer._model_variables_moving_average,
        strict=True,
    ):
        np.testing.assert_array_equal(*pair)
    before = SentimentClassifier.from_preset(
        tiny_preset, class_names=["neg", "pos"]
    )
    old, new = before.backbone, classifier.backbone
    for name in ("token_embedding", "embeddings"):
        for pair in zip(
            getattr(old, name).weights, getattr(new, name).weights, strict=True
        ):
            np.testing.assert_array_equal(*pair)
    moved = [
        not np.array_equal(*pair)
        for layers in zip(
            old.transformer_layers, new.transformer_layers, strict=True
        )
        for pair in zip(*(layer.weights for layer in layers), strict=True)
    ]
    half = len(moved) // 2
    assert not any(moved[:half]) and all(moved[half:])
    assert {p.name for p in (tmp_path / "tokens").iterdir()}
    events = list((tmp_path / "run" / "tensorboard").rglob("events.out*"))
    assert len(events) == 2  # of training and of validation
    info = read_info(tmp_path / "run")
    assert info["label_smoothing"] == 0.2 and info["ema"] == 0.9
    assert info["cache"] == str(tmp_path / "tokens")


def test_without_validation_the_last_weights_are_kept(
    easy_reviews, tiny_preset, tmp_path
):
    train(
        easy_reviews,
        tmp_path / "run",
        preset=str(tiny_preset),
        valid_size=0,
        max_tokens=200,
        **ONE | {"batch_size": None},
    )
    info = read_info(tmp_path / "run")
    assert info["valid"] is None
    assert info["num_reviews"] == {"train": 160, "valid": 0}
    assert (info["batch_size"], info["max_tokens"]) == (None, 200)
    [row] = history_of(tmp_path / "run")
    assert not [name for name in row if name.startswith("val_")]


def test_a_rare_third_class_is_learned_with_balanced_weights(
    easy_rows, tiny_preset, tmp_path
):
    rare = [(f"never {word} again", "rare") for word in ("see", "watch")] * 4
    texts, labels = zip(*easy_rows, *rare, strict=True)
    reviews = Reviews(texts, labels)
    classifier = train(
        reviews,
        tmp_path / "run",
        preset=str(tiny_preset),
        valid_size=0.25,
        class_weight="balanced",
        unfreeze_per_epoch=2,
        **QUICK,
    )
    assert classifier.class_names == ("neg", "pos", "rare")
    info = read_info(tmp_path / "run")
    assert info["monitor"] == "val_balanced_accuracy"
    assert info["valid"]["recall"][2] == 1.0
    rows = history_of(tmp_path / "run")
    best = max(float(row["val_balanced_accuracy"]) for row in rows)
    assert np.mean(info["valid"]["recall"]) == pytest.approx(best, abs=1e-6)


def test_early_stopping_ends_a_run_that_gets_no_better(
    easy_reviews, tiny_preset, tmp_path, caplog
):
    caplog.set_level("INFO", "kerassent")
    train(
        easy_reviews,
        tmp_path / "run",
        preset=str(tiny_preset),
        early_stopping=2,
        monitor="val_loss",
        # A rate with which nothing is learned: no epoch is better by much.
        **QUICK | {"max_lr": 1.0, "epochs": 30},
    )
    rows = history_of(tmp_path / "run")
    assert 3 <= len(rows) < 30
    losses = [float(row["val_loss"]) for row in rows]
    assert np.argmin(losses) == len(losses) - 3
    assert read_info(tmp_path / "run")["valid"]["log_loss"] == pytest.approx(
        min(losses), rel=1e-3
    )
    assert f"Stopped early, after epoch {len(rows)}" in caplog.text


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"batch_size": 0}, "`batch_size` must be 1 or more. Received: 0"),
        (
            {"batch_size": 8, "max_tokens": 9},
            "`batch_size` and `max_tokens` are two ways to say the same",
        ),
        ({"ema": 1.0}, "`ema` must be between 0 and 1, such as 0.999"),
        (
            {"valid_size": 0, "early_stopping": 1},
            "`early_stopping` needs reviews to validate on",
        ),
        (
            {"monitor": "val_balanced_accuracy"},
            "goes with `class_weight`, such as 'balanced'",
        ),
        ({"class_weight": {"neg": 2.0}}, "must have a weight for each class"),
        ({"precision": "int8"}, "`precision` must be one of 'auto'"),
        ({"checkpoint_minutes": 0}, "`checkpoint_minutes` must be above 0"),
        ({"clip_norm": -1.0}, "`clip_norm` must be above 0"),
        ({"gradient_accumulation": 0}, "must be 1 or more"),
        ({"unfreeze_per_epoch": 0}, "`unfreeze_per_epoch` must be 1 or more"),
        ({"layer_decay": 0.0}, "`layer_decay` must be above 0"),
        ({"weight_decay": -1.0}, "`weight_decay` must be above 0"),
        ({"seed": -1}, "`seed` must be from 0 to 4294967295. Received: -1"),
        ({"valid_size": -0.1}, "`valid_size=-0.1` can't be split off"),
        ({"frozen_layers": 3}, "`frozen_layers` must be from 0 to 2"),
        (
            {"frozen_layers": 2, "layer_decay": 0.9},
            "`layer_decay` needs layers that learn.*frozen_layers=2",
        ),
    ],
)
def test_a_wrong_option_is_refused_before_any_work(
    wrong, message, easy_reviews, tiny_preset, tmp_path
):
    with pytest.raises(ValueError, match=message):
        train(easy_reviews, tmp_path / "run", preset=str(tiny_preset), **wrong)
    assert list(tmp_path.iterdir()) == []
