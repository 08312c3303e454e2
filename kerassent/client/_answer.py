"""A server's answer, checked before anything is made of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from kerassent.client._target import Target
from kerassent.client._transport import FloatArray, Outputs
from kerassent.contract import (
    CLASS_NAMES,
    LABEL,
    PREDICT_OUTPUTS,
    PROBABILITIES,
    SCORE,
    Prediction,
)
from kerassent.errors import ServingError, listed


@dataclass(frozen=True)
class Answer:
    """What a model says of some texts.

    Args:
        labels: A class name a text.
        scores: float32 `(num_texts,)`.
        probabilities: float32 `(num_texts, num_classes)`.
        class_names: The model's classes, in the order of `probabilities`.
    """

    labels: list[str]
    scores: FloatArray
    probabilities: FloatArray
    class_names: tuple[str, ...]

    def predictions(self) -> list[Prediction]:
        """Returns the answer text by text."""
        return [
            Prediction(
                label=label,
                score=score,
                probabilities=dict(
                    zip(self.class_names, probabilities, strict=True)
                ),
            )
            for label, score, probabilities in zip(
                self.labels,
                self.scores.tolist(),
                self.probabilities.tolist(),
                strict=True,
            )
        ]


def check_output_names(received: Iterable[str], target: Target) -> None:
    """Refuses the answer of a model that kerassent did not export.

    Raises:
        ServingError: One of `contract.PREDICT_OUTPUTS` is missing.
    """
    names = sorted(received)
    if not set(PREDICT_OUTPUTS).issubset(names):
        raise target.error(
            ServingError,
            f"The model {target} at {target.address} is not one that "
            f"`kerassent export` wrote. Its outputs are {listed(names)}; "
            f"expected {listed(PREDICT_OUTPUTS)}. Check `model_name`.",
        )


def checked_answer(
    outputs: Outputs, *, num_texts: int, target: Target
) -> Answer:
    """Returns the outputs as an Answer.

    Args:
        outputs: The four outputs of `contract.PREDICT_OUTPUTS`.
        num_texts: How many texts were sent.
        target: Whom they were sent to.

    Raises:
        ServingError: The shapes don't fit each other or the texts, or the
            class names are not the same for all texts.
    """
    shapes = {name: outputs[name].shape for name in PREDICT_OUTPUTS}
    num_classes = shapes[PROBABILITIES][-1] if shapes[PROBABILITIES] else 0
    per_text = (num_texts,)
    per_class = (num_texts, num_classes)
    expected = {
        LABEL: per_text,
        SCORE: per_text,
        PROBABILITIES: per_class,
        CLASS_NAMES: per_class,
    }
    if shapes != expected or not num_classes:
        raise target.error(
            ServingError,
            f"The model {target} at {target.address} gave outputs of the "
            f"shapes {shapes} for {num_texts} texts. Expected `{LABEL}` and "
            f"`{SCORE}` ({num_texts},), `{PROBABILITIES}` and "
            f"`{CLASS_NAMES}` ({num_texts}, num_classes). Export it again "
            "with `kerassent export`.",
        )
    class_names = tuple(outputs[CLASS_NAMES][0].tolist())
    same_for_all = (outputs[CLASS_NAMES] == outputs[CLASS_NAMES][0]).all()
    if not same_for_all or len(set(class_names)) != num_classes:
        raise target.error(
            ServingError,
            f"The model {target} at {target.address} gave class names that "
            f"repeat or differ between texts: {listed(class_names)} for the "
            "first. Export it again with `kerassent export`.",
        )
    return Answer(
        labels=outputs[LABEL].tolist(),
        scores=outputs[SCORE],
        probabilities=outputs[PROBABILITIES],
        class_names=class_names,
    )
