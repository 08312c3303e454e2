"""All that `train` puts into one `fit`: killed anywhere, and gone on with."""

import csv
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import optimizers

from kerassent.callbacks.averaged_weights import AveragedWeights
from kerassent.callbacks.best_weights import BestWeights
from kerassent.callbacks.checkpoints import Checkpoints
from kerassent.callbacks.one_cycle import OneCycle
from kerassent.callbacks.progress_bar import ProgressBar
from kerassent.callbacks.run_history import RunHistory
from kerassent.callbacks.throughput import Throughput
from kerassent.learning_curves import draw_learning_curves
from kerassent.optimizers import LayerDecayAdamW
from kerassent.token_batches import (
    TokenBatches,
    TokenizedReviews,
    in_turn,
    token_dataset,
)

EPOCHS = 3


class Killed(BaseException):
    pass


class Kill(keras.callbacks.Callback):
    """Ends everything at a moment of an epoch."""

    def __init__(self, moment, epoch, batch=None):
        super().__init__()
        self.at = (moment, epoch, batch)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.at == ("step", self.epoch, batch):
            raise Killed

    def on_test_begin(self, logs=None):
        if self.at == ("validation", self.epoch, None):
            raise Killed

    def on_epoch_end(self, epoch, logs=None):
        if self.at == ("end", epoch, None):
            raise Killed


def batches(points, epoch, start=0):
    """Ten batches, in each epoch others."""
    x, y = points
    order = np.random.default_rng(epoch).permutation(80).reshape(10, 8)
    for rows in order[start:]:
        yield x[rows], y[rows]


def run(
    compiled,
    points,
    directory,
    *,
    kill=None,
    before=False,
    first=None,
    patience=EPOCHS,
    **optimizer,
):
    """Runs `fit`, from the last checkpoint on if there is one.

    With `before` it is killed before the checkpoint of that moment is written.
    """
    model = compiled(
        optimizers.AdamW(0.05, use_ema=True, ema_momentum=0.999, **optimizer),
        metrics=["mae"],
    )
    model.test_on_batch(*points)  # so that metrics have their variables
    checkpoints = Checkpoints(
        directory / "checkpoints", every_steps=4, every_seconds=None
    )
    if checkpoints.initial_epoch or checkpoints.position[1]:
        model.set_weights([0 * weight for weight in model.get_weights()])
    throughput = Throughput(lambda epoch: np.full(10, 100))
    history = RunHistory(directory / "history.csv")
    best = BestWeights("val_loss", patience=patience)
    callbacks = [
        throughput,
        OneCycle(0.3),
        AveragedWeights(),
        best,
        history,
        ProgressBar(throughput),
    ]
    checkpoints.set_callbacks(callbacks)
    last = [checkpoints] + [kill] * (kill is not None)
    if first is not None:
        callbacks.insert(0, first)
    dataset = tf.data.Dataset.from_generator(
        lambda: batches(points, *checkpoints.position),
        output_signature=(
            tf.TensorSpec((None, 3)),
            tf.TensorSpec((None, 1)),
        ),
    ).apply(tf.data.experimental.assert_cardinality(10))
    try:
        model.fit(
            dataset,
            validation_data=points,
            epochs=EPOCHS,
            initial_epoch=EPOCHS
            if checkpoints.has_stopped
            else checkpoints.initial_epoch,
            callbacks=[*callbacks, *(last[::-1] if before else last)],
            shuffle=False,
            verbose=0,
        )
    except Killed:
        return None
    return SimpleNamespace(model=model, history=history, best=best)


def rows_of(run):
    """The history but for what depends on the time it took."""
    with run.history.path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(float(row.pop("tokens_per_second")) > 0 for row in rows)
    return rows


