"""Loads the tokenizer's graph in other TensorFlow releases and compares ids.

Run it when the tokenizer or TensorFlow changes; it installs from the package
index, about 2 GB:

    python tools/check_tokenizer_graph.py DIRECTORY [FILE] [--text Reviews]

`DIRECTORY` gets a SavedModel and a virtual environment for each release, which
a second run uses again. TensorFlow Text 2.12.1 is what TensorFlow Serving 2.16
to 2.19 link. Each release runs the graph in a Session, as Serving does, under a
Turkish locale, on the texts of tests/nasty_texts.json and the reviews of FILE.
The last line is a JSON object: how many texts' ids differ in which release.
"""

import argparse
import base64
import json
import os
import pathlib
import subprocess
import sys
import venv

RELEASES = ("2.12.1", "2.19.0", "2.20.0")
NASTY = pathlib.Path(__file__).parent.parent / "tests" / "nasty_texts.json"

# What runs in the other releases: nothing of kerassent.
RUN = """
import base64, json, sys
import tensorflow as tf
import tensorflow_text
directory, texts = sys.argv[1:]
texts = [base64.b64decode(t) for t in json.load(open(texts))]
found = []
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    model = tf.compat.v1.saved_model.load(session, ["serve"], directory)
    signature = model.signature_def["serving_default"]
    for start in range(0, len(texts), 500):
        ids, splits = session.run(
            [signature.outputs[name].name for name in ("ids", "row_splits")],
            {signature.inputs["text"].name: texts[start : start + 500]},
        )
        found += [ids[a:b].tolist() for a, b in zip(splits, splits[1:])]
print(json.dumps({"version": tf.__version__, "ids": found}))
"""


def main() -> int:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("file", nargs="?")
    parser.add_argument("--text", default="Reviews", help="the texts' column")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    texts = all_texts(options.file, options.text)
    expected = write_model(options.directory / "model", texts)
    listed = options.directory / "texts.json"
    listed.write_text(
        json.dumps([base64.b64encode(text).decode() for text in texts])
    )
    differing = {}
    for release in RELEASES:
        python = environment(options.directory / release, release)
        done = subprocess.run(
            [python, "-c", RUN, options.directory / "model", listed],
            env=os.environ
            | {"LC_ALL": "tr_TR.UTF-8", "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            check=True,
        )
        found = json.loads(done.stdout.splitlines()[-1])
        differing[found["version"]] = sum(
            a != b for a, b in zip(found["ids"], expected, strict=True)
        )
        print(found["version"], differing[found["version"]], file=sys.stderr)
    print(json.dumps({"texts": len(texts), "differing": differing}))
    return int(any(differing.values()))


def all_texts(file: str | None, column: str) -> list[bytes]:
    """Returns the nasty texts, then the file's."""
    import kerassent as ks

    nasty = json.loads(NASTY.read_text("utf-8"))
    texts = [text.encode() for text in nasty["texts"]]
    texts += [text.encode("latin-1") for text in nasty["bytes_as_latin1"]]
    if file:
        reviews = ks.load_reviews(file, text=column, drop_empty=True)
        texts += [text.encode() for text in reviews.texts]
    return texts


def write_model(directory: pathlib.Path, texts: list[bytes]) -> list[list[int]]:
    """Writes the tokenizer's graph; returns the ids it gives here."""
    import tensorflow as tf

    from kerassent.presets import DEFAULT_PRESET, find_preset
    from kerassent.tokenizer import BertTokenizer

    # With every character of the nasty texts, so that few words are [UNK].
    chars = sorted(
        {c for t in texts[:100] for c in t.decode("utf-8", "ignore")}
    )
    known = BertTokenizer.from_preset(str(find_preset(DEFAULT_PRESET)))
    vocabulary = [
        *known.get_vocabulary(),
        *(piece for char in chars for piece in (char, f"##{char}")),
    ]
    tokenizer = BertTokenizer(list(dict.fromkeys(vocabulary)))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def tokenize(text: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = tokenizer(text)
        return {"ids": ids.values, "row_splits": ids.row_splits}

    module = tf.Module()
    module.tokenize = tokenize
    tf.saved_model.save(
        module, str(directory), signatures={"serving_default": tokenize}
    )
    ids: list[list[int]] = tokenizer(tf.constant(texts)).to_list()
    return ids


def environment(directory: pathlib.Path, release: str) -> pathlib.Path:
    """Returns the Python of a virtual environment with a release."""
    python = directory / "bin" / "python"
    if not (directory / "installed").exists():
        venv.create(directory, with_pip=True, clear=True)
        packages = [f"tensorflow=={release}", f"tensorflow-text=={release}"]
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *packages],
            stdout=sys.stderr,
            check=True,
        )
        (directory / "installed").touch()
    return python


if __name__ == "__main__":
    sys.exit(main())
