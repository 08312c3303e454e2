"""Compares what an export answers in several TensorFlow releases.

Run it when the export, the tokenizer or TensorFlow changes:

    python tools/check_tf_versions.py [EXPORT] --cache DIR [--reviews FILE]

`EXPORT` is one version's directory; without it, the packaged MiniLM with an
untrained head is exported. It is loaded in TensorFlow 2.19, 2.20 and 2.21, and
the tokenizer's graph in these and in 2.12.1, whose TensorFlow Text TensorFlow
Serving 2.16 to 2.19 link; each with its TensorFlow Text, in a virtual
environment in `DIR` that is made from the package index (about 10 GB) and used
again. Each runs all signatures in a Session, as TensorFlow Serving does, under
a Turkish locale, on nasty texts, random ones and the reviews of `FILE`, in
batches of 0 to 16.

Floats may differ by 1e-4 from those of the environment that this runs in, of a
bfloat16 export by 2e-2, all else not at all; what differs is printed. A head
has ReLUs: where a unit of one is at 0 on an explanation's path, rounding
decides which of two slopes is seen. Of one text in a hundred the attributions
may differ by as much as their completeness errors say that they are off.

The last line is a JSON object: how many outputs of a batch differ, how many
batches are errors, how many texts are at such a kink, and by how much all other
floats differ, in which release. It exits with 1 if any differ or are errors, or
more texts than that are at kinks.
"""

import argparse
import base64
import json
import pathlib
import random
import shutil
import sys
from typing import Any

import numpy as np
import tf_releases

from kerassent.saved_model.export_info import read_export_info

TOLERANCES = {"float32": 1e-4, "bfloat16": 2e-2}
BATCH = 16
EXPORT_RELEASES = ("2.19.0", "2.20.0", "2.21.0")
TOKENIZER_RELEASES = ("2.12.1", *EXPORT_RELEASES)
HERE = pathlib.Path(__file__).parent
NASTY = HERE.parent / "tests" / "nasty_texts.json"
PROGRAM = (HERE / "session_program.py").read_text("utf-8")


def main() -> int:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("export", nargs="?", type=pathlib.Path)
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--reviews", metavar="FILE")
    parser.add_argument("--text", default="Reviews", help="the texts' column")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    nasty = nasty_texts()
    texts = [*nasty, *random_texts(), *reviews(options.reviews, options.text)]
    batches = [[], *([text] for text in nasty[:8])]
    batches += [texts[i : i + BATCH] for i in range(0, len(texts), BATCH)]
    tokenizer = options.cache / "tokenizer"
    write_tokenizer(tokenizer, nasty)
    figures = {
        "texts": len(texts),
        "export": compared(
            options.export or write_export(options.cache / "exports"),
            batches,
            options.cache,
            EXPORT_RELEASES,
        ),
        "tokenizer": compared(
            tokenizer, batches, options.cache, TOKENIZER_RELEASES
        ),
    }
    print(json.dumps(figures))
    return int(
        any(
            found["differing"]
            or found["errors"]
            or found["at_kinks"] > len(texts) // 100
            for name in ("export", "tokenizer")
            for found in figures[name].values()
        )
    )


def nasty_texts() -> list[bytes]:
    """Returns the texts of the tests, and huge ones."""
    nasty = json.loads(NASTY.read_text("utf-8"))
    texts = [text.encode() for text in nasty["texts"]]
    texts += [text.encode("latin-1") for text in nasty["bytes_as_latin1"]]
    return [*texts, b"good " * 200_000, b"x" * 100_000, b"\xff" * 10_000]


def random_texts() -> list[bytes]:
    """Returns random bytes and random Unicode, always the same."""
    rng = random.Random(0)
    texts = [rng.randbytes(rng.randrange(200)) for _ in range(200)]
    for _ in range(200):
        chars = [chr(rng.randrange(0x110000)) for _ in range(rng.randrange(80))]
        texts.append("".join(chars).encode("utf-8", "surrogatepass"))
    return texts


def reviews(file: str | None, column: str) -> list[bytes]:
    """Returns the texts of a file, if there is one."""
    import kerassent as ks

    if not file:
        return []
    found = ks.load_reviews(file, text=column, drop_empty=True)
    return [text.encode() for text in found.texts]


def write_export(base_path: pathlib.Path) -> pathlib.Path:
    """Exports the packaged preset with an untrained head."""
    import keras

    import kerassent as ks
    from kerassent.presets import DEFAULT_PRESET

    keras.utils.set_random_seed(0)
    classifier = ks.SentimentClassifier.from_preset(
        DEFAULT_PRESET, class_names=("neg", "pos"), sequence_length=128
    )
    # Both labels, and scores that depend on each token.
    kernel = classifier.output_dense.kernel
    kernel.assign(20 * kernel)
    shutil.rmtree(base_path, ignore_errors=True)
    return ks.export(classifier, base_path)


