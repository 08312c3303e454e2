import contextlib
import fcntl
import os
import re
import struct
import termios
import threading
import time

import keras
import numpy as np
import pytest
from keras import optimizers

from kerassent.callbacks.one_cycle import OneCycle
from kerassent.callbacks.progress_bar import ProgressBar
from kerassent.callbacks.throughput import Throughput


class Slow(keras.callbacks.Callback):
    """Lets Keras, which writes every 50 ms at most, write each step."""

    def on_train_batch_begin(self, batch, logs=None):
        time.sleep(0.06)


class Speed(Throughput):
    """As if it had been measured."""

    tokens_per_second = 4123.4
    seconds_left = 740.2


def tokens_of(epoch):
    return np.full(10, 300)


@contextlib.contextmanager
def terminal(columns):
    """A terminal as stdout; yields a function that says what was written."""
    ours, theirs = os.openpty()
    size = struct.pack("HHHH", 40, columns, 0, 0)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
    written = bytearray()

    def read():
        with contextlib.suppress(OSError):  # when the other end is closed
            while data := os.read(ours, 65536):
                written.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    with open(theirs, "w", encoding="utf-8") as file:
        with contextlib.redirect_stdout(file):
            yield lambda: (file.close(), reader.join(), written.decode())[2]
    os.close(ours)


def shown(text):
    """Returns the lines that are seen: no colours, nothing written over."""
    text = re.sub(r"\x1b\[\d*m|\x08", "", text)
    return [
        [part for part in line.split("\r") if part.strip()]
        for line in text.split("\n")
        if line.strip()
    ]


@pytest.fixture(scope="module")
def model(compiled):
    return compiled(optimizers.Adam(0.01), metrics=["accuracy"])


def run(model, fit, columns, **kwargs):
    speed = Speed(tokens_of)
    with terminal(columns) as text:
        fit(
            model,
            Slow(),
            speed,
            OneCycle(0.1),
            ProgressBar(speed),
            **{"verbose": 1} | kwargs,
        )
        return shown(text())


@pytest.mark.parametrize(
    "columns, names",
    [
        (60, ["loss"]),
        (80, ["loss", "left"]),
        (100, ["loss", "left", "tokens/s"]),
        (
            200,
            ["loss", "left", "tokens/s", "accuracy", "learning_rate"]
            + ["momentum"],
        ),
    ],
)
def test_a_step_shows_what_fits(columns, names, model, fit):
    [updates] = run(model, fit, columns)
    *steps, _ = updates
    assert steps[0].startswith(" 1/10 ━━━━━━━━━━━━━━━━━━━━ ")
    for step in steps:
        assert re.findall(r" - ([\w/]+):", step) == names
        assert len(step) <= columns
        assert "left: 12:20" in step or columns == 60
        assert "tokens/s: 4,123" in step or columns < 100
    assert "learning_rate: 0.0040" in steps[0] or columns < 200
    # When the epoch ends all is said, and may be longer.
    everything = ["loss", "left", "tokens/s", "accuracy", "learning_rate"]
    last = re.findall(r" - ([\w/]+):", updates[-1])
    assert sorted(last) == sorted([*everything, "momentum"])


def test_an_epoch_shows_its_validation(model, fit, points):
    first, updates = (
        run(model, fit, 200, epochs=1, validation_data=points),
        None,
    )
    [updates] = first
    assert re.search(r"val_accuracy: .* - val_loss: ", updates[-1])


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_a_line_never_outgrows_the_terminal(columns, model, fit):
    """The time left, unknown in the first step, has its place all along."""
    speed = Throughput(tokens_of)
    with terminal(columns) as text:
        fit(model, Slow(), speed, ProgressBar(speed), verbose=1)
        [updates] = shown(text())
    assert "left: ?" in updates[0]
    assert "left: 0:00" in updates[-1]
    assert max(map(len, updates[:-1])) <= columns


def test_without_a_terminal_nothing_is_left_out(model, fit, capsys):
    speed = Speed(tokens_of)
    fit(model, speed, OneCycle(0.1), ProgressBar(speed), verbose=1)
    out = capsys.readouterr().out
    assert " - left: 12:20 - tokens/s: 4,123 - accuracy: " in out


def test_a_line_an_epoch_has_it_too(model, fit, capsys):
    speed = Speed(tokens_of)
    fit(model, speed, ProgressBar(speed), verbose=2, epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert [lines[0], lines[2]] == ["Epoch 1/2", "Epoch 2/2"]
    assert re.fullmatch(
        r"10/10 - \ds - \d+ms/step - loss: [\d.]+ - left: 12:20 - "
        r"tokens/s: [\d,]+ - accuracy: 0.0000",
        lines[1],
    )


def test_silence_is_silent(model, fit, capsys):
    speed = Speed(tokens_of)
    fit(model, speed, ProgressBar(speed), verbose=0, epochs=2)
    assert capsys.readouterr().out == ""


def test_keras_adds_no_bar_of_its_own(model, fit, capsys):
    speed = Speed(tokens_of)
    fit(model, speed, ProgressBar(speed), verbose=2, epochs=2)
    assert capsys.readouterr().out.count("Epoch 1/2") == 1


@pytest.mark.parametrize(
    "seconds, text",
    [(0.4, "0:00"), (59.6, "1:00"), (3599.4, "59:59"), (36061.0, "10:01:01")],
)
def test_durations_read_as_a_clock_does(seconds, text, model, fit, capsys):
    speed = Speed(tokens_of)
    speed.__class__ = type("Other", (Speed,), {"seconds_left": seconds})
    fit(model, speed, ProgressBar(speed), verbose=2)
    assert f"left: {text} -" in capsys.readouterr().out


def test_the_history_keeps_plain_numbers(model, fit):
    speed = Speed(tokens_of)
    history = fit(model, speed, OneCycle(0.1), ProgressBar(speed), verbose=0)
    assert "left" not in history.history
    assert type(history.history["learning_rate"][0]) is float
    assert isinstance(history.model, keras.Model)
