"""The documented workflow as one function: reviews in, a run directory out."""

import datetime
import importlib.metadata
import itertools
import json
import logging
import os
import pathlib
import time
from typing import Any, Literal

import keras

from kerassent import contract
from kerassent.batches import DEFAULT_BATCH_SIZE
from kerassent.callbacks.epoch_order import EpochOrder
from kerassent.callbacks.one_cycle import OneCycle
from kerassent.classifier import SentimentClassifier
from kerassent.evaluation import evaluate
from kerassent.precision import PrecisionChoice, resolve_precision
from kerassent.preprocessing import Truncate
from kerassent.presets import DEFAULT_PRESET
from kerassent.rate_search import found_peak
from kerassent.review_base import ReviewsBase
from kerassent.training_setup import (
    compile_for_training,
    has_html,
    training_batches,
)
from kerassent.version import __version__

_log = logging.getLogger("kerassent")


def train(
    reviews: ReviewsBase,
    output: str | os.PathLike[str],
    *,
    preset: str = DEFAULT_PRESET,
    valid: ReviewsBase | None = None,
    valid_size: float | int = 0.1,
    sequence_length: int | None = None,
    truncate: Truncate | None = None,
    head_tokens: int | None = None,
    clean_html: bool | None = None,
    epochs: int = 2,
    batch_size: int = DEFAULT_BATCH_SIZE,
    max_lr: float | Literal["auto"] = "auto",
    layer_decay: float = 1.0,
    precision: PrecisionChoice = "auto",
    seed: int = 0,
    resume: bool = False,
    weights: str | os.PathLike[str] | None = None,
    verbose: int | str = "auto",
) -> SentimentClassifier:
    """Fine-tunes a preset with 1cycle and writes the run directory.

    AdamW with a weight decay of 0.01 that spares biases and norms. The run is
    written to `OUTPUT.partial`, with a checkpoint after each epoch, and
    renamed when it is whole.

    Args:
        reviews: Labelled reviews.
        output: The run directory, which must not be there yet.
        preset: As in `SentimentClassifier.from_preset`.
        valid: ReviewsBase to validate on, or `None` to split some off.
        valid_size: The share or number of reviews to split off.
        sequence_length: As in `SentimentClassifier.from_preset`.
        truncate: As in `SentimentClassifier.from_preset`.
        head_tokens: As in `SentimentClassifier.from_preset`.
        clean_html: As in `SentimentPreprocessor`. By default it is on if one
            in a hundred of the first thousand texts or more has a tag.
        epochs: How many times each review is seen.
        batch_size: How many reviews make a step.
        max_lr: The peak of the learning rate; `"auto"` lets `find_lr` say.
        layer_decay: How many times as fast an encoder layer learns as the one
            above it; see `LayerDecayAdamW`.
        precision: What matrix products are computed in while training:
            `"float32"`, `"bfloat16"`, `"float16"`, or `"auto"`, which is
            bfloat16 where the processor is made for it. Weights are float32.
        seed: Of the split, the head, dropout and the order.
        resume: Whether to go on with an unfinished run.
        weights: As in `SentimentClassifier.from_preset`.
        verbose: As in `fit`.

    Returns:
        The trained classifier. `OUTPUT/train.json` says how it was made and
        how it did on the validation part, `OUTPUT/history.csv` how each epoch
        went.

    Raises:
        ValueError: The reviews have no labels, or an argument is out of range.
        FileExistsError: `output` is there already, or an unfinished run of it
            is and `resume` is false.

    Example:
        ```python
        train(load_reviews("train.xlsx", text="Reviews", label="Sentiment"),
              "runs/imdb", epochs=2)
        ```
    """
    if reviews.labels is None:
        raise ValueError(
            "`reviews` must have labels: pass `label=` to `load_reviews` "
            "(`--label`)."
        )
    if epochs < 1:
        raise ValueError(f"`epochs` must be 1 or more. Received: {epochs}")
    if not isinstance(max_lr, str):
        OneCycle(max_lr)  # says early what is wrong with it
    elif max_lr != "auto":
        raise ValueError(
            f"`max_lr` must be a number or 'auto'. Received: {max_lr!r}"
        )
    run = pathlib.Path(output)
    partial = run.with_name(run.name + ".partial")
    check_output(run, resume=resume)
    started = time.monotonic()
    keras.utils.set_random_seed(seed)
    if valid is None:
        reviews, valid = reviews.split(test_size=valid_size, seed=seed)
    if clean_html is None:
        clean_html = has_html(reviews)
        if clean_html:
            _log.info("Texts have HTML tags: clean_html is on")
    classifier = SentimentClassifier.from_preset(
        preset,
        class_names=reviews.class_names,
        sequence_length=sequence_length,
        truncate=truncate,
        head_tokens=head_tokens,
        clean_html=clean_html,
        weights=weights,
    )
    order = EpochOrder()
    train_ds = training_batches(classifier, reviews, batch_size, seed, order)
    valid_ds = training_batches(
        classifier, valid, 2 * batch_size, seed, itertools.count()
    )
    partial.mkdir(parents=True, exist_ok=True)
    classifier.precision = resolve_precision(precision)
    compile_for_training(classifier, layer_decay)
    if isinstance(max_lr, str):
        kept = partial / contract.CHECKPOINTS / "max_lr.json"
        max_lr = found_peak(classifier, train_ds, kept)
    classifier.fit(
        train_ds,
        validation_data=valid_ds,
        epochs=epochs,
        callbacks=[
            # First: it restores what the others then count from.
            keras.callbacks.BackupAndRestore(
                str(partial / contract.CHECKPOINTS), delete_checkpoint=False
            ),
            order,
            OneCycle(max_lr),
            keras.callbacks.CSVLogger(
                str(partial / contract.HISTORY), append=resume
            ),
        ],
        verbose=verbose,
    )
    trained_in = classifier.precision
    classifier.precision = "float32"
    classifier.save_to_preset(str(partial))
    info = {
        "preset": preset,
        "class_names": list(reviews.class_names),
        "num_reviews": {"train": len(reviews), "valid": len(valid)},
        **classifier.preprocessor.settings,
        "epochs": epochs,
        "batch_size": batch_size,
        "max_lr": max_lr,
        "layer_decay": layer_decay,
        "precision": trained_in,
        "seed": seed,
        "valid": evaluate(classifier, valid).to_dict(),
        "seconds": round(time.monotonic() - started, 1),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(
            "T", "seconds"
        ),
        "versions": {"kerassent": __version__}
        | {
            name: importlib.metadata.version(name)
            for name in ("tensorflow", "keras", "keras-nlp")
        },
    }
    _write_json(partial / contract.TRAIN_INFO, info)
    partial.rename(run)
    return classifier


def check_output(run: pathlib.Path, *, resume: bool) -> None:
    """Raises if a run must not be written here; cheap, so ask early.

    Args:
        run: The run directory to be.
        resume: Whether an unfinished run may be there.

    Raises:
        FileExistsError: It is there, or an unfinished one is.
    """
    partial = run.with_name(run.name + ".partial")
    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise FileExistsError(
            f"{run} is there already. Choose another output directory, or "
            "remove this one first."
        )
    if partial.exists() and not resume:
        raise FileExistsError(
            f"An unfinished run is there: {partial}. Go on with it by "
            "`resume=True` (`--resume`), or remove it."
        )


def read_info(run: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns what `train` recorded in a run directory.

    Args:
        run: The run directory.
    """
    text = pathlib.Path(run, contract.TRAIN_INFO).read_text("utf-8")
    info: dict[str, Any] = json.loads(text)
    return info


def _write_json(path: pathlib.Path, content: Any) -> None:
    beside = path.with_suffix(".json.writing")
    beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    beside.rename(path)
