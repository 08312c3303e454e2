"""Times an export on real reviews beside keras-nlp, torch and ONNX Runtime.

Run it when the export's graph, the tokenizer or TensorFlow change, on an idle
machine:

    python tools/bench_export.py FILE [--shape base] [--reviews 2000]

Raw strings go in, probabilities come out, in batches of 32 in random order; all
have the same weights and tell the same answers, which is checked:

- `keras_nlp`: `classifier(preprocessor(text))` of keras-nlp, exported by its
  own `ExportArchive`, which pads to `--sequence-length`;
- `float32`, `bfloat16`: what `export` writes;
- `torch`: transformers' model in float32, tokens by `tokenizers`, each batch
  padded to its longest review;
- `onnx`, `onnx_int8`: the same in ONNX Runtime, optimized, in float32 and with
  weights quantized dynamically.

The SavedModels run through a `tf.compat.v1.Session`, which is what TensorFlow
Serving runs them by. Rows take turns; what is traced, compiled or packed in the
first calls is done before. `_short` rows answer one review of 16 tokens at a
time. What is needed of torch and ONNX Runtime is installed into `--torch-venv`
by pip, as pip is configured, when it is not there yet.

The last line is a JSON object: reviews a second, milliseconds of a short
review, and times others' speed (median, least and most of the rounds).
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from typing import Any

from bench_train import (
    encoder,
    our_classifier,
    processor,
    sample,
    say,
    spread,
    torch_python,
    torch_weights,
)
from bench_turns import Turns, take_turns

TF_ROWS = ("keras_nlp", "float32", "bfloat16")
PEER_ROWS = ("torch", "onnx", "onnx_int8")
BATCH_SIZE = 32
WARM_UP_BATCHES = 3

# 16 tokens with [CLS] and [SEP]; a number makes each another text.
SHORT = "A wonderful film {} , and I would gladly see it once again !"
NUM_SHORT = 100


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--text", default="Reviews")
    parser.add_argument("--label", default="Sentiment")
    parser.add_argument("--shape", choices=["preset", "base"], default="preset")
    parser.add_argument("--sequence-length", type=int, default=400)
    parser.add_argument("--reviews", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument(
        "--torch-venv",
        type=pathlib.Path,
        default=pathlib.Path("~/.cache/kerassent/torch-venv").expanduser(),
    )
    parser.add_argument("--rows", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--directory", help=argparse.SUPPRESS)
    parser.add_argument("--write", help=argparse.SUPPRESS, metavar="DIR")
    options = parser.parse_args()
    if options.rows:
        directory = pathlib.Path(options.directory)
        take_turns(rows_of(options.rows, directory, session_of))
    elif options.write:
        write_inputs(options, pathlib.Path(options.write))
    else:
        with tempfile.TemporaryDirectory() as directory:
            print(json.dumps(measured(options, pathlib.Path(directory))))


def measured(
    options: argparse.Namespace, directory: pathlib.Path
) -> dict[str, Any]:
    """Returns the figures.

    Args:
        options: The command line's.
        directory: For what the rows' processes read.
    """
    this = [sys.executable, *sys.argv]
    subprocess.run([*this, "--write", str(directory)], check=True)
    commands = {TF_ROWS: [*this, "--directory", str(directory), "--rows"]}
    if not options.without_peers:
        python = torch_python(options.torch_venv)
        needed = ["onnxruntime", "onnx", "tokenizers"]
        subprocess.run([python, "-m", "pip", "install", "-q", *needed])
        peers = str(pathlib.Path(__file__).with_name("bench_export_peers.py"))
        commands[PEER_ROWS] = [python, peers, str(directory)]
    seconds: dict[str, list[float]] = {}
    with ExitStack() as stack:
        turns = {
            row: started
            for rows, command in commands.items()
            for started in [
                stack.enter_context(Turns([*command, *with_short(rows)]))
            ]
            for row in with_short(rows)
        }
        for row, process in turns.items():
            say(row, "first calls", process.warm_up(row))
        for _ in range(options.rounds):
            for row, process in turns.items():
                seconds.setdefault(row, []).append(process.run(row))
                print(f"{row}: {seconds[row][-1]:.4f} s", flush=True)
    return figures(options, seconds)


def figures(
    options: argparse.Namespace, seconds: dict[str, list[float]]
) -> dict[str, Any]:
    """Returns what is to be printed.

    Args:
        options: The command line's.
        seconds: Each row's, of each round.
    """

    def times(*names: str) -> dict[str, Any]:
        """How many times as fast the second is as the first."""
        theirs, ours = (seconds[name] for name in names)
        return spread([a / b for a, b in zip(theirs, ours, strict=True)])

    pairs = [("keras_nlp", "float32"), ("keras_nlp", "bfloat16")]
    if "torch" in seconds:
        pairs += [
            ("torch", "float32"),
            ("onnx", "float32"),
            ("onnx_int8", "bfloat16"),
        ]
    pairs += [(f"{a}_short", f"{b}_short") for a, b in pairs]
    return {
        "shape": options.shape,
        "reviews": options.reviews,
        "sequence_length": options.sequence_length,
        "batch_size": BATCH_SIZE,
        "rounds": options.rounds,
        "cores": os.cpu_count(),
        "processor": processor(),
        "reviews_per_second": {
            row: spread([options.reviews / each for each in values])
            for row, values in seconds.items()
            if not row.endswith("_short")
        },
        "short_ms": {
            row.removesuffix("_short"): spread([1e3 * each for each in values])
            for row, values in seconds.items()
            if row.endswith("_short")
        },
        "times": {f"{b}/{a}": times(a, b) for a, b in pairs},
    }


def with_short(rows: tuple[str, ...]) -> list[str]:
    """Returns rows, each with the one of short reviews."""
    return [name for row in rows for name in (row, f"{row}_short")]


def rows_of(
    names: list[str], directory: pathlib.Path, model: Any
) -> dict[str, Any]:
    """Returns what `take_turns` wants.

    Args:
        names: The rows.
        directory: What `write_inputs` wrote.
        model: From a directory and a row's name to what takes a list of texts
            and returns their probabilities.
    """
    texts = json.loads((directory / "texts.json").read_text("utf-8"))
    expected = json.loads((directory / "expected.json").read_text("utf-8"))
    batches = [
        texts[i : i + BATCH_SIZE] for i in range(0, len(texts), BATCH_SIZE)
    ]
    made: dict[str, Any] = {}

    def row_of(name: str) -> tuple[Any, Any]:
        model_name = name.removesuffix("_short")

        def predict(batch: list[str]) -> Any:
            if model_name not in made:
                made[model_name] = model(directory, model_name)
            return made[model_name](batch)

        def warm_up() -> None:
            # A short one first, as in an export's warmup requests.
            for i in range(1, 1 + WARM_UP_BATCHES):
                predict([SHORT.format(-i)])
            for batch in batches[:WARM_UP_BATCHES]:
                predict(batch)
            check(name, predict(texts[: len(expected)]), expected)

        def all_reviews() -> None:
            for batch in batches:
                predict(batch)

        def one_short() -> float:
            taken = []
            for i in range(NUM_SHORT):
                start = time.perf_counter()
                predict([SHORT.format(i)])
                taken.append(time.perf_counter() - start)
            return float(spread_of(taken))

        return warm_up, one_short if name.endswith("_short") else all_reviews

    return {name: row_of(name) for name in names}


def spread_of(values: list[float]) -> float:
    """Returns the median, not rounded."""
    return sorted(values)[len(values) // 2]


def check(row: str, found: Any, expected: Any) -> None:
    """Raises unless a row says what our classifier says."""
    row_name = row.removesuffix("_short")
    far = {"bfloat16": 0.05, "onnx_int8": 0.3}.get(row_name, 5e-3)
    differences = [
        max(abs(a - b) for a, b in zip(found_row, row_, strict=True))
        for found_row, row_ in zip(found, expected, strict=True)
    ]
    num_far = sum(difference > far for difference in differences)
    print(
        f"{row}: differs by {max(differences):.2g}, {num_far} of "
        f"{len(differences)} texts by more than {far}",
        file=sys.stderr,
        flush=True,
    )
    # keras-nlp and `tokenizers` split some texts in their own way.
    allowed = 0 if row_name in ("float32", "bfloat16") else 1
    if num_far > allowed:
        raise SystemExit(f"{row}: {num_far} of {len(differences)} texts differ")


def session_of(directory: pathlib.Path, row: str) -> Any:
    """Returns what asks a SavedModel through a Session."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  registers the ops of the graph

    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    with graph.as_default():
        model = tf.compat.v1.saved_model.load(
            session, ["serve"], str(directory / row)
        )
    signature = model.signature_def["serving_default"]
    [text] = signature.inputs.values()
    outputs = signature.outputs
    name = "probabilities" if "probabilities" in outputs else "output_0"
    call = session.make_callable(outputs[name].name, [text.name])
    return lambda texts: call([each.encode() for each in texts]).tolist()


