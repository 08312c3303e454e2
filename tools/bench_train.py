"""Times training on real reviews beside keras-nlp's own `fit`.

Run it when `forward.py`, the batches or TensorFlow change, on an idle machine:

    python tools/bench_train.py FILE [--sequence-length 400] [--batch-size 32]

All train the same weights on the same reviews, in random order, with AdamW and
dropout: keras-nlp's classifier on lists of texts, which pads each review to
`--sequence-length`; ours in float32 and in bfloat16. Each is compiled in a
first epoch, then they take turns. The last line is a JSON object: reviews a
second, medians of the rounds, and each one's ratio to keras-nlp's.
"""

import argparse
import json
import os
import statistics
import time
from typing import Any

import keras
import keras_nlp

import kerassent as ks
from kerassent.presets import DEFAULT_PRESET, find_preset

# What keras-nlp's DistilBERT-base has, with weights of no training.
BASE = {
    "vocabulary_size": 30522,
    "num_layers": 6,
    "num_heads": 12,
    "hidden_dim": 768,
    "intermediate_dim": 3072,
}


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--text", default="Reviews")
    parser.add_argument("--label", default="Sentiment")
    parser.add_argument("--shape", choices=["preset", "base"], default="preset")
    parser.add_argument("--sequence-length", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    reviews = ks.load_reviews(
        options.file, text=options.text, label=options.label
    ).sample(options.batches * options.batch_size, seed=0)
    runs = {
        "keras_nlp": stock(options, reviews),
        "float32": ours(options, reviews, "float32"),
        "bfloat16": ours(options, reviews, "bfloat16"),
    }
    for name, run in runs.items():
        print(f"{name}: first epoch {timed(run):.1f} s", flush=True)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            seconds[name].append(timed(run))
            print(f"{name}: {seconds[name][-1]:.1f} s", flush=True)
    speed = {
        name: len(reviews) / statistics.median(each)
        for name, each in seconds.items()
    }
    figures = {
        "shape": options.shape,
        "reviews": len(reviews),
        "sequence_length": options.sequence_length,
        "batch_size": options.batch_size,
        "cores": os.cpu_count(),
        "reviews_per_second": {k: round(v, 2) for k, v in speed.items()},
        "times_keras_nlp": {
            name: round(
                statistics.median(
                    theirs / mine
                    for theirs, mine in zip(
                        seconds["keras_nlp"], each, strict=True
                    )
                ),
                2,
            )
            for name, each in seconds.items()
            if name != "keras_nlp"
        },
    }
    print(json.dumps(figures))


def backbone(options: argparse.Namespace) -> Any:
    """Returns the encoder that all train."""
    keras.utils.set_random_seed(0)
    if options.shape == "base":
        return keras_nlp.models.DistilBertBackbone(**BASE)
    return keras_nlp.models.DistilBertBackbone.from_preset(
        str(find_preset(DEFAULT_PRESET))
    )


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


def stock(options: argparse.Namespace, reviews: Any) -> Any:
    """Returns an epoch of keras-nlp's, as its guides write it."""
    tokenizer = ks.SentimentClassifier.from_preset(
        DEFAULT_PRESET, class_names=reviews.class_names
    ).preprocessor.tokenizer
    classifier = compiled(
        keras_nlp.models.DistilBertTextClassifier(
            backbone(options),
            num_classes=len(reviews.class_names),
            preprocessor=keras_nlp.models.DistilBertTextClassifierPreprocessor(
                keras_nlp.models.DistilBertTokenizer(
                    tokenizer.get_vocabulary(), lowercase=True
                ),
                sequence_length=options.sequence_length,
            ),
        )
    )
    return lambda: classifier.fit(
        x=list(reviews.texts),
        y=reviews.label_ids,
        batch_size=options.batch_size,
        verbose=0,
    )


def ours(options: argparse.Namespace, reviews: Any, precision: str) -> Any:
    """Returns an epoch of ours."""
    preprocessor = ks.SentimentClassifier.from_preset(
        DEFAULT_PRESET, class_names=reviews.class_names
    ).preprocessor.with_settings(
        sequence_length=options.sequence_length, pad_to_multiple_of=16
    )
    classifier = ks.SentimentClassifier(
        backbone(options), reviews.class_names, preprocessor
    )
    classifier.precision = precision
    compiled(classifier)
    dataset = ks.make_dataset(
        reviews,
        batch_size=options.batch_size,
        shuffle=True,
        seed=0,
        preprocessor=preprocessor,
    )
    return lambda: classifier.fit(dataset, verbose=0)


def timed(run: Any) -> float:
    """Returns how many seconds a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
