"""What `train` and the search for its learning rate have in common."""

import itertools
from typing import Any, Final

import keras

from kerassent.losses import SmoothedCrossentropy
from kerassent.markup import needs_clean_html
from kerassent.metrics import BalancedAccuracy
from kerassent.optimizers import LayerDecayAdamW
from kerassent.review_base import ReviewsBase
from kerassent.token_batches import TokenBatches, TokenizedReviews

WEIGHT_DECAY: Final = 0.01
CLIP_NORM: Final = 1.0

_TEXTS_LOOKED_AT = 1000

# What a batch's width is a multiple of: parts of a step are compiled for each.
_WIDTH_STEP = 16


def training_batches(
    classifier: Any,
    reviews: ReviewsBase,
    *,
    batch_size: int | None,
    max_tokens: int | None,
    seed: int,
    **tokenizing: Any,
) -> TokenBatches:
    """Returns batches of tokens of like length, of few widths.

    Args:
        classifier: Its preprocessor makes the tokens.
        reviews: Labelled reviews.
        batch_size: How many reviews make a batch.
        max_tokens: Instead: how many tokens make one.
        seed: Of the order.
        **tokenizing: Those of `TokenizedReviews.of`.
    """
    preprocessor = classifier.preprocessor.with_settings(
        pad_to_multiple_of=_WIDTH_STEP
    )
    return TokenBatches(
        TokenizedReviews.of(reviews, preprocessor, **tokenizing),
        reviews.label_ids,
        preprocessor,
        batch_size=batch_size,
        max_tokens=max_tokens,
        shuffle=True,
        seed=seed,
    )


def has_html(reviews: ReviewsBase) -> bool:
    """Returns whether `clean_html` is needed, by the first thousand texts.

    Args:
        reviews: The reviews.
    """
    rows = itertools.islice(reviews.iter_rows(), _TEXTS_LOOKED_AT)
    return needs_clean_html(text for text, _ in rows)


def compile_for_training(
    classifier: Any,
    *,
    layer_decay: float = 1.0,
    weight_decay: float = WEIGHT_DECAY,
    clip_norm: float | None = CLIP_NORM,
    gradient_accumulation: int = 1,
    label_smoothing: float = 0.0,
    ema: float | None = None,
    balanced: bool = False,
) -> None:
    """Compiles a classifier with the optimizer, loss and metrics of `train`.

    Args:
        classifier: A `SentimentClassifier`, its precision set.
        layer_decay: As in `LayerDecayAdamW`.
        weight_decay: As in `LayerDecayAdamW`.
        clip_norm: The most that the norm of all gradients may be, or `None`.
        gradient_accumulation: How many steps make an update.
        label_smoothing: As in `SmoothedCrossentropy`.
        ema: The momentum of the weights' moving average, or `None`.
        balanced: Whether balanced accuracy is measured too.
    """
    optimizer: Any = LayerDecayAdamW(
        layer_decay=layer_decay,
        weight_decay=weight_decay,
        global_clipnorm=clip_norm,
        gradient_accumulation_steps=gradient_accumulation
        if gradient_accumulation > 1
        else None,
        use_ema=ema is not None,
        ema_momentum=ema or 0.0,
    )
    if classifier.precision == "float16":  # whose gradients underflow
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    metrics: list[Any] = [
        keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    ]
    if balanced:
        metrics.append(BalancedAccuracy(len(classifier.class_names)))
    classifier.compile(
        optimizer=optimizer,
        loss=SmoothedCrossentropy(label_smoothing),
        metrics=metrics,
    )
