"""A run of `train`: begun or gone on with, fitted, written, renamed."""

import hashlib
import json
import logging
import pathlib
import shutil
import time
from dataclasses import dataclass, replace
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from kerassent import contract
from kerassent.callbacks.run_history import RunHistory
from kerassent.callbacks.unfreezing import freeze_layers
from kerassent.classifier import SentimentClassifier
from kerassent.evaluation import evaluate
from kerassent.learning_curves import draw_learning_curves
from kerassent.precision import resolve_precision
from kerassent.review_base import ReviewsBase
from kerassent.review_hash import hash_reviews
from kerassent.run_record import (
    check_output,
    check_same,
    machine,
    now,
    partial_of,
    read_settings,
    versions,
    write_json,
    write_settings,
)
from kerassent.training_setup import has_html
from kerassent.vocabulary_hash import hash_vocabulary

# Where a stream's tokens are while it is trained on.
TOKENS = pathlib.Path(contract.CHECKPOINTS, "tokens")

# Of these a resumed run may have others: the weights are known by their hash.
_FREE = (
    "preset",
    "weights",
    "checkpoint_minutes",
    "checkpoint_steps",
    "cache",
    "tensorboard",
)

_log = logging.getLogger("kerassent")


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """What is known of a run before its first step.

    Args:
        directory: Where it is written: `OUTPUT.partial` until it is whole.
        options: The arguments of `train`.
        decided: What "auto" came to when the run was begun.
        hashes: SHA-256 of the data, the vocabulary and the weights.
        reviews: Those that are trained on.
        valid: Those that are validated on, or `None`.
        classifier: With its first weights, or those of the finished run.
        clock: `time.monotonic()` when this process began.
    """

    directory: pathlib.Path
    options: Any
    decided: dict[str, Any]
    hashes: dict[str, str | None]
    reviews: ReviewsBase
    valid: ReviewsBase | None
    classifier: SentimentClassifier
    clock: float

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to do."""
        return (self.directory / contract.TRAIN_INFO).is_file() and (
            self.directory.suffix != ".partial"
        )

    @classmethod
    def begin(
        cls,
        reviews: ReviewsBase,
        valid: ReviewsBase | None,
        output: pathlib.Path,
        options: Any,
        *,
        resume: bool,
    ) -> Self:
        """Begins a run, or finds the one that is to be gone on with.

        Args:
            reviews: As in `train`.
            valid: As in `train`.
            output: As in `train`.
            options: The other arguments of `train`.
            resume: As in `train`.
        """
        clock = time.monotonic()
        check_output(output, resume=resume)
        directory = (
            output
            if output.is_dir() and any(output.iterdir())
            else (partial_of(output))
        )
        begun = read_settings(directory)
        keras.utils.set_random_seed(options.seed)
        if options.deterministic:
            tf.config.experimental.enable_op_determinism()
        if valid is None and options.valid_size:
            reviews, valid = _parts(reviews, options)
        decided = begun.get("decided") or _decide(reviews, options)
        classifier = SentimentClassifier.from_preset(
            options.preset,
            class_names=reviews.class_names,
            sequence_length=options.sequence_length,
            truncate=options.truncate,
            head_tokens=options.head_tokens,
            clean_html=decided["clean_html"],
            weights=options.weights,
        )
        freeze_layers(classifier, options.frozen_layers)
        if options.layer_decay != 1 and not any(
            weight.trainable for weight in classifier.backbone.weights
        ):
            raise ValueError(
                "`layer_decay` needs layers that learn. Received: layer_decay="
                f"{options.layer_decay}, frozen_layers={options.frozen_layers}"
            )
        hashes = {
            "train": hash_reviews(reviews),
            "valid": None if valid is None else hash_reviews(valid),
            "vocabulary": hash_vocabulary(classifier.preprocessor),
            "backbone": _hash_weights(classifier.backbone),
        }
        asked = {
            name: value
            for name, value in vars(options).items()
            if name not in _FREE
        } | {f"sha256 of {name}": value for name, value in hashes.items()}
        if begun:
            check_same(directory, begun["asked"], asked)
        else:
            write_settings(directory, {"asked": asked, "decided": decided})
        run = cls(
            directory,
            options,
            decided,
            hashes,
            reviews,
            valid,
            classifier,
            clock,
        )
        if not run.is_finished:
            return run
        _log.info("%s is finished already", output)
        return replace(
            run, classifier=SentimentClassifier.from_preset(directory)
        )

    def finish(self, output: pathlib.Path, history: RunHistory) -> None:
        """Writes the preset, the picture and the record; renames the run.

        Args:
            output: What the run directory is to be called.
            history: What `fit_run` returned.
        """
        directory = self.directory
        self.classifier.save_to_preset(str(directory))
        draw_learning_curves(
            history.rows,
            history.step_losses,
            directory / contract.LEARNING_CURVES,
        )
        history.write_step_losses(directory / contract.STEP_LOSSES)
        write_json(directory / contract.TRAIN_INFO, self._info())
        # What is left of them says what the run was begun with.
        for checkpoint in (directory / contract.CHECKPOINTS).glob("*.npz"):
            checkpoint.unlink()
        shutil.rmtree(directory / TOKENS, ignore_errors=True)
        directory.rename(output)

    def _info(self) -> dict[str, Any]:
        valid = self.valid
        kept = self.directory / contract.CHECKPOINTS / "max_lr.json"
        info = vars(self.options) | self.decided
        if kept.is_file():
            info["max_lr"] = json.loads(kept.read_text("utf-8"))
        record: dict[str, Any] = (
            info
            | self.classifier.preprocessor.settings
            | {
                "class_names": list(self.reviews.class_names),
                "num_reviews": {
                    "train": len(self.reviews),
                    "valid": 0 if valid is None else len(valid),
                },
                "valid": None
                if valid is None
                else evaluate(self.classifier, valid, num_timed=0).figures(),
                "sha256": self.hashes,
                "finished": now(),
                "seconds": round(time.monotonic() - self.clock, 1),
                "machine": machine(),
                "versions": versions(),
            }
        )
        return record


def _parts(reviews: ReviewsBase, options: Any) -> tuple[Any, Any]:
    """Returns the reviews to train on, and those to validate on."""
    try:
        return reviews.split(test_size=options.valid_size, seed=options.seed)
    except ValueError as error:
        raise type(error)(
            f"`valid_size={options.valid_size!r}` can't be split off. {error} "
            "Pass another `valid_size`, or reviews as `valid`."
        ) from error


def _decide(reviews: ReviewsBase, options: Any) -> dict[str, Any]:
    """Returns what a run keeps to, wherever it is gone on with."""
    clean_html = options.clean_html
    if clean_html is None and (clean_html := has_html(reviews)):
        _log.info("Texts have HTML tags: clean_html is on")
    return {
        "clean_html": clean_html,
        "precision": resolve_precision(options.precision),
        "started": now(),
    }


def _hash_weights(backbone: Any) -> str:
    digest = hashlib.sha256()
    for variable in backbone.weights:
        digest.update(np.ascontiguousarray(variable.numpy()).data)
    return digest.hexdigest()