def write_inputs(options: argparse.Namespace, directory: pathlib.Path) -> None:
    """Writes the models, the texts and what our classifier says of some.

    Args:
        options: The command line's.
        directory: Where to.
    """
    import keras
    import keras_nlp
    import numpy as np
    import tensorflow as tf
    from safetensors.numpy import save_file

    import kerassent as ks

    reviews = sample(options, options.reviews)
    texts = list(reviews.texts)
    np.random.default_rng(0).shuffle(texts)
    (directory / "texts.json").write_text(json.dumps(texts), "utf-8")
    classifier = our_classifier(options, reviews)
    classifier.preprocessor = classifier.preprocessor.with_settings(
        pad_to_multiple_of=1, truncate="head"
    )
    vocabulary = classifier.preprocessor.tokenizer.get_vocabulary()
    # Of an untrained head all probabilities are about alike.
    kernel = classifier.output_dense.kernel
    kernel.assign(10 * kernel)
    proba = classifier.predict_proba(texts[:BATCH_SIZE])
    (directory / "expected.json").write_text(json.dumps(proba.tolist()))
    for precision in ("float32", "bfloat16"):
        ks.export(classifier, directory / "ours", precision=precision).rename(
            directory / precision
        )
    stock = keras_nlp.models.DistilBertTextClassifier(
        encoder(options),
        num_classes=len(reviews.class_names),
        activation="softmax",
        preprocessor=keras_nlp.models.DistilBertTextClassifierPreprocessor(
            keras_nlp.models.DistilBertTokenizer(vocabulary, lowercase=True),
            sequence_length=options.sequence_length,
        ),
    )
    stock.set_weights(classifier.get_weights())
    archive = keras.export.ExportArchive()
    archive.track(stock)
    archive.add_endpoint(
        "serving_default",
        lambda text: stock(stock.preprocessor(text)),
        [tf.TensorSpec([None], tf.string)],
    )
    archive.write_out(str(directory / "keras_nlp"), verbose=False)
    save_file(torch_weights(classifier), directory / "weights.safetensors")
    (directory / "vocabulary.txt").write_text("\n".join(vocabulary), "utf-8")
    backbone = classifier.backbone
    config = {
        "vocab_size": backbone.vocabulary_size,
        "max_position_embeddings": backbone.max_sequence_length,
        "n_layers": backbone.num_layers,
        "n_heads": backbone.num_heads,
        "dim": backbone.hidden_dim,
        "hidden_dim": backbone.intermediate_dim,
        "num_labels": len(reviews.class_names),
    }
    settings = {"config": config, "sequence_length": options.sequence_length}
    (directory / "settings.json").write_text(json.dumps(settings), "utf-8")


if __name__ == "__main__":
    main()