def assert_same(one, other):
    assert rows_of(one) == rows_of(other)
    for name, values in one.history.step_losses.items():
        np.testing.assert_array_equal(values, other.history.step_losses[name])
    for name in ("best", "best_epoch", "wait", "stopped_epoch"):
        assert getattr(one.best, name) == getattr(other.best, name)
    for mine, its in zip(
        [*one.model.variables, *one.model.optimizer.variables],
        [*other.model.variables, *other.model.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(mine.numpy(), its.numpy())


@pytest.fixture(scope="module")
def whole(compiled, points, tmp_path_factory):
    return run(compiled, points, tmp_path_factory.mktemp("whole"))


def test_all_of_them_do_their_part(whole):
    rows = rows_of(whole)
    assert list(rows[0]) == [
        "epoch",
        "loss",
        "mae",
        "val_loss",
        "val_mae",
        "learning_rate",
        "momentum",
    ]
    val_losses = [float(row["val_loss"]) for row in rows]
    assert whole.best.best_epoch == int(np.argmin(val_losses))
    # What was kept is the average that was validated.
    assert whole.best.best == min(val_losses)
    assert len(whole.history.step_losses["loss"]) == 10 * EPOCHS


@pytest.mark.parametrize(
    "moment, before",
    [
        (("step", 1, 3), False),
        (("step", 1, 3), True),
        (("validation", 1), False),
        (("end", 1), True),
        (("end", 2), False),
    ],
)
def test_a_killed_run_ends_as_one_that_never_was(
    moment, before, whole, compiled, points, tmp_path
):
    kill = Kill(*moment)
    assert run(compiled, points, tmp_path, kill=kill, before=before) is None
    assert_same(run(compiled, points, tmp_path), whole)


def test_accumulating_and_killed_again_and_again_it_does_too(
    compiled, points, tmp_path
):
    accumulating = {"gradient_accumulation_steps": 3}
    (tmp_path / "whole").mkdir()
    whole = run(compiled, points, tmp_path / "whole", **accumulating)
    for moment in ("step", 0, 5), ("end", 0), ("step", 2, 4):
        kill = Kill(*moment)
        assert (
            run(compiled, points, tmp_path, kill=kill, **accumulating) is None
        )
    assert_same(run(compiled, points, tmp_path, **accumulating), whole)


def test_one_that_had_stopped_is_trained_no_further(compiled, points, tmp_path):
    class Worse(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = float(epoch)

    (tmp_path / "whole").mkdir()
    stopping = {"first": Worse(), "patience": 1}
    whole = run(compiled, points, tmp_path / "whole", **stopping)
    assert [row["epoch"] for row in rows_of(whole)] == ["0", "1"]
    assert whole.best.best_epoch == 0
    run(compiled, points, tmp_path, kill=Kill("end", 1), **stopping)
    again = run(compiled, points, tmp_path, **stopping)
    assert rows_of(again) == rows_of(whole)
    for one, other in zip(
        again.model.get_weights(), whole.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_classifier_is_trained_with_all_of_them(
    make_classifier, easy_reviews, tmp_path
):
    reviews, valid = easy_reviews.split(test_size=0.2, seed=0)
    classifier = make_classifier()

    def tokens(part, shuffle):
        preprocessor = classifier.preprocessor
        return TokenBatches(
            TokenizedReviews.of(part, preprocessor),
            part.label_ids,
            preprocessor,
            batch_size=16,
            max_tokens=None,
            shuffle=shuffle,
            seed=0,
        )

    classifier.compile(
        LayerDecayAdamW(
            1e-3, layer_decay=0.9, use_ema=True, ema_momentum=0.999
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    train_batches = tokens(reviews, True)
    valid_ds = token_dataset(tokens(valid, False), lambda: (0, 0))
    throughput = Throughput(train_batches.num_tokens)
    history = RunHistory(tmp_path / "history.csv")
    best = BestWeights()
    classifier.fit(
        token_dataset(train_batches, in_turn()),
        validation_data=valid_ds,
        epochs=12,
        callbacks=[
            throughput,
            OneCycle(1e-2),
            AveragedWeights(),
            best,
            history,
            ProgressBar(throughput),
        ],
        verbose=0,
    )
    rows = history.rows
    assert best.best == max(row["val_accuracy"] for row in rows) > 0.9
    _, accuracy = classifier.evaluate(valid_ds, verbose=0)
    assert accuracy == best.best
    picture = tmp_path / "learning_curves.svg"
    draw_learning_curves(rows, history.step_losses, picture)
    assert picture.read_text().startswith("<?xml")
