"""A server's answer, checked before anything is made of it."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kerassent.client._target import Target
from kerassent.client._transport import Classes, FloatArray, Outputs
from kerassent.contract import (
    ATTRIBUTIONS,
    CLASS_NAMES,
    CLASSES,
    COMPLETENESS_ERROR,
    ENDS,
    LABEL,
    PROBABILITIES,
    SCORE,
    SCORES,
    STARTS,
    WORDS,
    Explanation,
    Prediction,
    Word,
)
from kerassent.errors import ServingError, listed

# How far from 1 the probabilities of a model that is not ours may sum up: what
# bfloat16 loses.
_SUM_TOLERANCE: Final = 2e-2


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


def checked_answer(
    outputs: Outputs, *, num_texts: int, target: Target
) -> Answer:
    """Returns the outputs of any classifier of texts as an Answer.

    Ours have all that an Answer has. Of others, `probabilities` may be
    `scores`, as in TensorFlow's own classifiers, or the only output of that
    shape if its rows are probabilities; `class_names` may be `classes`, and
    are "0", "1", ... where there are none; a `label` that is missing is the
    class with the highest probability.

    Args:
        outputs: What the model gave.
        num_texts: How many texts were sent.
        target: Whom they were sent to.

    Raises:
        ServingError: There are no probabilities, the shapes don't fit each
            other or the texts, or the class names are not the same for all
            texts.
    """
    probabilities = _probabilities(outputs, num_texts, target)
    per_class = (num_texts, probabilities.shape[-1])
    names = outputs.get(CLASS_NAMES, outputs.get(CLASSES))
    if names is None:
        numbers = np.array([str(index) for index in range(per_class[-1])])
        names = np.broadcast_to(numbers.astype(object), per_class)
    best = probabilities.argmax(axis=-1) if probabilities.size else None
    rows = np.arange(num_texts)
    labels = outputs.get(LABEL)
    scores = outputs.get(SCORE)
    found = {PROBABILITIES: probabilities, CLASS_NAMES: names}
    found |= {} if labels is None else {LABEL: labels}
    found |= {} if scores is None else {SCORE: scores}
    expected = {
        LABEL: (num_texts,),
        SCORE: (num_texts,),
        PROBABILITIES: per_class,
        CLASS_NAMES: per_class,
    }
    shapes = {name: array.shape for name, array in found.items()}
    if best is None or any(
        shape != expected[name] for name, shape in shapes.items()
    ):
        raise target.error(
            ServingError,
            f"The model {target} at {target.address} gave outputs of the "
            f"shapes {shapes} for {num_texts} texts. Expected `{LABEL}` and "
            f"`{SCORE}` ({num_texts},), `{PROBABILITIES}` and "
            f"`{CLASS_NAMES}` ({num_texts}, num_classes). Export it again "
            "with `kerassent export`.",
        )
    class_names = tuple(names[0].tolist())
    if not (names == names[0]).all() or len(set(class_names)) != per_class[-1]:
        raise target.error(
            ServingError,
            f"The model {target} at {target.address} gave class names that "
            f"repeat or differ between texts: {listed(class_names)} for the "
            "first. Export it again with `kerassent export`.",
        )
    return Answer(
        labels=(names[rows, best] if labels is None else labels).tolist(),
        scores=probabilities[rows, best] if scores is None else scores,
        probabilities=probabilities,
        class_names=class_names,
    )


def _probabilities(
    outputs: Outputs, num_texts: int, target: Target
) -> FloatArray:
    for name in (PROBABILITIES, SCORES):
        if name in outputs and outputs[name].dtype.kind in "fi":
            return np.atleast_1d(outputs[name]).astype(np.float32)
    likely = [
        array
        for array in outputs.values()
        if array.dtype.kind == "f"
        and array.ndim == 2
        and array.shape[0] == num_texts
        and array.shape[1] > 1
    ]
    if len(likely) == 1 and _are_probabilities(likely[0]):
        return likely[0].astype(np.float32)
    given = ", ".join(
        f"'{name}' {array.dtype} {array.shape}"
        for name, array in sorted(outputs.items())
    )
    raise target.error(
        ServingError,
        f"The model {target} at {target.address} gives no probabilities. Its "
        f"outputs are {given or 'none'}; expected `{PROBABILITIES}` "
        f"({num_texts}, num_classes), as `kerassent export` writes them. "
        "Check `model_name` and `signature_name`, or ask for "
        "`Client.outputs(texts)`, which takes them as they are.",
    )


def _are_probabilities(array: npt.NDArray[Any]) -> bool:
    sums = array.astype(np.float64).sum(axis=1)
    return bool((array >= 0).all() and (abs(sums - 1) <= _SUM_TOLERANCE).all())


def checked_classes(
    classes: Classes, *, num_texts: int, target: Target
) -> list[Prediction]:
    """Returns what the Classify API gave as predictions.

    Raises:
        ServingError: It is not a class or more for each text.
    """
    if len(classes) != num_texts or not all(classes):
        raise target.error(
            ServingError,
            f"The model {target} at {target.address} classified "
            f"{len(classes)} texts of {num_texts}, or gave some no class. "
            "Check `signature_name`.",
        )
    predictions = []
    for row in classes:
        # A model may have no class names; gRPC has "" then.
        named = [
            (label or str(index), score)
            for index, (label, score) in enumerate(row)
        ]
        label, score = max(named, key=lambda entry: entry[1])
        predictions.append(Prediction(label, score, dict(named)))
    return predictions


def checked_explanations(
    outputs: Outputs, *, num_texts: int, target: Target
) -> list[Explanation]:
    """Returns the outputs of the `explain` signature as explanations.

    Raises:
        ServingError: An output is missing, or has another shape or type.
    """
    kinds = {WORDS: "O", STARTS: "i", ENDS: "i", ATTRIBUTIONS: "f"}
    shape = outputs[WORDS].shape if WORDS in outputs else (num_texts, -1)
    expected = {name: (kind, shape) for name, kind in kinds.items()}
    expected[LABEL] = ("O", (num_texts,))
    expected[SCORE] = expected[COMPLETENESS_ERROR] = ("f", (num_texts,))
    wrong = [
        name
        for name, (kind, shape) in expected.items()
        if name not in outputs
        or outputs[name].shape != shape
        or (outputs[name].size and outputs[name].dtype.kind != kind)
    ]
    if wrong or len(shape) != 2 or shape[0] != num_texts:
        raise target.error(
            ServingError,
            f"The model {target} at {target.address} explains nothing: of "
            f"the outputs {listed(expected, 7)} it lacks, or gives in "
            f"another shape, {listed(wrong, 7) or WORDS!r}. Export it with "
            "`kerassent export`, or check `signature_name`.",
        )
    columns = {name: outputs[name].tolist() for name in expected}
    return [
        Explanation(
            label=columns[LABEL][row],
            score=columns[SCORE][row],
            words=tuple(
                Word(*word)
                for word in zip(
                    columns[WORDS][row],
                    columns[STARTS][row],
                    columns[ENDS][row],
                    columns[ATTRIBUTIONS][row],
                    strict=True,
                )
                if word[1] >= 0  # the rest is padding
            ),
            completeness_error=columns[COMPLETENESS_ERROR][row],
        )
        for row in range(num_texts)
    ]


def as_it_is(outputs: Outputs, *, num_texts: int, target: Target) -> Outputs:
    """Returns the outputs of any model.

    Raises:
        ServingError: One of them has not a row for each text.
    """
    for name, array in outputs.items():
        if array.shape[:1] != (num_texts,):
            raise target.error(
                ServingError,
                f"The model {target} at {target.address} gave the output "
                f"'{name}' in the shape {array.shape} for {num_texts} texts. "
                f"Expected a row for each text: ({num_texts}, ...).",
            )
    return outputs


def joined(parts: list[Outputs], *, target: Target) -> dict[str, Any]:
    """Returns the outputs of several requests as those of one.

    Raises:
        ServingError: Their names or their shapes differ.
    """
    try:
        return {
            name: np.concatenate([part[name] for part in parts])
            for name in dict.fromkeys(name for part in parts for name in part)
        }
    except (KeyError, ValueError) as error:
        raise target.error(
            ServingError,
            f"The model {target} at {target.address} gave outputs that are "
            f"no rows of one array ({error}). Pass so few texts at once that "
            "one request takes them.",
        ) from error
