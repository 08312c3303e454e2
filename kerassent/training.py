"""The documented workflow as one function: reviews in, a run directory out."""

import importlib.util
import os
import pathlib
from types import SimpleNamespace
from typing import Any, Literal

from kerassent.arguments import check_counts, check_positive, check_seed
from kerassent.batches import DEFAULT_BATCH_SIZE
from kerassent.callbacks.best_weights import Monitor
from kerassent.callbacks.one_cycle import OneCycle
from kerassent.class_weights import ClassWeight, resolve_class_weights
from kerassent.classifier import SentimentClassifier
from kerassent.losses import SmoothedCrossentropy
from kerassent.precision import PrecisionChoice, resolve_precision
from kerassent.preprocessing import Truncate
from kerassent.presets import DEFAULT_PRESET
from kerassent.review_base import ReviewsBase, check_reviews
from kerassent.training_fit import fit_run
from kerassent.training_run import TrainingRun
from kerassent.training_setup import CLIP_NORM, WEIGHT_DECAY


def train(
    reviews: ReviewsBase,
    output: str | os.PathLike[str],
    *,
    preset: str = DEFAULT_PRESET,
    weights: str | os.PathLike[str] | None = None,
    valid: ReviewsBase | None = None,
    valid_size: float | int = 0.1,
    sequence_length: int | None = None,
    truncate: Truncate | None = None,
    head_tokens: int | None = None,
    clean_html: bool | None = None,
    epochs: int = 2,
    batch_size: int | None = None,
    max_tokens: int | None = None,
    max_lr: float | Literal["auto"] = "auto",
    layer_decay: float = 1.0,
    weight_decay: float = WEIGHT_DECAY,
    clip_norm: float | None = CLIP_NORM,
    gradient_accumulation: int = 1,
    label_smoothing: float = 0.0,
    class_weight: ClassWeight = None,
    frozen_layers: int | None = None,
    unfreeze_per_epoch: int | None = None,
    ema: float | None = None,
    best_weights: bool = True,
    monitor: Monitor | None = None,
    early_stopping: int | None = None,
    precision: PrecisionChoice = "auto",
    deterministic: bool = False,
    seed: int = 0,
    checkpoint_minutes: float | None = 5.0,
    checkpoint_steps: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    tensorboard: bool = False,
    resume: bool = False,
    verbose: int | str = "auto",
) -> SentimentClassifier:
    """Fine-tunes a preset with 1cycle and writes the run directory.

    AdamW, whose weight decay spares biases and norms. The run is written to
    `OUTPUT.partial` and renamed when it is whole. Checkpoints are written
    there meanwhile: a run that was killed goes on with `resume=True` as if it
    had never been.

    Args:
        reviews: Labelled reviews. A stream's tokens are kept on disk.
        output: The run directory, which must not be there yet.
        preset: As in `SentimentClassifier.from_preset`.
        weights: As in `SentimentClassifier.from_preset`.
        valid: Reviews to validate on, or `None` to split some off.
        valid_size: The share or number of reviews to split off; 0 for none.
        sequence_length: As in `SentimentClassifier.from_preset`.
        truncate: As in `SentimentClassifier.from_preset`.
        head_tokens: As in `SentimentClassifier.from_preset`.
        clean_html: As in `SentimentPreprocessor`. By default it is on if one
            in a hundred of the first thousand texts or more has a tag.
        epochs: How many times each review is seen.
        batch_size: How many reviews make a step. Default: 32.
        max_tokens: Instead of `batch_size`: how many tokens make a step.
        max_lr: The peak of the learning rate; `"auto"` lets `find_lr` say.
        layer_decay: How many times as fast an encoder layer learns as the one
            above it; see `LayerDecayAdamW`.
        weight_decay: As in `LayerDecayAdamW`.
        clip_norm: The most that the norm of all gradients together may be, or
            `None`.
        gradient_accumulation: How many steps make an update, by the mean of
            their gradients.
        label_smoothing: How much of each label is spread over all classes.
        class_weight: How much a review of each class counts: a number by class
            name; or `"balanced"`, which lets each class count as much as any
            other; or `None`. With weights, `balanced_accuracy` is measured.
        frozen_layers: The embeddings and so many of the lowest encoder layers
            don't learn. 0 or `None`: all do.
        unfreeze_per_epoch: The head learns alone in the first epoch, and so
            many layers more in each of the next, from the top. `None`: all
            from the start.
        ema: The momentum of a moving average of the weights, such as 0.999,
            which is then validated and kept instead of the last ones.
        best_weights: Whether the weights of the best epoch are kept, and not
            those of the last.
        monitor: What the best epoch is best in: `"val_accuracy"`,
            `"val_loss"`, or `"val_balanced_accuracy"`, which is the default
            with `class_weight`.
        early_stopping: After how many epochs that are no better the run ends;
            `None`: never.
        precision: What matrix products are computed in while training:
            `"float32"`, `"bfloat16"`, `"float16"`, or `"auto"`, which is
            bfloat16 where the processor is made for it. Weights are float32.
        deterministic: Whether TensorFlow is told to give the same bits each
            time, which makes some operations slower. It stays so.
        seed: Of the split, the head, dropout and the order.
        checkpoint_minutes: How old the last checkpoint may be. `None`: one
            after each epoch only.
        checkpoint_steps: One after so many steps of an epoch, too.
        cache: A directory to keep tokens in, as in `make_dataset`.
        tensorboard: Whether `OUTPUT/tensorboard` is written.
        resume: Whether to go on with an unfinished run. A finished one with
            the same settings is returned as it is.
        verbose: As in `fit`.

    Returns:
        The trained classifier. `OUTPUT/train.json` says how it was made and
        how it did on the validation part, `OUTPUT/history.csv` how each epoch
        went, and `OUTPUT/learning_curves.svg` shows it.

    Raises:
        TypeError: `reviews` are no Reviews, or a number is something else.
        ValueError: The reviews have no labels, an argument is out of range, or
            the run was begun with other data or settings.
        FileExistsError: `output` is there already, or an unfinished run of it
            is and `resume` is false.
        OSError: There is no room for checkpoints or for the run.

    Example:
        ```python
        train(load_reviews("train.xlsx", text="Reviews", label="Sentiment"),
              "runs/imdb", epochs=2)
        ```
    """
    options = {
        name: value
        for name, value in locals().items()
        if name not in ("reviews", "output", "valid", "resume", "verbose")
    }
    if batch_size is None and max_tokens is None:
        options["batch_size"] = DEFAULT_BATCH_SIZE
    if monitor is None and (best_weights or early_stopping):
        options["monitor"] = (
            "val_accuracy" if class_weight is None else "val_balanced_accuracy"
        )
    _check(reviews, valid, SimpleNamespace(**options))
    run = TrainingRun.begin(
        reviews,
        valid,
        pathlib.Path(output),
        SimpleNamespace(**options),
        resume=resume,
    )
    if not run.is_finished:
        run.finish(pathlib.Path(output), fit_run(run, verbose))
    return run.classifier