def write_tokenizer(directory: pathlib.Path, texts: list[bytes]) -> None:
    """Writes the tokenizer's graph."""
    import tensorflow as tf

    from kerassent.presets import DEFAULT_PRESET, find_preset
    from kerassent.tokenizer import BertTokenizer

    # With every character of the texts, so that few words are [UNK].
    chars = sorted({c for t in texts for c in t.decode("utf-8", "ignore")})
    known = BertTokenizer.from_preset(str(find_preset(DEFAULT_PRESET)))
    vocabulary = [
        *known.get_vocabulary(),
        *(piece for char in chars for piece in (char, f"##{char}")),
    ]
    tokenizer = BertTokenizer(list(dict.fromkeys(vocabulary)))

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, "text")],
        autograph=False,
    )
    def tokenize(text: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = tokenizer(text)
        return {"ids": ids.values, "row_splits": ids.row_splits}

    module = tf.Module()
    module.tokenize = tokenize
    shutil.rmtree(directory, ignore_errors=True)
    tf.saved_model.save(
        module, str(directory), signatures={"serving_default": tokenize}
    )


def compared(
    model: pathlib.Path,
    batches: list[list[bytes]],
    cache: pathlib.Path,
    releases: tuple[str, ...],
) -> dict[str, dict[str, Any]]:
    """Returns how each release's answers differ from those given here."""
    file = cache / "batches.json"
    file.write_text(
        json.dumps(
            [[base64.b64encode(text).decode() for text in b] for b in batches]
        )
    )
    precision = read_export_info(model).get("precision", "float32")
    pythons = {"here": pathlib.Path(sys.executable)} | {
        release: tf_releases.environment(cache, release) for release in releases
    }
    figures: dict[str, dict[str, Any]] = {}
    expected: dict[str, list[Any]] = {}
    for name, python in pythons.items():
        answers_file = cache / "answers.json"
        version = tf_releases.run(python, PROGRAM, model, file, answers_file)
        answers = json.loads(answers_file.read_text())
        expected = expected or answers
        figures[f"{version} {name}" if name == "here" else version] = found = (
            difference(expected, answers, TOLERANCES[precision])
        )
        print(model, name, version, found, file=sys.stderr)
    return figures


def difference(
    expected: dict[str, list[Any]],
    answers: dict[str, list[Any]],
    tolerance: float,
) -> dict[str, Any]:
    """Returns how many outputs differ, and by how much floats do."""
    differing, errors, largest, outputs, num_kinks = 0, 0, 0.0, 0, 0
    for signature, batches in expected.items():
        for batch, answer in zip(batches, answers[signature], strict=True):
            if isinstance(batch, str) or isinstance(answer, str):
                print(signature, answer, file=sys.stderr)
                errors += 1
                continue
            ours, theirs = unpacked(batch), unpacked(answer)
            kink = at_kink(ours, theirs, tolerance)
            num_kinks += int(kink.sum())
            for output, array in ours.items():
                outputs += 1
                equal, by = same(array, theirs[output], tolerance, kink)
                differing += not equal
                if not equal:
                    print(signature, output, "by", by, file=sys.stderr)
                largest = max(largest, by)
    return {
        "signatures": sorted(answers),
        "outputs": outputs,
        "differing": differing,
        "errors": errors,
        "at_kinks": num_kinks,
        "largest_float_difference": largest,
    }


def unpacked(answer: dict[str, Any]) -> dict[str, np.ndarray]:
    """Returns an answer's arrays; strings as bytes objects."""
    return {
        name: np.array(
            [base64.b64decode(each) for each in packed["strings"]], object
        ).reshape(packed["shape"])
        if "strings" in packed
        else np.frombuffer(
            base64.b64decode(packed["bytes"]), packed["dtype"]
        ).reshape(packed["shape"])
        for name, packed in answer.items()
    }


def at_kink(
    ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], tolerance: float
) -> np.ndarray:
    """Returns for which texts rounding decided which slope was seen.

    There the margin's change is the same, and attributions are as near each
    other as their completeness errors say.
    """
    if "completeness_error" not in ours or any(
        ours[name].shape != theirs[name].shape for name in ours
    ):
        return np.zeros(0, bool)
    errors = np.stack([each["completeness_error"] for each in (ours, theirs)])
    sums = np.stack([each["attributions"].sum(1) for each in (ours, theirs)])
    changes = sums - errors
    by = np.abs(ours["attributions"] - theirs["attributions"]).max(
        1, initial=0.0
    )
    off = np.abs(errors[0] - errors[1])
    return (
        (np.maximum(by, off) > tolerance)
        & (by <= np.abs(errors).sum(0))
        & (np.abs(changes[0] - changes[1]) <= tolerance)
    )


def same(
    ours: np.ndarray, theirs: np.ndarray, tolerance: float, kink: np.ndarray
) -> tuple[bool, float]:
    """Returns whether two arrays are equal enough, and how far they are off."""
    if ours.dtype.kind != "f" or ours.shape != theirs.shape:
        return bool(np.array_equal(ours, theirs)), 0.0
    kept = ~kink if kink.size else slice(None)
    by = float(np.abs(ours[kept] - theirs[kept]).max(initial=0.0))
    return ours.dtype == theirs.dtype and by <= tolerance, by


if __name__ == "__main__":
    sys.exit(main())
