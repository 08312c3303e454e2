"""Everything that a step of training changes in a model, kept in memory."""

from typing import Any

from kerassent.replicas import assign, read


class ModelState:
    """A copy of a model's variables and its optimizer's, to be put back.

    Weights, the states of seed generators and metrics, and all that the
    optimizer has: moments, iterations, learning rate, accumulated gradients. An
    optimizer that isn't built is built first.

    Args:
        model: A built and compiled model.

    Raises:
        ValueError: The model isn't built, so there is nothing to keep yet.
    """

    def __init__(self, model: Any) -> None:
        if not model.built:
            raise ValueError(
                "The model isn't built, so it could not be put back as it was. "
                "Call it on a batch first, or begin it with a `keras.Input`."
            )
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        self._model = model
        self._values = [
            (variable, read(variable)) for variable in training_variables(model)
        ]

    def restore(self) -> None:
        """Puts every value back."""
        self._model.reset_metrics()  # those that were not built yet
        for variable, value in self._values:
            assign(variable, value)


def training_variables(model: Any) -> list[Any]:
    """Returns every variable that a step of training changes, once.

    Args:
        model: A compiled model whose optimizer is built.
    """
    every = [
        *model.variables,
        *model.metrics_variables,
        *model.optimizer.variables,
    ]
    return list({id(variable): variable for variable in every}.values())
