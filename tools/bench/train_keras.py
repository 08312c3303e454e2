"""The rows of `train.py` that Keras trains, and what the others read."""

import argparse
import json
import os
import pathlib
import time
from typing import Any

import keras
import keras_nlp
import numpy as np
import tensorflow as tf
from figures import processor
from weights import (
    described,
    least_flops,
    our_classifier,
    sample,
    stock_classifier,
    write_checkpoint,
)

import kerassent as ks
from kerassent.token_batches import WINDOW, TokenizedReviews

# As `train` pads.
MULTIPLE = 16


def row(options: argparse.Namespace, name: str) -> tuple[Any, Any]:
    """Returns what a row does first, and an epoch."""
    return stock(options) if name == "keras_nlp" else ours(options, name)


def training_reviews(options: argparse.Namespace) -> Any:
    """Returns the reviews that all train on, in random order.

    They are batches from all over the lengths that an epoch of ours has: few
    random reviews, sorted, would need more padding than many do.
    """
    size = options.batch_size
    drawn = sample(options, WINDOW * size)
    preprocessor = our_classifier(options, drawn.class_names).preprocessor
    order = np.argsort(TokenizedReviews.of(drawn, preprocessor).lengths)
    num_batches = len(drawn) // size
    if options.batches > num_batches:
        raise SystemExit(f"`--batches` can be {num_batches} at most.")
    spaced = (np.arange(options.batches) + 0.5) * num_batches / options.batches
    rows = np.concatenate([order[int(i) * size :][:size] for i in spaced])
    np.random.default_rng(0).shuffle(rows)
    return ks.Reviews(
        [drawn.texts[row] for row in rows],
        [drawn.labels[row] for row in rows],
        class_names=drawn.class_names,
    )


def write_inputs(options: argparse.Namespace, directory: pathlib.Path) -> None:
    """Writes what the peers read, and what is known before training.

    Args:
        options: The command line's.
        directory: Where to.
    """
    reviews = training_reviews(options)
    classifier = our_classifier(options, reviews.class_names)
    tokens = TokenizedReviews.of(reviews, classifier.preprocessor)
    first = classifier.preprocessor(tf.constant(list(reviews.texts[:2])))
    np.savez(
        directory / "tokens.npz",
        tokens=tokens.tokens,
        splits=tokens.splits,
        label_ids=reviews.label_ids,
        logits=classifier(first, training=False).numpy(),
    )
    write_checkpoint(options, classifier, directory / "checkpoint")
    settings = {
        "batch_size": options.batch_size,
        "texts": list(reviews.texts),
        "label_ids": reviews.label_ids.tolist(),
    }
    (directory / "training.json").write_text(json.dumps(settings), "utf-8")
    facts = described(options) | {
        "reviews": len(reviews),
        "tokens_per_review": round(len(tokens.tokens) / len(reviews), 1),
        "tokens_squared": round(float((np.diff(tokens.splits) ** 2).mean()), 1),
        "flops": least_flops(classifier.backbone),
        "batch_size": options.batch_size,
        "rounds": options.rounds,
        "cores": os.cpu_count(),
        "processor": processor(),
        "versions": {
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "keras_nlp": keras_nlp.__version__,
            "kerassent": ks.__version__,
        },
        "pipeline_tokens_per_second": pipeline(options),
    }
    (directory / "facts.json").write_text(json.dumps(facts), "utf-8")


def pipeline(options: argparse.Namespace) -> dict[str, int]:
    """Returns how many tokens a second our dataset gives on its own.

    Tokens without padding: `cold` from texts, tokenized and batched, once;
    `warm` batched from tokens, as in each later epoch.
    """
    reviews = sample(options, options.pipeline_reviews)
    classifier = our_classifier(options, reviews.class_names, MULTIPLE)
    start = time.perf_counter()
    dataset = our_dataset(options, reviews, classifier.preprocessor)

    def counted() -> int:
        return sum(
            int(x["padding_mask"].sum()) for x, _ in dataset.as_numpy_iterator()
        )

    tokens = counted()
    cold = time.perf_counter() - start
    start = time.perf_counter()
    counted()
    warm = time.perf_counter() - start
    return {"cold": round(tokens / cold), "warm": round(tokens / warm)}


def compiled(classifier: Any) -> Any:
    """Returns it ready for `fit`."""
    classifier.compile(
        optimizer=keras.optimizers.AdamW(
            1e-5, weight_decay=0.01, global_clipnorm=1.0
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return classifier


def stock(options: argparse.Namespace) -> tuple[Any, Any]:
    """Returns a batch and an epoch of keras-nlp's, as its guides write it.

    It is timed up to its last step: what `token_batches.drawn_ahead` tells of
    would add up to a minute, which is little in a whole epoch.
    """
    reviews = training_reviews(options)
    classifier = compiled(
        stock_classifier(options, our_classifier(options, reviews.class_names))
    )

    def epoch(size: int | None = None) -> float:
        ended: list[float] = []
        start = time.perf_counter()
        classifier.fit(
            x=list(reviews.texts[:size]),
            y=reviews.label_ids[:size],
            batch_size=options.batch_size,
            callbacks=[
                keras.callbacks.LambdaCallback(
                    on_train_end=lambda _: ended.append(time.perf_counter())
                )
            ],
            verbose=0,
        )
        return ended[0] - start

    return lambda: epoch(options.batch_size), epoch


def ours(options: argparse.Namespace, precision: str) -> tuple[Any, Any]:
    """Returns an epoch of ours, twice."""
    reviews = training_reviews(options)
    classifier = compiled(
        our_classifier(options, reviews.class_names, MULTIPLE)
    )
    classifier.precision = precision
    dataset = our_dataset(options, reviews, classifier.preprocessor)

    def epoch() -> None:
        classifier.fit(dataset, verbose=0)

    return epoch, epoch


def our_dataset(
    options: argparse.Namespace, reviews: Any, preprocessor: Any
) -> Any:
    """Returns what ours is fit on."""
    return ks.make_dataset(
        reviews,
        batch_size=options.batch_size,
        shuffle=True,
        seed=0,
        preprocessor=preprocessor,
    )
