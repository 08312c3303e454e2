"""Times the tokenizer beside those it replaces, on the same reviews.

Run it when the tokenizer changes, on an otherwise idle machine:

    python tools/bench/tokenizer.py FILE [--text Reviews] [--limit 5000]

All tokenize all reviews in one call, in turns, `--rounds` times: this one and
keras-nlp's as traced graphs, and called eagerly; Hugging Face's `tokenizers`
by `encode_batch`, which uses all cores as TensorFlow does. keras-nlp's eager
form is a Python loop, timed once. `--sizes` does that again with fewer reviews.
The last line is a JSON object: medians in MB/s with the least and the most,
this one's ratio to each, the median of the rounds' own, and milliseconds of a
call by the number of reviews.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import keras_nlp
import tensorflow as tf
from figures import processor, spread, times
from tokenizers import BertWordPieceTokenizer

import kerassent as ks
from kerassent.presets import DEFAULT_PRESET, find_preset
from kerassent.tokenizer import BertTokenizer

NUM_ONE = 200


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--text", default="Reviews", help="the texts' column")
    parser.add_argument("--limit", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--preset", default=DEFAULT_PRESET)
    parser.add_argument("--sizes", type=int, nargs="*", default=[])
    options = parser.parse_args()
    reviews = ks.load_reviews(options.file, text=options.text, drop_empty=True)
    texts = list(reviews.texts[: options.limit])
    ours = BertTokenizer.from_preset(str(find_preset(options.preset)))
    print(json.dumps(measured(options, texts, ours)))


def measured(
    options: argparse.Namespace, texts: list[str], ours: BertTokenizer
) -> dict[str, Any]:
    """Returns the figures.

    Args:
        options: The command line's.
        texts: The reviews.
        ours: The tokenizer whose vocabulary all have.
    """
    rows = tokenizers_of(ours)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    seconds = in_turns(rows, texts, options.rounds)
    eager = keras_nlps(ours)
    seconds["keras_nlp_eager"] = [timed(lambda: eager(tf.constant(texts)))]
    for name, values in seconds.items():
        rates = spread([megabytes / each for each in values])
        print(f"{name:20} {rates['median']:7.1f} MB/s", flush=True)
    fewer = {
        size: in_turns(rows, texts[:size], options.rounds)
        for size in options.sizes
    }
    one = tf.constant(texts[:1])
    graph = traced(ours)
    single = [timed(lambda: graph(one)) for _ in range(NUM_ONE)]
    return {
        "reviews": len(texts),
        "megabytes": round(megabytes, 2),
        "rounds": options.rounds,
        "cores": os.cpu_count(),
        "processor": processor(),
        "megabytes_per_second": {
            name: spread([megabytes / each for each in values])
            for name, values in seconds.items()
        },
        "one_review_ms": round(1e3 * statistics.median(single), 3),
        "times": {
            name: times(seconds[name], seconds["ours"])
            for name in ("tokenizers", "keras_nlp")
        },
        "ms_by_reviews": {
            size: {
                name: spread([1e3 * each for each in values])
                for name, values in by_name.items()
            }
            for size, by_name in fewer.items()
        },
    }


def tokenizers_of(
    ours: BertTokenizer,
) -> dict[str, Callable[[list[str]], Callable[[], object]]]:
    """Returns each row's way from texts to a call that tokenizes them."""
    graph, their_graph = traced(ours), traced(keras_nlps(ours))
    vocabulary = {token: i for i, token in enumerate(ours.get_vocabulary())}
    hugging_faces = BertWordPieceTokenizer(vocabulary, lowercase=True)

    def of_tensor(
        call: Callable[[tf.Tensor], object],
    ) -> Callable[[list[str]], Callable[[], object]]:
        def prepared(texts: list[str]) -> Callable[[], object]:
            batch = tf.constant(texts)
            return lambda: call(batch)

        return prepared

    return {
        "ours": of_tensor(graph),
        "ours_eager": of_tensor(ours),
        "ours_with_offsets": of_tensor(ours.tokenize_with_offsets),
        "keras_nlp": of_tensor(their_graph),
        "tokenizers": lambda texts: (
            lambda: hugging_faces.encode_batch(texts, add_special_tokens=False)
        ),
    }


def keras_nlps(ours: BertTokenizer) -> Any:
    """Returns keras-nlp's tokenizer with our vocabulary."""
    return keras_nlp.models.DistilBertTokenizer(
        ours.get_vocabulary(), lowercase=True, strip_accents=True
    )


def traced(tokenizer: Any) -> Any:
    """Returns a tokenizer as a graph."""
    return tf.function(
        tokenizer, input_signature=[tf.TensorSpec([None], tf.string)]
    )


def in_turns(
    rows: dict[str, Any], texts: list[str], rounds: int
) -> dict[str, list[float]]:
    """Returns each row's seconds, of each round."""
    calls = {name: prepare(texts) for name, prepare in rows.items()}
    for call in calls.values():
        call()  # traces, and warms caches
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(timed(call))
    return seconds


def timed(run: Callable[[], object]) -> float:
    """Returns how many seconds a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
