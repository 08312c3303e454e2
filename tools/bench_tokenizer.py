"""Times the tokenizer beside those it replaces, on the same reviews.

Run it when the tokenizer changes, on an otherwise idle machine:

    python tools/bench_tokenizer.py FILE [--text Reviews] [--limit 5000]

All tokenize all reviews in one call, in turns, `--rounds` times: this one and
keras-nlp's as traced graphs, and called eagerly; Hugging Face's `tokenizers`
by `encode_batch`, which uses all cores as TensorFlow does. keras-nlp's eager
form is a Python loop, timed once. The last line is a JSON object: medians in
MB/s, and this one's ratio to each, the median of the rounds' own.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

import keras_nlp
import tensorflow as tf
from check_tokenizer import reference

import kerassent as ks
from kerassent.presets import DEFAULT_PRESET, find_preset
from kerassent.tokenizer import BertTokenizer


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--text", default="Reviews", help="the texts' column")
    parser.add_argument("--limit", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--preset", default=DEFAULT_PRESET)
    options = parser.parse_args()
    reviews = ks.load_reviews(options.file, text=options.text, drop_empty=True)
    texts = list(reviews.texts[: options.limit])
    ours = BertTokenizer.from_preset(str(find_preset(options.preset)))
    keras_nlps = keras_nlp.models.DistilBertTokenizer(
        ours.get_vocabulary(), lowercase=True, strip_accents=True
    )
    hugging_faces = reference(ours.get_vocabulary(), lowercase=True)
    batch = tf.constant(texts)
    one = batch[:1]
    in_graph = {
        name: tf.function(
            tokenizer, input_signature=[tf.TensorSpec([None], tf.string)]
        )
        for name, tokenizer in (("ours", ours), ("keras_nlp", keras_nlps))
    }
    runs: dict[str, Callable[[], object]] = {
        "ours": lambda: in_graph["ours"](batch),
        "ours_eager": lambda: ours(batch),
        "ours_with_offsets": lambda: ours.tokenize_with_offsets(batch),
        "keras_nlp": lambda: in_graph["keras_nlp"](batch),
        "tokenizers": lambda: hugging_faces.encode_batch(
            texts, add_special_tokens=False
        ),
    }
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()  # traces, and warms caches
    for _ in range(options.rounds):
        for name, run in runs.items():
            seconds[name].append(timed(run))
    seconds["keras_nlp_eager"] = [timed(lambda: keras_nlps(batch))]
    single = [timed(lambda: in_graph["ours"](one)) for _ in range(200)]
    speed = {
        name: megabytes / statistics.median(s) for name, s in seconds.items()
    }
    for name, value in speed.items():
        spread = [megabytes / s for s in seconds[name]]
        print(
            f"{name:20} {value:7.1f} MB/s  "
            f"({min(spread):.1f}-{max(spread):.1f})"
        )
    figures = {
        "reviews": len(texts),
        "megabytes": round(megabytes, 2),
        "cores": os.cpu_count(),
        "megabytes_per_second": {k: round(v, 1) for k, v in speed.items()},
        "one_review_ms": round(1e3 * statistics.median(single), 3),
        "times": {
            name: round(
                statistics.median(
                    theirs / mine
                    for mine, theirs in zip(
                        seconds["ours"], seconds[name], strict=True
                    )
                ),
                2,
            )
            for name in ("tokenizers", "keras_nlp")
        },
    }
    print(json.dumps(figures))


def timed(run: Callable[[], object]) -> float:
    """Returns how many seconds a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
