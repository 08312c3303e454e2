"""The learning-rate range test as one call that leaves no trace."""

import warnings
from collections.abc import Iterator
from typing import Any

from kerassent.callbacks.lr_finder import LRFinder, Mode
from kerassent.callbacks.momentum import inner_optimizer
from kerassent.lr_curve import LRCurve


def find_lr(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    batch_size: int | None = None,
    validation_data: Any = None,
    start_lr: float = 1e-7,
    end_lr: float = 1.0,
    num_steps: int = 100,
    mode: Mode = "exponential",
    smoothing: float = 0.9,
    stop_factor: float = 4.0,
    verbose: int | str = 0,
) -> LRCurve:
    """Returns the loss at each learning rate; leaves the model as it was.

    Weights, the optimizer's state and its rate, the states of metrics and seed
    generators are copied in memory and put back, also after an error or
    Ctrl-C. An optimizer that wasn't built is afterwards. A warning says if the
    curve carries no suggestion.

    Args:
        model: Any built and compiled Keras 3 model on the TensorFlow backend.
        x: What `model.fit` takes; repeated as often as needed, but for a
            generator, which must have a batch for each step.
        y: Labels, if `x` doesn't hold them.
        sample_weight: As in `model.fit`.
        class_weight: As in `model.fit`.
        batch_size: As in `model.fit`. The suggestion holds for this one.
        validation_data: As in `LRFinder`.
        start_lr: The first rate, above 0.
        end_lr: The last rate.
        num_steps: How many steps.
        mode: How the rate grows: `"exponential"` or `"linear"`.
        smoothing: The weight of the past in the smoothed loss.
        stop_factor: The test ends when the smoothed loss is so many times its
            best.
        verbose: As in `model.fit`.

    Returns:
        The curve; its `suggestion` is a `max_lr` for `OneCycle`.

    Raises:
        ValueError: The model isn't compiled or built, or an argument is out
            of range.
        TypeError: The optimizer has a schedule of its own.

    Example:
        ```python
        curve = find_lr(model, dataset)
        model.fit(dataset, callbacks=[OneCycle(max_lr=curve.suggestion)])
        ```
    """
    if getattr(model, "optimizer", None) is None:
        raise ValueError(
            "`model` must be compiled: call `model.compile()`. Received: "
            f"{type(model).__name__} without an optimizer"
        )
    finder = LRFinder(
        start_lr,
        end_lr,
        num_steps,
        mode=mode,
        smoothing=smoothing,
        stop_factor=stop_factor,
        validation_data=validation_data,
    )
    accumulated = inner_optimizer(model.optimizer).gradient_accumulation_steps
    # Keras would feed the first batches of an iterator again and again.
    epochs = 1 if isinstance(x, Iterator) else num_steps * (accumulated or 1)
    before = {
        name: getattr(model, name, None)
        for name in ("history", "stop_training")
    }
    if model.steps_per_execution > 1:
        # Steps of a block share their rate and report one loss. The functions
        # read this number when they are traced.
        for name, single in _ONE_STEP.items():
            before[name] = getattr(model, name)
            setattr(model, name, single)
    try:
        model.fit(
            x,
            y,
            sample_weight=sample_weight,
            class_weight=class_weight,
            batch_size=batch_size,
            epochs=epochs,
            callbacks=[finder],
            shuffle=y is not None,  # Keras warns where it cannot
            verbose=verbose,
        )
    finally:
        finder.restore()
        for name, value in before.items():
            setattr(model, name, value)
    curve = finder.curve
    if curve.doubt is not None:
        warnings.warn(f"No learning rate found: {curve.doubt}.", stacklevel=2)
    return curve


_ONE_STEP = {
    "steps_per_execution": 1,
    "train_function": None,
    "test_function": None,
}
