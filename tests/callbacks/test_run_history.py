import csv
import json
import os
import resource

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import optimizers

from kerassent.callbacks.one_cycle import OneCycle
from kerassent.callbacks.run_history import RunHistory


class EachLoss(keras.callbacks.Callback):
    """The loss of each batch, computed before the step is made."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches
        self.losses = []

    def on_train_batch_begin(self, batch, logs=None):
        x, y = self.batches[batch]
        predicted = self.model(x, training=False).numpy()
        self.losses.append(float(np.mean((predicted - y) ** 2)))


@pytest.fixture
def history(tmp_path):
    return RunHistory(tmp_path / "history.csv")


@pytest.fixture(scope="module")
def model(compiled):
    return compiled(optimizers.Adam(0.01))


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_file_has_a_row_an_epoch_as_keras_has_it(
    model, fit, points, history, tmp_path
):
    log = keras.callbacks.CSVLogger(tmp_path / "keras.csv")
    fit(model, OneCycle(0.1), log, history, epochs=3, validation_data=points)
    ours, keras_rows = read(history.path), read(tmp_path / "keras.csv")
    assert list(ours[0]) == [
        "epoch",
        "loss",
        "val_loss",
        "learning_rate",
        "momentum",
    ]
    assert [dict(sorted(row.items())) for row in ours] == [
        dict(sorted(row.items())) for row in keras_rows
    ]
    assert [row["epoch"] for row in ours] == ["0", "1", "2"]
    # To the bit.
    assert [{k: float(v) for k, v in row.items()} for row in ours] == (
        history.rows
    )
    assert [*tmp_path.glob(".writing-*")] == []


def test_the_file_is_whole_after_each_epoch(model, fit, history):
    class Read(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((len(read(history.path)), os.stat(history.path).st_ino))

    seen = []
    fit(model, history, Read(), epochs=3)
    assert [count for count, _ in seen] == [1, 2, 3]
    assert len({inode for _, inode in seen[:2]}) == 2  # renamed, not appended


def test_a_write_that_fails_leaves_the_last_file(model, fit, history):
    fit(model, history)
    before = history.path.read_text()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            history.set_state(history.get_state())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert history.path.read_text() == before
    assert [*history.path.parent.glob(".writing-*")] == []


def test_a_column_that_comes_later_is_empty_before(model, fit, history):
    class Later(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                logs["val_loss"] = np.float32(0.5)

    fit(model, Later(), history, epochs=3)
    rows = read(history.path)
    assert [list(row) for row in rows] == [["epoch", "loss", "val_loss"]] * 3
    assert [row["val_loss"] for row in rows] == ["", "0.5", ""]


def test_a_new_fit_begins_a_new_history(model, fit, history):
    fit(model, history, epochs=3)
    fit(model, history, epochs=2)
    assert len(read(history.path)) == len(history.rows) == 2
    assert len(history.step_losses["loss"]) == 20


def test_each_steps_own_loss_is_taken_out_of_the_running_mean(model, history):
    rng = np.random.default_rng(0)
    sizes = [8, 8, 3, 8, 1]
    batches = [
        (
            rng.normal(size=(size, 3)).astype("float32"),
            rng.normal(size=(size, 1)).astype("float32"),
        )
        for size in sizes
    ]
    dataset = tf.data.Dataset.from_generator(
        lambda: iter(batches),
        output_signature=(
            tf.TensorSpec((None, 3)),
            tf.TensorSpec((None, 1)),
        ),
    ).apply(tf.data.experimental.assert_cardinality(5))
    each = EachLoss(batches)
    model.fit(
        dataset,
        epochs=2,
        shuffle=False,
        verbose=0,
        callbacks=[each, OneCycle(0.1), history],
    )
    steps = history.step_losses
    np.testing.assert_allclose(steps["loss"], each.losses, rtol=1e-5)
    np.testing.assert_allclose(steps["epoch"], np.arange(1, 11) / 5)
    assert steps["learning_rate"][-1] == pytest.approx(0.1 / 25 / 1e4)
    assert steps["learning_rate"].argmax() == 2  # 0.3 * 10 - 1


def test_class_weights_are_in_the_loss_as_keras_has_them(history):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2, activation="softmax")]
    )
    model.compile(optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, 2)).astype("float32")
    y = np.array([0, 1] * 5)
    weight = {0: 1.0, 1: 5.0}
    model.fit(
        x,
        y,
        batch_size=4,
        shuffle=False,
        class_weight=weight,
        verbose=0,
        callbacks=[history],
    )
    each = -np.log(model.predict(x, verbose=0)[np.arange(10), y])
    each = each * [weight[label] for label in y]
    expected = [each[:4].mean(), each[4:8].mean(), each[8:].mean()]
    np.testing.assert_allclose(history.step_losses["loss"], expected, rtol=1e-5)


def test_a_block_is_one_point(compiled, fit, history):
    model = compiled(optimizers.SGD(0.0), steps_per_execution=4)
    singles = RunHistory(history.path)
    fit(compiled(optimizers.SGD(0.0)), singles)
    fit(model, history)
    found = history.step_losses
    one = singles.step_losses["loss"]
    np.testing.assert_allclose(found["epoch"], [0.4, 0.8, 1.0])
    np.testing.assert_allclose(
        found["loss"],
        [one[:4].mean(), one[4:8].mean(), one[8:].mean()],
        rtol=1e-5,
    )


def test_a_long_run_is_thinned_by_averaging_pairs(history, model, fit):
    """3000 steps are 750 points of four, weighted by their examples."""
    fit(model, history, batch_size=1, epochs=2)
    history.on_train_begin()
    rng = np.random.default_rng(0)
    losses = rng.normal(size=3001)
    sizes = rng.integers(1, 9, size=3001).astype(float)
    for i in range(3001):
        history._add((i + 1) / 3001, losses[i] * sizes[i], sizes[i], i)
    steps = history.step_losses
    assert len(steps["loss"]) == 751
    expected = (losses * sizes)[:3000].reshape(-1, 4).sum(1)
    expected /= sizes[:3000].reshape(-1, 4).sum(1)
    np.testing.assert_allclose(steps["loss"][:-1], expected, rtol=1e-9)
    assert steps["loss"][-1] == losses[-1]
    assert steps["learning_rate"][:3].tolist() == [3, 7, 11]
    assert steps["epoch"][:3].tolist() == [4 / 3001, 8 / 3001, 12 / 3001]
    assert steps["epoch"][-2:].tolist() == [3000 / 3001, 1.0]
    for i in range(100_000):
        history._add(i, 1.0, 1.0, 0.0)
        assert len(history._epochs) <= 1024


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_without_a_number_of_steps_there_are_rows_but_no_points(
    model, points, history
):
    x, y = points
    dataset = tf.data.Dataset.from_generator(
        lambda: iter([(x, y)] * 3),
        output_signature=(
            tf.TensorSpec((None, 3)),
            tf.TensorSpec((None, 1)),
        ),
    )
    model.fit(dataset, shuffle=False, verbose=0, callbacks=[history])
    assert len(history.rows) == 1
    assert [len(values) for values in history.step_losses.values()] == [0] * 3


def test_steps_are_written_as_they_are(model, fit, history, tmp_path):
    fit(model, OneCycle(0.1), history, epochs=2)
    history.write_step_losses(tmp_path / "steps.csv")
    rows = read(tmp_path / "steps.csv")
    steps = history.step_losses
    assert list(rows[0]) == ["epoch", "loss", "learning_rate"]
    for name, values in steps.items():
        assert [float(row[name]) for row in rows] == values.tolist()
    assert len(rows) > 2


def test_its_state_is_plain(model, fit, history):
    fit(model, history, epochs=2)
    state = history.get_state()
    arrays = {k for k, v in state.items() if isinstance(v, np.ndarray)}
    assert arrays == {"epochs", "sums", "counts", "rates"}
    plain = {k: v for k, v in state.items() if k not in arrays}
    assert json.loads(json.dumps(plain)) == plain


def test_set_state_puts_the_rows_back_into_the_file(
    model, fit, history, tmp_path
):
    fit(model, history, epochs=2)
    before = history.path.read_text()
    state = history.get_state()
    # Killed after a third row was written and before the checkpoint was.
    history.path.write_text(before + "2,0.1\n")
    again = RunHistory(history.path)
    again.set_state(state)
    assert history.path.read_text() == before
    # An empty one leaves alone what it finds.
    again.set_state(RunHistory(history.path).get_state())
    assert history.path.read_text() == before
