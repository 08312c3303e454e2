"""What `train` and the search for its learning rate have in common."""

import itertools
from collections.abc import Iterator
from typing import Any, Final

import keras

from kerassent.markup import needs_clean_html
from kerassent.optimizers import LayerDecayAdamW
from kerassent.review_base import ReviewsBase
from kerassent.token_batches import (
    TokenBatches,
    TokenizedReviews,
    token_dataset,
)

WEIGHT_DECAY: Final = 0.01

_TEXTS_LOOKED_AT = 1000

# What a batch's width is a multiple of: parts of a step are compiled for each.
_WIDTH_STEP = 16


def training_batches(
    classifier: Any,
    reviews: ReviewsBase,
    batch_size: int,
    seed: int,
    epochs: Iterator[int],
) -> Any:
    """Returns batches of tokens of like length, of few widths.

    Args:
        classifier: Its preprocessor makes the tokens.
        reviews: Labelled reviews.
        batch_size: How many reviews make a batch.
        seed: Of the order.
        epochs: Gives each pass its epoch's number.
    """
    preprocessor = classifier.preprocessor.with_settings(
        pad_to_multiple_of=_WIDTH_STEP
    )
    return token_dataset(
        TokenBatches(
            TokenizedReviews.of(reviews, preprocessor),
            reviews.label_ids,
            preprocessor,
            batch_size=batch_size,
            max_tokens=None,
            shuffle=True,
            seed=seed,
        ),
        epochs,
    )


def has_html(reviews: ReviewsBase) -> bool:
    """Returns whether `clean_html` is needed, by the first thousand texts.

    Args:
        reviews: The reviews.
    """
    rows = itertools.islice(reviews.iter_rows(), _TEXTS_LOOKED_AT)
    return needs_clean_html(text for text, _ in rows)


def compile_for_training(classifier: Any, layer_decay: float) -> None:
    """Compiles a classifier with the optimizer, loss and metric of `train`.

    Args:
        classifier: A `SentimentClassifier`, its precision set.
        layer_decay: As in `LayerDecayAdamW`.
    """
    optimizer: Any = LayerDecayAdamW(
        layer_decay=layer_decay,
        weight_decay=WEIGHT_DECAY,
        global_clipnorm=1.0,
    )
    if classifier.precision == "float16":  # whose gradients underflow
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    classifier.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