def _check(
    reviews: ReviewsBase, valid: ReviewsBase | None, options: Any
) -> None:
    """Refuses what would be found wrong after minutes of work."""
    check_reviews(reviews)
    if valid is not None:
        check_reviews(valid, "valid")
    if reviews.labels is None:
        raise ValueError(
            "`reviews` must have labels: pass `label=` to `load_reviews` "
            "(`--label`)."
        )
    given = vars(options)
    counts = (
        "epochs",
        "batch_size",
        "max_tokens",
        "gradient_accumulation",
        "unfreeze_per_epoch",
        "early_stopping",
        "checkpoint_steps",
    )
    check_counts(**{name: given[name] for name in counts})
    check_seed(options.seed)
    check_positive(layer_decay=options.layer_decay)
    for name in ("clip_norm", "checkpoint_minutes"):
        if given[name] is not None:
            check_positive(**{name: given[name]})
    if options.weight_decay:
        check_positive(weight_decay=options.weight_decay)
    if options.batch_size is not None and options.max_tokens is not None:
        raise ValueError(
            "`batch_size` and `max_tokens` are two ways to say the same. "
            f"Received: batch_size={options.batch_size}, "
            f"max_tokens={options.max_tokens}"
        )
    if not isinstance(options.max_lr, str):
        OneCycle(options.max_lr)  # says early what is wrong with it
    elif options.max_lr != "auto":
        raise ValueError(
            f"`max_lr` must be a number or 'auto'. Received: {options.max_lr!r}"
        )
    if options.ema is not None and not 0 < options.ema < 1:
        raise ValueError(
            f"`ema` must be between 0 and 1, such as 0.999. Received: "
            f"{options.ema}"
        )
    if valid is None and not options.valid_size and options.early_stopping:
        raise ValueError(
            "`early_stopping` needs reviews to validate on: pass `valid`, or "
            f"a `valid_size` above 0. Received: {options.valid_size}"
        )
    if options.monitor == "val_balanced_accuracy" and (
        options.class_weight is None
    ):
        raise ValueError(
            "`monitor='val_balanced_accuracy'` goes with `class_weight`, such "
            "as 'balanced'. Received: class_weight=None"
        )
    if options.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise ValueError(
            "`tensorboard=True` needs a package that is not installed: "
            "`pip install 'kerassent[tensorboard]'`."
        )
    resolve_class_weights(
        options.class_weight, reviews.label_ids, reviews.class_names
    )
    SmoothedCrossentropy(options.label_smoothing)
    resolve_precision(options.precision)
