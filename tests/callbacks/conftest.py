import keras
import numpy as np
import pytest


@pytest.fixture(scope="session")
def points():
    """80 rows of (x, y) that a small net can learn."""
    x = np.random.default_rng(0).normal(size=(80, 3)).astype("float32")
    return x, (x @ [[1.0], [2.0], [3.0]]).astype("float32")


@pytest.fixture(scope="session")
def compiled():
    """A function that makes a small net, always the same, and compiles it."""

    def compiled(optimizer, **kwargs):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((3,)),
                keras.layers.Dense(4, activation="tanh"),
                keras.layers.Dense(1),
            ]
        )
        model.compile(optimizer, "mse", **kwargs)
        return model

    return compiled


@pytest.fixture(scope="session")
def fit(points):
    """A function that runs `fit` on the points: ten steps an epoch."""

    def fit(model, *callbacks, **kwargs):
        kwargs = {"batch_size": 8, "shuffle": False, "verbose": 0} | kwargs
        return model.fit(*points, callbacks=list(callbacks), **kwargs)

    return fit


class Recorder(keras.callbacks.Callback):
    """Keeps each step's logs, and the momentum that the optimizer shows."""

    def __init__(self):
        super().__init__()
        self.logs = []
        self.shown = []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append(dict(logs))
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        name = "momentum" if hasattr(optimizer, "momentum") else "beta_1"
        self.shown.append(float(getattr(optimizer, name, "nan")))

    def of(self, name):
        return [logs[name] for logs in self.logs]


@pytest.fixture
def recorder():
    return Recorder()
