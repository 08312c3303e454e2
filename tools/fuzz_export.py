"""Asks an export 100,000 texts that nobody would write.

Run it when the export's graph or the tokenizer change:

    python tools/fuzz_export.py [EXPORT] [--texts 100000] [--seed 0]

`EXPORT` is one version's directory; without it, the packaged MiniLM with an
untrained head is exported. Texts are random bytes, random Unicode, pieces of
the tests' nasty texts, words repeated, copies of each other, empty, and some
of up to a megabyte, in batches of 0 to 64; `serving_default` gets all,
`classify` and `explain` some. What is asked of an answer: no error, the right
shapes, finite numbers, probabilities that sum to 1, the label of the highest,
and of `explain` words that stand in the text where it says.

The last line is a JSON object: how many texts, batches and faults of each
signature. It exits with 1 if there are faults.
"""

import argparse
import json
import pathlib
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from check_tf_versions import nasty_texts, write_export
from session_program import example

HUGE = 1_000_000
REPLACED = "\ufffd".encode()  # stands for bytes that are no UTF-8
# Of so many batches one is asked of these, too: they cost more.
EVERY = {"classify": 4, "explain": 16}


def main() -> int:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("export", nargs="?", type=pathlib.Path)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        export = options.export or write_export(pathlib.Path(directory))
        figures = fuzzed(export, options.texts, random.Random(options.seed))
    print(json.dumps(figures))
    return int(any(found["faults"] for found in figures.values()))


def fuzzed(
    export: pathlib.Path, num_texts: int, rng: random.Random
) -> dict[str, Any]:
    """Returns the figures of each signature."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  registers its ops

    asked = ("serving_default", *EVERY)
    figures = {name: {"texts": 0, "batches": 0, "faults": 0} for name in asked}
    start = time.monotonic()
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        model = tf.compat.v1.saved_model.load(session, ["serve"], str(export))
        for number, batch in enumerate(batches(num_texts, rng)):
            for name in asked:
                if number % EVERY.get(name, 1):
                    continue
                found = figures[name]
                found["texts"] += len(batch)
                found["batches"] += 1
                fault = fault_of(
                    session, model.signature_def[name], name, batch
                )
                if fault:
                    found["faults"] += 1
                    print(name, fault, [text[:60] for text in batch])
            if number % 200 == 0:
                seconds = time.monotonic() - start
                done = figures["serving_default"]["texts"]
                print(f"{done} texts, {seconds:.0f} s", flush=True)
    return figures


def fault_of(
    session: Any, signature: Any, name: str, batch: list[bytes]
) -> str | None:
    """Returns what is wrong with the answer to a batch, if anything is."""
    import tensorflow as tf

    [fed] = signature.inputs.values()
    values = [example(text) for text in batch] if name == "classify" else batch
    try:
        answer = session.run(
            {key: info.name for key, info in signature.outputs.items()},
            {fed.name: np.array(values, object)},
        )
    except tf.errors.OpError as error:
        return str(error.message)
    for key, value in answer.items():
        if len(value) != len(batch):
            return f"{key} has {len(value)} rows of {len(batch)}"
        if value.dtype == np.float32 and not np.isfinite(value).all():
            return f"{key} is not finite"
    if not batch:
        return None
    if name == "classify":
        return wrong_sums(answer["scores"])
    if name == "explain":
        return misplaced(answer, batch)
    best = answer["probabilities"].argmax(1)
    names = answer["class_names"][np.arange(len(batch)), best]
    if (names != answer["label"]).any():
        return "a label is not the most probable"
    return wrong_sums(answer["probabilities"])


def wrong_sums(probabilities: Any) -> str | None:
    """Returns a fault if a row's probabilities are none."""
    if np.abs(probabilities.sum(1) - 1).max() > 1e-5:
        return "probabilities do not sum to 1"
    return None


def misplaced(answer: dict[str, Any], batch: list[bytes]) -> str | None:
    """Returns a fault if a word is not where it is said to be."""
    places = zip(
        answer["words"], answer["starts"], answer["ends"], batch, strict=True
    )
    for words, starts, ends, text in places:
        for word, start, end in zip(words, starts, ends, strict=True):
            if start == -1:
                if (end, word) != (-1, b""):
                    return f"padding is {word!r} {start} {end}"
            elif not 0 <= start < end <= len(text):
                return f"{word!r} is at {start} to {end} of {len(text)} bytes"
            elif not all(
                piece in text[start:end] for piece in word.split(REPLACED)
            ):
                return f"{word!r} is not at {start} to {end} of {text[:60]!r}"
    return None


def batches(num_texts: int, rng: random.Random) -> Iterator[list[bytes]]:
    """Yields batches of 0 to 64 texts."""
    nasty = nasty_texts()
    left = num_texts
    while left > 0:
        size = min(rng.choice([0, 1, 1, 2, 8, 32, 64]), left)
        batch = [text_of(nasty, rng) for _ in range(size)]
        if size > 1 and rng.random() < 0.3:
            batch[-1] = batch[0]
        if size and rng.random() < 0.005:
            batch[0] = huge(rng)
        left -= size
        yield batch


def text_of(nasty: list[bytes], rng: random.Random) -> bytes:
    """Returns a text of one of several kinds."""
    kind = rng.randrange(6)
    length = int(rng.expovariate(1 / 40))
    if kind == 0:
        return rng.randbytes(length)
    if kind == 1:
        chars = "".join(chr(rng.randrange(0x110000)) for _ in range(length))
        return chars.encode("utf-8", "surrogatepass")
    if kind == 2:
        chars = "".join(chr(rng.randrange(0x3000)) for _ in range(length))
        return chars.encode()
    if kind == 3:
        texts = [rng.choice(nasty)[: rng.randrange(1, 100)] for _ in range(3)]
        return b" ".join(texts)
    if kind == 4:
        word = rng.choice(
            [b"good ", b"a", b"<br />", b"&amp;", b"'", b"\xc3\xa9", b" "]
        )
        return word * length * rng.choice([1, 20])
    return b"" if length < 10 else bytes([rng.randrange(32, 127)]) * length


def huge(rng: random.Random) -> bytes:
    """Returns a text of up to a megabyte."""
    unit = rng.choice(
        [b"x", b"good ", b"\xff", b"\xf0\x9f\x98\x80", b"<p>", b" "]
    )
    return unit * (rng.randrange(HUGE) // len(unit))


if __name__ == "__main__":
    sys.exit(main())
