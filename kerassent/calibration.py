"""A temperature that makes scores honest: fitted, and set where it counts."""

import json
import os
import pathlib
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from kerassent import contract
from kerassent.answers import Answers, ask
from kerassent.evaluation_parts import ReliabilityBin
from kerassent.prediction import Model, as_model
from kerassent.probability_figures import (
    expected_calibration_error,
    log_loss,
    reliability,
)
from kerassent.review_base import ReviewsBase, check_reviews
from kerassent.review_hash import hash_reviews
from kerassent.run_record import now, read_info, write_json

# Between these it is looked for. Fine-tuned classifiers have 1 to 3.
_LOWEST, _HIGHEST = 0.02, 50.0


@dataclass(frozen=True)
class Calibration:
    """What `calibrate` did.

    Args:
        temperature: What logits are divided by from now on.
        previous_temperature: What they were divided by before.
        num_reviews: How many reviews it was fitted to.
        log_loss_before: Of these reviews, in nats.
        log_loss_after: With the new temperature.
        calibration_error_before: The expected calibration error.
        calibration_error_after: With the new temperature.
        reliability_before: The reliability curve.
        reliability_after: With the new temperature.
    """

    temperature: float
    previous_temperature: float
    num_reviews: int
    log_loss_before: float
    log_loss_after: float
    calibration_error_before: float
    calibration_error_after: float
    reliability_before: tuple[ReliabilityBin, ...]
    reliability_after: tuple[ReliabilityBin, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns all of it as what JSON can hold."""
        return asdict(self)


def calibrate(
    model: Model | str | os.PathLike[str], reviews: ReviewsBase
) -> Calibration:
    """Fits a classifier's temperature, and sets it.

    The temperature is the one with the lowest log loss. Labels stay as they
    are; scores come nearer to what comes true, for which the calibration error
    is a rough measure that may also rise a little. A classifier in memory has
    it at once, a run directory when this returns, and what is exported from
    either too; an export that is there already stays as it is.

    Args:
        model: A `SentimentClassifier`, or the path of a run.
        reviews: Labelled reviews that the classifier was not trained on. For a
            run they may be what `train` was given: then the part that it held
            out for validation is taken, which is found by its hash.

    Raises:
        TypeError: `model` or `reviews` is something else.
        ValueError: `model` has no temperature that could be set, the run was
            trained on the reviews, or no temperature is best: all reviews are
            labelled rightly, or no better than by chance.

    Example:
        ```python
        calibrate(
            "runs/imdb",
            load_reviews("train.xlsx", text="Reviews", label="Sentiment"),
        )
        ```

    Reference:
        [Guo et al., 2017](https://arxiv.org/abs/1706.04599).
    """
    check_reviews(reviews)
    classifier: Any = as_model(model)
    run = None
    if isinstance(model, (str, os.PathLike)):
        run = pathlib.Path(model)
        reviews = held_out(run, reviews)
    previous = getattr(classifier, "temperature", None)
    if previous is None:
        raise ValueError(
            "`model` must be a `SentimentClassifier` or a run directory, whose "
            f"temperature can be set. Received: {type(classifier).__name__}. "
            "Calibrate the run, and export it again."
        )
    answers = ask(classifier, reviews)
    smallest = np.finfo(np.float32).tiny
    logits = previous * np.log(
        np.maximum(answers.probabilities, smallest, dtype=np.float64)
    )
    temperature = fit_temperature(logits, answers.y_true)
    warmed = replace(
        answers,
        probabilities=np.exp(log_softmax(logits / temperature, axis=1)),
    )
    found = _calibration(previous, temperature, answers, warmed)
    classifier.temperature = temperature
    if run is not None:
        _write_temperature(run, found, answers.data_sha256)
    return found


def fit_temperature(logits: np.ndarray, y_true: np.ndarray) -> float:
    """Returns the temperature with the lowest log loss.

    Args:
        logits: Float64 `(num_reviews, num_classes)`, but for a constant in
            each row; log probabilities will do.
        y_true: Each review's class, `(num_reviews,)`.

    Raises:
        ValueError: The lower, or the higher, the better, without end.
    """
    rows = np.arange(len(y_true))
    num_right = int(np.sum(logits.argmax(axis=1) == y_true))
    # The loss is convex in the inverse temperature; this is its slope at 0.
    slope = float(np.mean(logits.mean(axis=1) - logits[rows, y_true]))
    if num_right == len(y_true) or slope >= 0:
        why = (
            "they say nothing of mistakes"
            if slope < 0
            else "the model does no better than chance"
        )
        raise ValueError(
            f"No temperature is best for these reviews: {num_right:,} of "
            f"{len(y_true):,} are labelled rightly, so {why}. Pass more "
            "labelled reviews that the classifier was not trained on."
        )

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-scaled[rows, y_true].mean())

    result = minimize_scalar(
        loss,
        bounds=np.log([_LOWEST, _HIGHEST]),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(result.x))


def held_out(run: pathlib.Path, reviews: ReviewsBase) -> ReviewsBase:
    """Returns the reviews of these that a run was not trained on.

    Args:
        run: A run directory. If `train` did not write it, nothing is known.
        reviews: What `train` was given, the part it held out, or others.

    Raises:
        ValueError: The run was trained on them all.
    """
    if not (run / contract.TRAIN_INFO).is_file():
        return reviews
    info = read_info(run)
    hashes = info.get("sha256") or {}
    if hash_reviews(reviews) == hashes.get("train"):
        raise ValueError(
            f"{run} was trained on these reviews, of which its scores say too "
            "much. Pass reviews that it was not trained on."
        )
    whole = sum((info.get("num_reviews") or {}).values())
    if info.get("valid_size") and len(reviews) == whole:
        _, valid = reviews.split(
            test_size=info["valid_size"], seed=info.get("seed", 0)
        )
        if hash_reviews(valid) == hashes.get("valid"):
            return valid
    return reviews


def _calibration(
    previous: float, temperature: float, before: Answers, after: Answers
) -> Calibration:
    bins_before, bins_after = reliability(before), reliability(after)
    return Calibration(
        temperature=temperature,
        previous_temperature=float(previous),
        num_reviews=len(before.y_true),
        log_loss_before=log_loss(before),
        log_loss_after=log_loss(after),
        calibration_error_before=expected_calibration_error(bins_before),
        calibration_error_after=expected_calibration_error(bins_after),
        reliability_before=bins_before,
        reliability_after=bins_after,
    )


def _write_temperature(
    run: pathlib.Path, found: Calibration, data_sha256: str
) -> None:
    """Writes it into the classifier's config, then into the record."""
    task = run / contract.TASK_CONFIG
    saved = json.loads(task.read_text("utf-8"))
    saved["config"]["temperature"] = found.temperature
    write_json(task, saved)
    record = run / contract.TRAIN_INFO
    if record.is_file():
        figures = found.to_dict()
        for name in ("reliability_before", "reliability_after"):
            del figures[name]
        calibrated = figures | {"sha256": data_sha256, "finished": now()}
        write_json(record, read_info(run) | {"calibration": calibrated})
