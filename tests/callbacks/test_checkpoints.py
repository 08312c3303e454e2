import logging

import keras
import numpy as np
import pytest

from kerassent.callbacks.checkpoints import Checkpoints
from kerassent.callbacks.one_cycle import OneCycle
from kerassent.optimizers import LayerDecayAdamW
from kerassent.token_batches import (
    TokenBatches,
    TokenizedReviews,
    token_dataset,
)

EPOCHS, STEPS = 3, 7


class Killed(Exception):
    """Ends a `fit` as abruptly as can be done within a process."""


class KillAt(keras.callbacks.Callback):
    def __init__(self, moment):
        super().__init__()
        self._left = {moment[0]: moment[1]}

    def _tick(self, event):
        if event in self._left:
            self._left[event] -= 1
            if self._left[event] < 0:
                raise Killed

    def on_train_batch_begin(self, batch, logs=None):
        self._tick("step begins")

    def on_train_batch_end(self, batch, logs=None):
        self._tick("step ends")

    def on_test_batch_begin(self, batch, logs=None):
        self._tick("validation")

    def on_epoch_end(self, epoch, logs=None):
        self._tick("epoch ends")


class Watch(keras.callbacks.Callback):
    """Remembers what was really made, and has a state of its own."""

    def __init__(self):
        super().__init__()
        self.logs = []
        self.sums = np.zeros(2)

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append((batch, dict(logs)))

    def on_epoch_end(self, epoch, logs=None):
        self.sums = self.sums + [epoch, logs["val_loss"]]

    def get_state(self):
        return {"sums": self.sums, "count": len(self.logs)}

    def set_state(self, state):
        self.sums = state["sums"]
        self.count_before = state["count"]


