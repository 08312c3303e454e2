import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import optimizers

from kerassent.callbacks.one_cycle import OneCycle
from kerassent.schedules import one_cycle, one_cycle_momentum


def cycle(total_steps, max_lr=0.1):
    return [
        one_cycle(s, total_steps, max_lr=max_lr) for s in range(total_steps)
    ]


def momenta(total_steps):
    return [one_cycle_momentum(s, total_steps) for s in range(total_steps)]


@pytest.fixture(scope="module")
def model(compiled):
    return compiled(optimizers.Adam(0.1))


def test_each_step_gets_its_rate_and_momentum(model, fit, recorder):
    history = fit(model, OneCycle(0.1), recorder, epochs=2).history
    assert recorder.of("learning_rate") == cycle(20)
    assert recorder.of("momentum") == recorder.shown == momenta(20)
    assert history["learning_rate"] == [cycle(20)[9], cycle(20)[19]]
    assert history["momentum"] == [momenta(20)[9], momenta(20)[19]]
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1 / 25 / 1e4)


def test_a_second_fit_is_a_new_cycle(model, fit, recorder):
    fit(model, callback := OneCycle(0.1), epochs=2)
    fit(model, callback, recorder, epochs=3)
    assert recorder.of("learning_rate") == cycle(30)


def test_initial_epoch_goes_on_in_the_cycle(model, fit, recorder):
    fit(model, OneCycle(0.1), recorder, epochs=4, initial_epoch=2)
    assert recorder.of("learning_rate") == cycle(40)[20:]
    assert recorder.of("momentum") == momenta(40)[20:]


def test_the_steps_of_a_block_share_the_firsts(compiled, fit, recorder):
    model = compiled(optimizers.Adam(0.1), steps_per_execution=4)
    fit(model, OneCycle(0.1), recorder, epochs=2)
    # Ten steps an epoch are blocks of 4, 4 and 2.
    firsts = [0, 4, 8, 10, 14, 18]
    assert recorder.of("learning_rate") == [cycle(20)[s] for s in firsts]
    assert recorder.of("momentum") == [momenta(20)[s] for s in firsts]


def test_with_gradient_accumulation_a_step_is_an_update(
    compiled, fit, recorder
):
    model = compiled(optimizers.Adam(0.1, gradient_accumulation_steps=4))
    callback = OneCycle(0.1)
    fit(model, callback, recorder, epochs=2)
    # 20 batches make 5 updates; the third one spans both epochs.
    assert callback.total_steps == 5
    assert recorder.of("learning_rate") == list(np.repeat(cycle(5), 4))
    fit(model, callback, resumed := type(recorder)(), epochs=2, initial_epoch=1)
    expected = list(np.repeat(cycle(5), 4)[8:18])
    assert resumed.of("learning_rate") == expected


def test_the_rate_moves_the_weights():
    """SGD on a constant gradient moves by the sum of the rates."""
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False)]
    )
    model.compile(
        optimizers.SGD(1.0), lambda y_true, y_pred: tf.reduce_mean(y_pred)
    )
    before = float(model.get_weights()[0][0, 0])
    x = np.ones((10, 1), np.float32)
    callback = OneCycle(0.5, cycle_momentum=False)
    model.fit(x, x, batch_size=1, verbose=0, callbacks=[callback])
    moved = before - float(model.get_weights()[0][0, 0])
    assert moved == pytest.approx(sum(cycle(10, 0.5)), rel=1e-5)


def test_the_momentum_moves_the_weights():
    """SGD's velocity on a constant gradient, step by step by hand."""
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False)]
    )
    model.compile(
        optimizers.SGD(1.0, momentum=0.9),
        lambda y_true, y_pred: tf.reduce_mean(y_pred),
    )
    before = float(model.get_weights()[0][0, 0])
    x = np.ones((10, 1), np.float32)
    model.fit(x, x, batch_size=1, verbose=0, callbacks=[OneCycle(0.5)])
    velocity, moved = 0.0, 0.0
    for rate, momentum in zip(cycle(10, 0.5), momenta(10), strict=True):
        velocity = momentum * velocity - rate
        moved += velocity
    after = float(model.get_weights()[0][0, 0])
    assert after - before == pytest.approx(moved, rel=1e-5)


