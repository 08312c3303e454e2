"""The learning rate that `train` takes when it is told `max_lr="auto"`."""

import json
import logging
import os
import pathlib
import warnings
from typing import Any, Final

import keras

from kerassent.arguments import check_seed
from kerassent.batches import DEFAULT_BATCH_SIZE
from kerassent.callbacks.range_test import find_lr
from kerassent.classifier import SentimentClassifier
from kerassent.lr_curve import LRCurve
from kerassent.precision import PrecisionChoice, resolve_precision
from kerassent.presets import DEFAULT_PRESET
from kerassent.review_base import ReviewsBase
from kerassent.token_batches import in_turn, token_dataset
from kerassent.training_setup import (
    compile_for_training,
    has_html,
    training_batches,
)
from kerassent.whole_file import written_whole

# The range in which fine-tuning goes from learning nothing to diverging.
_START_LR, _END_LR = 1e-6, 1e-2
FIND_LR_STEPS: Final = 60
# Where nothing can be found: the upper end of what BERT's authors tried.
UNFOUND_MAX_LR: Final = 5e-5

_log = logging.getLogger("kerassent")


def look_for_lr(
    reviews: ReviewsBase,
    *,
    preset: str | None = None,
    sequence_length: int | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
    num_steps: int = FIND_LR_STEPS,
    layer_decay: float = 1.0,
    precision: PrecisionChoice = "auto",
    seed: int = 0,
    weights: str | os.PathLike[str] | None = None,
) -> LRCurve:
    """Returns the curve of `find_lr` under the conditions of `train`.

    Args:
        reviews: Labelled reviews.
        preset: As in `train`; `None` is the default one.
        sequence_length: As in `train`.
        batch_size: As in `train`.
        num_steps: As in `find_lr`.
        layer_decay: As in `train`.
        precision: As in `train`.
        seed: As in `train`.
        weights: As in `train`.
    """
    check_seed(seed)
    keras.utils.set_random_seed(seed)
    classifier = SentimentClassifier.from_preset(
        preset or DEFAULT_PRESET,
        class_names=reviews.class_names,
        sequence_length=sequence_length,
        clean_html=has_html(reviews),
        weights=weights,
    )
    classifier.precision = resolve_precision(precision)
    compile_for_training(classifier, layer_decay=layer_decay)
    batches = training_batches(
        classifier, reviews, batch_size=batch_size, max_tokens=None, seed=seed
    )
    return _curve(classifier, token_dataset(batches, in_turn()), num_steps)


def found_peak(
    classifier: Any,
    dataset: Any,
    *,
    kept: pathlib.Path,
    curve_file: pathlib.Path,
) -> float:
    """Returns the rate that the finder suggests, and says why.

    Args:
        classifier: A compiled classifier.
        dataset: What it is to be trained on.
        kept: A file for the rate, or with it: a resumed run takes the same.
        curve_file: A file for the curve, which is written first.
    """
    if kept.is_file():
        return float(json.loads(kept.read_text("utf-8")))
    _log.info("Looking for a learning rate: %d steps", FIND_LR_STEPS)
    curve = _curve(classifier, dataset, FIND_LR_STEPS)
    if curve.doubt is None:
        found = curve.suggestion
        others = dict(curve.suggestions)
        del others["valley"]
        _log.info(
            "Training with max_lr %.2g: the middle of the longest fall of the "
            "loss (%s)",
            found,
            ", ".join(f"{name} {rate:.2g}" for name, rate in others.items()),
        )
    else:
        found = UNFOUND_MAX_LR
        _log.warning(
            "Training with max_lr %.2g, since none was found: %s",
            found,
            curve.doubt,
        )
    kept.parent.mkdir(exist_ok=True)
    for file, text in (
        (curve_file, curve.to_json()),
        (kept, json.dumps(found)),
    ):
        with written_whole(file) as beside:
            beside.write_text(text, encoding="utf-8")
    return found


def _curve(classifier: Any, dataset: Any, num_steps: int) -> LRCurve:
    with warnings.catch_warnings():
        # Its doubt is told in our own words.
        warnings.filterwarnings("ignore", message="No learning rate found")
        return find_lr(
            classifier,
            dataset,
            num_steps=num_steps,
            start_lr=_START_LR,
            end_lr=_END_LR,
        )