def small_model():
    """With dropout, and quick to trace."""
    keras.utils.set_random_seed(3)
    inputs = {
        name: keras.Input([None], dtype="int32", name=name)
        for name in ("token_ids", "padding_mask")
    }
    x = keras.layers.Embedding(64, 8)(inputs["token_ids"])
    x = keras.layers.GlobalAveragePooling1D()(x, mask=inputs["padding_mask"])
    x = keras.layers.Dropout(0.3)(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    model.compile(
        LayerDecayAdamW(
            layer_decay=1.0,
            global_clipnorm=1.0,
            use_ema=True,
            ema_momentum=0.9,
            gradient_accumulation_steps=2,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


@pytest.fixture(scope="module")
def batches(make_classifier, easy_reviews):
    """Seven to an epoch, which two do not divide."""
    preprocessor = make_classifier().preprocessor
    batches = TokenBatches(
        TokenizedReviews.of(easy_reviews, preprocessor),
        easy_reviews.label_ids,
        preprocessor,
        batch_size=24,
        max_tokens=None,
        shuffle=True,
        seed=5,
    )
    assert len(batches) == STEPS
    return batches


def fit(batches, directory, moment=("never", 0), **options):
    """One process's part of a run; returns the model and what it saw."""
    model = small_model()
    checkpoints = Checkpoints(directory, **options)
    model.test_on_batch(*next(batches.epoch(0)))
    watch = Watch()
    callbacks = [OneCycle(1e-2), watch, KillAt(moment)]
    checkpoints.set_callbacks(callbacks)
    history = keras.callbacks.History()
    try:
        history = model.fit(
            token_dataset(batches, lambda: checkpoints.position),
            validation_data=token_dataset(batches, lambda: (0, 0)),
            epochs=EPOCHS,
            initial_epoch=checkpoints.initial_epoch,
            callbacks=[*callbacks, checkpoints],
            shuffle=False,
            verbose=0,
        )
    except Killed:
        pass
    return model, watch, history.history


@pytest.fixture(scope="module")
def whole(batches, tmp_path_factory):
    """A run that nothing happened to."""
    directory = tmp_path_factory.mktemp("whole")
    return fit(batches, directory)


def assert_same(one, other):
    for mine, theirs in zip(
        [*one.variables, *one.optimizer.variables],
        [*other.variables, *other.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy(), mine.path)


@pytest.mark.parametrize(
    "moment",
    [
        ("step begins", 0),
        ("step begins", 5),
        ("step ends", 6),
        ("validation", 2),
        ("epoch ends", 0),
        ("step begins", 7),
        ("step ends", 10),
        ("epoch ends", 2),
        ("validation", 8),
    ],
    ids=lambda moment: f"{moment[0]} {moment[1]}",
)
def test_a_run_that_was_killed_ends_as_one_that_was_not(
    moment, whole, batches, tmp_path
):
    # Every step for the last: then all of an epoch is passed over.
    every = 1 if moment == ("validation", 8) else 2
    fit(batches, tmp_path, moment, every_steps=every)
    again, watch, history = fit(batches, tmp_path)
    assert_same(again, whole[0])
    np.testing.assert_array_equal(watch.sums, whole[1].sums)
    # Of the epochs that it saw, figures and rates are the same.
    for name, values in whole[2].items():
        assert history[name] == values[EPOCHS - len(history[name]) :]


def test_two_kills_in_one_epoch(whole, batches, tmp_path):
    for steps in (9, 4):
        fit(
            batches,
            tmp_path,
            ("step ends", steps),
            every_steps=1,
        )
    again, _, _ = fit(batches, tmp_path)
    assert_same(again, whole[0])


def test_the_steps_made_are_passed_over_with_what_they_came_to(
    whole, batches, tmp_path
):
    fit(
        batches,
        tmp_path,
        ("step ends", STEPS + 4),
        every_steps=3,
    )
    _, watch, _ = fit(batches, tmp_path)
    assert watch.count_before == STEPS + 3
    expected = [log for _, log in whole[1].logs]
    received = [log for _, log in watch.logs]
    assert [batch for batch, _ in watch.logs] == [*range(STEPS)] * 2
    assert received[3:] == expected[STEPS + 3 :]
    for log in received[:3]:
        assert log["loss"] == expected[STEPS + 2]["loss"]
        assert log["accuracy"] == expected[STEPS + 2]["accuracy"]


def test_the_last_two_are_kept(batches, tmp_path):
    fit(
        batches,
        tmp_path / "new",
        ("step ends", 9),
        every_steps=2,
    )
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["step-000000007.npz", "step-000000009.npz"]


def test_time_alone_makes_checkpoints_too(batches, tmp_path):
    fit(
        batches,
        tmp_path,
        ("step ends", 3),
        every_seconds=1e-9,
    )
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["step-000000002.npz", "step-000000003.npz"]


def test_a_damaged_checkpoint_is_passed_by_and_it_says_so(
    whole, batches, tmp_path, caplog
):
    caplog.set_level(logging.INFO, "kerassent")
    fit(
        batches,
        tmp_path,
        ("step ends", 9),
        every_steps=2,
    )
    newest = tmp_path / "step-000000009.npz"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    again, _, _ = fit(batches, tmp_path)
    assert_same(again, whole[0])
    assert "step-000000009.npz cannot be read: the CRC-32 of " in caplog.text
    assert "Trying the one before it" in caplog.text
    assert (
        "Going on from step-000000007.npz: epoch 2, 0 batches done"
        in caplog.text
    )


def test_where_none_can_be_read_it_is_an_error(tmp_path):
    (tmp_path / "step-000000004.npz").write_bytes(b"PK")
    (tmp_path / "step-000000008.npz").write_bytes(b"")
    with pytest.raises(
        ValueError, match="None of the checkpoints in .* can be"
    ):
        Checkpoints(tmp_path)
    # They are the user's to remove.
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_kill_left_half_written_is_removed(tmp_path):
    (tmp_path / "step-000000004.npz.writing").write_bytes(b"PK")
    assert Checkpoints(tmp_path).initial_epoch == 0
    assert list(tmp_path.iterdir()) == []


def test_another_model_is_refused(batches, tmp_path):
    fit(batches, tmp_path, ("epoch ends", 1))
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    checkpoints = Checkpoints(tmp_path)
    checkpoints.set_callbacks([])
    with pytest.raises(ValueError, match="is of another model or another opt"):
        model.fit(
            np.ones([4, 2]),
            np.ones([4, 2]),
            epochs=2,
            initial_epoch=checkpoints.initial_epoch,
            callbacks=[checkpoints],
            verbose=0,
        )


def test_a_disk_without_room_is_refused_before_the_first_step(
    batches, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        "kerassent.callbacks.checkpoints.free_bytes", lambda path: 5_000
    )
    with pytest.raises(OSError, match="0.0 MB are free, and .* 3 checkpoints"):
        fit(batches, tmp_path)


def test_arguments_are_checked(tmp_path):
    with pytest.raises(ValueError, match="`every_steps` must be above 0. Rec"):
        Checkpoints(tmp_path, every_steps=0)
    with pytest.raises(ValueError, match="`every_seconds` must be above 0"):
        Checkpoints(tmp_path, every_seconds=-1.0)
