"""A momentum that can change while a traced step is running.

Keras 3 reads `beta_1` and `momentum` as Python floats when it traces the
training step, so assigning another float afterwards changes nothing, and says
nothing. Here the step is traced with a variable in the float's place. Nothing
that Keras tracks, saves or counts sees the variable.
"""

import sys
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

import keras
import tensorflow as tf


class CycledMomentum:
    """Drives the momentum of a model's optimizer during one `fit`.

    While it is in place `float(optimizer.beta_1)` (`optimizer.momentum` for
    SGD and RMSprop) is the value in force, and everything else sees the float
    that the optimizer was compiled with: `get_config`, saved models, `==`.

    `fit` tells no callback that it failed. So the variable holds the compiled
    float at all times but during a step of that `fit`: whatever is left behind
    by an exception computes as if nothing had ever been put in.

    Args:
        model: A compiled model.
        name: The attribute of its optimizer, as `momentum_name` found it.
    """

    def __init__(self, model: Any, name: str) -> None:
        optimizer = inner_optimizer(model.optimizer)
        left_behind = optimizer.__dict__[name]
        if isinstance(left_behind, _Momentum):
            left_behind.owner.remove()
        self.compiled = float(optimizer.__dict__[name])
        self._model = model
        self._optimizer = optimizer
        self._name = name
        self._value = self.compiled
        self._momentum = _Momentum(self.compiled, self)
        with model.distribute_strategy.scope():
            # float64, so that 1 - beta_1 is rounded as Python rounds it.
            self._variable = tf.Variable(
                self.compiled,
                trainable=False,
                dtype="float64",
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
        # Instance attributes in front of the class's own methods.
        optimizer.__dict__["apply"] = self._applying(optimizer.apply)
        optimizer.__dict__["get_config"] = self._config(optimizer.get_config)
        optimizer.__dict__[name] = self._momentum
        self._make = self._making(model.make_train_function)
        model.__dict__["make_train_function"] = self._make
        # A step traced before has the float in it.
        model.make_train_function(force=True)
        callbacks, frame = _running_fit()
        self._fit_id = id(frame)
        self._fit_code = frame and frame.f_code
        self._finalizer: Any = None
        if callbacks is not None:
            # After an exception the list goes away with its `fit`.
            self._finalizer = weakref.finalize(callbacks, self.remove)
            self._finalizer.atexit = False

    @property
    def value(self) -> float:
        """The value in force: the compiled one when `fit` is over."""
        return self._value if self._is_running() else self.compiled

    @value.setter
    def value(self, value: float) -> None:
        self._value = value

    def remove(self) -> None:
        """Puts the float back. Calling it again does no harm."""
        self._value = self.compiled
        if self._finalizer is not None:
            self._finalizer.detach()
        attributes = self._optimizer.__dict__
        if attributes.get(self._name) is self._momentum:
            attributes[self._name] = self.compiled
            del attributes["apply"], attributes["get_config"]
        attributes = self._model.__dict__
        if attributes.get("make_train_function") is self._make:
            del attributes["make_train_function"]

    def _making(self, make: Callable[..., None]) -> Callable[..., None]:
        """Returns what makes the step, also when it is to be traced anew."""

        def make_with_momentum(force: bool = False) -> None:
            made_before = self._model.train_function
            make(force=force)
            made = self._model.train_function
            if made is not made_before:
                self._model.train_function = self._stepping(made)

        return make_with_momentum

    def _stepping(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def step_with_momentum(iterator: Any) -> Any:
            try:
                self._variable.assign(self.value)
                return step(iterator)
            finally:
                self._variable.assign(self.compiled)

        return step_with_momentum

    def _applying(self, apply: Callable[..., Any]) -> Callable[..., Any]:
        attributes = self._optimizer.__dict__

        def apply_with_momentum(*args: Any, **kwargs: Any) -> Any:
            if attributes[self._name] is not self._momentum:
                return apply(*args, **kwargs)
            attributes[self._name] = _Tensor(
                tf.convert_to_tensor(self._variable), self.compiled
            )
            try:
                return apply(*args, **kwargs)
            finally:
                attributes[self._name] = self._momentum

        return apply_with_momentum

    def _config(self, get_config: Callable[[], Any]) -> Callable[[], Any]:
        def config_with_float() -> dict[str, Any]:
            config: dict[str, Any] = get_config()
            if config.get(self._name) is self._momentum:
                config[self._name] = self.compiled
            return config

        return config_with_float

    def _is_running(self) -> bool:
        """Whether the `fit` that this was made in is on the stack."""
        if self._fit_code is None:
            return True
        if self._finalizer is None or not self._finalizer.alive:
            return False
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            if id(frame) == self._fit_id and frame.f_code is self._fit_code:
                return True
            frame = frame.f_back
        return False


def inner_optimizer(optimizer: Any) -> Any:
    """Returns what does the updates: mixed precision wraps it.

    Args:
        optimizer: A compiled model's optimizer.
    """
    return getattr(optimizer, "inner_optimizer", optimizer)


def momentum_name(optimizer: Any) -> str | None:
    """Returns the attribute that is an optimizer's momentum, if it has one.

    Args:
        optimizer: A compiled model's optimizer. SGD and RMSprop have no slots
            for a momentum when they were made with `momentum=0`.
    """
    attributes = inner_optimizer(optimizer).__dict__
    for name in ("momentum", "beta_1"):
        value = attributes.get(name)
        if isinstance(value, float) and value > 0:
            return name
    return None


class _Momentum(float):
    """The compiled float; `float()` of it is the value in force."""

    owner: CycledMomentum

    def __new__(cls, compiled: float, owner: CycledMomentum) -> "_Momentum":
        self = super().__new__(cls, compiled)
        self.owner = owner
        return self

    def __float__(self) -> float:
        return self.owner.value

    def __repr__(self) -> str:
        return repr(self.owner.value)

    def __reduce__(self) -> Any:
        return float, (self.owner.compiled,)


class _Tensor:
    """A scalar tensor that compares as a float.

    SGD and RMSprop ask in Python whether there is a momentum at all, which a
    tensor of a traced step cannot answer. Arithmetic with Python numbers is
    done in float64, as Python would, and then rounded.
    """

    def __init__(self, tensor: Any, compiled: float) -> None:
        self._tensor = tensor
        self._compiled = compiled

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        return tf.cast(self._tensor, dtype or keras.config.floatx(), name)

    def _with(self, operation: Callable[[Any, Any], Any], other: Any) -> Any:
        if isinstance(other, int | float):
            return tf.cast(
                operation(self._tensor, tf.cast(other, "float64")),
                keras.config.floatx(),
            )
        return operation(tf.cast(self._tensor, other.dtype), other)

    def __add__(self, other: Any) -> Any:
        return self._with(lambda mine, its: mine + its, other)

    def __sub__(self, other: Any) -> Any:
        return self._with(lambda mine, its: mine - its, other)

    def __rsub__(self, other: Any) -> Any:
        return self._with(lambda mine, its: its - mine, other)

    def __mul__(self, other: Any) -> Any:
        return self._with(lambda mine, its: mine * its, other)

    def __truediv__(self, other: Any) -> Any:
        return self._with(lambda mine, its: mine / its, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with(lambda mine, its: its / mine, other)

    def __pow__(self, other: Any) -> Any:
        return self._with(lambda mine, its: mine**its, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return self._compiled == other

    def __lt__(self, other: float) -> bool:
        return self._compiled < other

    def __le__(self, other: float) -> bool:
        return self._compiled <= other

    def __gt__(self, other: float) -> bool:
        return self._compiled > other

    def __ge__(self, other: float) -> bool:
        return self._compiled >= other

    __hash__ = None  # type: ignore[assignment]  # as of a tensor


def _running_fit() -> tuple[Any, FrameType | None]:
    """Returns the callback list that is calling, and the frame of its `fit`."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, keras.callbacks.CallbackList):
            return caller, frame.f_back
        frame = frame.f_back
    return None, None
