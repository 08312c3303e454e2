import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from kerassent import rate_search
from kerassent.classifier import SentimentClassifier
from kerassent.evaluation import evaluate
from kerassent.rate_search import look_for_lr
from kerassent.reviews import Reviews
from kerassent.training import check_output, read_info, train

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
        "metadata.json",
        "model.weights.h5",
        "preprocessor.json",
        "task.json",
        "task.weights.h5",
        "tokenizer.json",
        "train.json",
    }
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
        json.dumps(evaluate(run[1], valid).to_dict())
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
    if end_lr == 1e-5:
        assert found == 5e-5
        assert "max_lr 5e-05, since none was found: the curve is" in caplog.text
        return
    reviews, _ = easy_reviews.split(test_size=0.1, seed=0)
    curve = look_for_lr(reviews, preset=str(tiny_preset), batch_size=16)
    assert found == pytest.approx(curve.suggestion, rel=1e-6)
    assert f"max_lr {found:.2g}: the middle of the longest fall" in caplog.text
    assert f"(steepest {curve.suggestions['steepest']:.2g}, " in caplog.text


def test_nothing_is_written_over(easy_reviews, tmp_path):
    (tmp_path / "run").mkdir()
    check_output(tmp_path / "run", resume=False)  # an empty one will do
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is there already. Choose anoth"):
        train(easy_reviews, tmp_path / "run", resume=True)
    (tmp_path / "new.partial").mkdir()
    with pytest.raises(FileExistsError, match="unfinished run is there.*--res"):
        train(easy_reviews, tmp_path / "new")


def test_errors_say_what_is_wrong(easy_reviews, tiny_preset, tmp_path):
    with pytest.raises(ValueError, match="must have labels: pass `label=`"):
        train(Reviews(["good"]), tmp_path / "run")
    with pytest.raises(ValueError, match="`epochs` must be 1 or more"):
        train(easy_reviews, tmp_path / "run", epochs=0)
    with pytest.raises(ValueError, match="number or 'auto'. Received: 'high'"):
        train(easy_reviews, tmp_path / "run", max_lr="high")
    with pytest.raises(ValueError, match="`max_lr` must be above 0"):
        train(easy_reviews, tmp_path / "run", max_lr=-1.0)
    assert not (tmp_path / "run.partial").exists()


@pytest.mark.slow
def test_a_killed_run_goes_on_where_its_last_epoch_ended(
    easy_rows, tiny_preset, tmp_path
):
    data = tmp_path / "reviews.csv"
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *easy_rows])
    program = """
        import sys
        import kerassent as ks
        data, preset, output, epochs, resume = sys.argv[1:]
        ks.train(
            ks.load_reviews(data, text="text", label="label"),
            output, preset=preset, epochs=int(epochs), batch_size=16,
            max_lr=1e-2, resume=resume == "resume", verbose=2,
        )
    """
    arguments = [
        sys.executable,
        "-c",
        textwrap.dedent(program),
        str(data),
        str(tiny_preset),
        str(tmp_path / "run"),
        "24",
    ]
    history = tmp_path / "run.partial" / "history.csv"
    process = subprocess.Popen(
        [*arguments, "fresh"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not history.exists() or len(history.read_text().splitlines()) < 4:
        assert process.poll() is None, "the run ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "run").exists()
    subprocess.run(
        [*arguments, "resume"],
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
    )
    rows = history_of(tmp_path / "run")
    epochs = [int(row["epoch"]) for row in rows]
    # A kill between the checkpoint and the log may cost or repeat one line.
    assert len(set(range(24)) - set(epochs)) <= 1
    assert 23 <= len(epochs) <= 25
    assert epochs[-1] == 23
    # The schedule went on, too: the last rate is that of step 215 of 216.
    assert float(rows[-1]["learning_rate"]) == pytest.approx(
        1e-2 / 25 / 1e4, rel=1e-3
    )