def test_the_progress_bar_and_a_later_csv_show_both(
    model, fit, tmp_path, capsys
):
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    fit(model, OneCycle(0.1), log, verbose=2)
    shown = capsys.readouterr().out
    assert "learning_rate: " in shown
    assert "momentum: 0.95" in shown
    names, values = (tmp_path / "log.csv").read_text().splitlines()
    row = dict(zip(names.split(","), values.split(","), strict=True))
    assert float(row["learning_rate"]) == cycle(10)[-1]
    assert float(row["momentum"]) == momenta(10)[-1]


KILLED = """
import os, signal, sys
import keras, numpy as np
from kerassent import OneCycle

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.1), "mse")
backups, log, kill_at = sys.argv[1], open(sys.argv[2], "a"), int(sys.argv[3])

class Record(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
    def on_train_batch_end(self, batch, logs=None):
        shown = float(self.model.optimizer.beta_1)
        rate = float(self.model.optimizer.learning_rate)
        print(self.epoch, batch, rate, shown, file=log, flush=True)
        if 5 * self.epoch + batch == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

x = np.arange(20.0).reshape(10, 2)
model.fit(
    x, x[:, :1], batch_size=2, epochs=6, shuffle=False, verbose=0,
    callbacks=[
        keras.callbacks.BackupAndRestore(backups, save_freq="epoch"),
        OneCycle(0.1),
        Record(),
    ],
)
"""


def test_a_killed_run_goes_on_step_by_step_as_if_it_was_not(tmp_path):
    log = tmp_path / "log.txt"

    def run(kill_at):
        return subprocess.run(
            [
                *(sys.executable, "-c", textwrap.dedent(KILLED)),
                *(str(tmp_path / "backups"), str(log), str(kill_at)),
            ],
            capture_output=True,
            text=True,
        )

    assert run(17).returncode == -9
    killed = [line.split() for line in log.read_text().splitlines()]
    assert [(int(e), int(b)) for e, b, *_ in killed] == [
        divmod(step, 5) for step in range(18)
    ]
    log.unlink()
    assert run(-1).returncode == 0
    resumed = [line.split() for line in log.read_text().splitlines()]
    assert resumed[0][:2] == ["3", "0"]  # the epoch that it was killed in
    every = killed[:15] + resumed
    assert len(every) == 30
    rates = [float(rate) for _, _, rate, _ in every]
    assert rates == pytest.approx(cycle(30), rel=1e-6)
    assert [float(shown) for *_, shown in every] == momenta(30)


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match="`max_lr` must be above 0 and .*: 0"):
        OneCycle(0)
    with pytest.raises(ValueError, match="`pct_start` must be from 0 to 1"):
        OneCycle(0.1, pct_start=30)
    with pytest.raises(ValueError, match="at most 0.5 with `three_phase`"):
        OneCycle(0.1, pct_start=0.6, three_phase=True)
    with pytest.raises(ValueError, match="'cos' or 'linear'. Received: 'exp'"):
        OneCycle(0.1, anneal="exp")
    with pytest.raises(
        ValueError, match="below 1. Received: base_momentum=0.9"
    ):
        OneCycle(0.1, base_momentum=0.9, max_momentum=0.8)


def test_an_optimizer_that_cannot_be_driven_is_refused(compiled, fit):
    schedule = optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    for refused in (optimizers.Adam(schedule), optimizers.Adam(lambda: 0.1)):
        with pytest.raises(TypeError, match="learning rate is a schedule"):
            fit(compiled(refused), OneCycle(0.1))
    several = optimizers.MultiOptimizer(
        optimizers.OptimizerMap(optimizers.Adam())
    )
    with pytest.raises(TypeError, match="MultiOptimizer has no learning rate"):
        fit(compiled(several), OneCycle(0.1))


def test_an_unknown_number_of_steps_is_refused(compiled):
    def rows():
        yield np.ones((8, 3), np.float32), np.ones((8, 1), np.float32)

    with pytest.raises(
        ValueError,
        match="OneCycle needs to know .* Pass `steps_per_epoch` to `fit`",
    ):
        compiled("adam").fit(
            rows(), verbose=0, callbacks=[OneCycle(0.1)], shuffle=False
        )
