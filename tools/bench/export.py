"""Times an export on real reviews beside its peers, raw strings to answers.

Run it when the export's graph, the tokenizer or TensorFlow change, on an idle
machine:

    python tools/bench/export.py FILE [--shape base] [--reviews 2000]

All have the same weights and tell the same answers, which is checked:

- `keras_nlp`: `classifier(preprocessor(text))` of keras-nlp, exported by its
  own `ExportArchive`, which pads to `--sequence-length`; `keras_nlp_predict` is
  its classifier's `predict`;
- `float32`, `bfloat16`: what `export` writes; `float32_predict` and
  `bfloat16_predict` are `predict_proba` of what `open_model` returns;
- `torch`, `torch_bfloat16`: transformers' model, tokens by `tokenizers`, each
  batch padded to its longest review;
- `onnx`, `onnx_int8`: the same in ONNX Runtime, optimized, in float32 and with
  weights quantized dynamically;
- `ktrain`: its predictor.

The SavedModels run through a `tf.compat.v1.Session`, which is what TensorFlow
Serving runs them by. Rows take turns; what is traced, compiled or packed in the
first calls is done before. The tasks are those of `answering.py`. Peers are
installed into `--peers` by pip, as pip is configured, when they are not there
yet; `--models` is a directory for what the rows load, which is used again when
it is there.

The last line is a JSON object: reviews a second in batches of 32 in random
order, milliseconds of a call of each other task, and times others' speed
(median, least and most of the rounds).
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from typing import Any

import peers
import weights
from answering import BATCH_SIZE, TASKS, Predict, rows_of
from figures import processor, say, spread, times
from turns import Turns, take_turns

TF_ROWS = ("keras_nlp", "float32", "bfloat16")
PREDICT_ROWS = ("keras_nlp_predict", "float32_predict", "bfloat16_predict")
TORCH_ROWS = ("torch", "torch_bfloat16", "onnx", "onnx_int8")
KTRAIN_ROWS = ("ktrain",)
ROWS = TF_ROWS + PREDICT_ROWS + TORCH_ROWS + KTRAIN_ROWS
PAIRS = (
    ("keras_nlp", "float32"),
    ("keras_nlp", "bfloat16"),
    ("keras_nlp_predict", "float32_predict"),
    ("keras_nlp_predict", "bfloat16_predict"),
    ("torch", "float32"),
    ("torch_bfloat16", "bfloat16"),
    ("onnx", "float32"),
    ("onnx_int8", "bfloat16"),
    ("ktrain", "float32"),
    ("ktrain", "bfloat16"),
)


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    weights.add_arguments(parser)
    peers.add_argument(parser)
    parser.add_argument("--reviews", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--tasks", nargs="+", default=TASKS, metavar="TASK")
    parser.add_argument("--models", type=pathlib.Path)
    # What the processes that this starts are told.
    parser.add_argument("--turns", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turns:
        made = rows_of(options.turns, options.models, asked_of, options.seconds)
        take_turns(made)
    elif options.write:
        write_inputs(options, options.models)
    else:
        with tempfile.TemporaryDirectory() as directory:
            options.models = options.models or pathlib.Path(directory, "models")
            print(json.dumps(measured(options)))


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the figures."""
    this = [sys.executable, *sys.argv, f"--models={options.models}"]
    if not options.models.exists():
        subprocess.run([*this, "--write"], check=True)
    seconds: dict[str, list[float]] = {}
    with ExitStack() as stack:
        process = {}
        for rows in (TF_ROWS + PREDICT_ROWS, TORCH_ROWS, KTRAIN_ROWS):
            keys = [
                f"{row}/{task}"
                for row in rows
                for task in options.tasks
                if row in options.rows
            ]
            if keys:
                command = [*this, "--turns"]
                if rows in (TORCH_ROWS, KTRAIN_ROWS):
                    command = peer_command(options, rows)
                turns = Turns([*command, *keys])
                process |= dict.fromkeys(keys, stack.enter_context(turns))
        # Each of a task's rows, then the next task's.
        keys = sorted(process, key=lambda key: tasks_first(options, key))
        for key in keys:
            say(key, "first calls", process[key].warm_up(key))
        for _ in range(options.rounds):
            for key in keys:
                seconds.setdefault(key, []).append(process[key].run(key))
                say(key, "a turn", seconds[key][-1])
    return figures(options, seconds)


def tasks_first(options: argparse.Namespace, key: str) -> tuple[int, int]:
    """Returns where a key is in the order of turns."""
    row, _, task = key.partition("/")
    return list(options.tasks).index(task), ROWS.index(row)


def peer_command(options: argparse.Namespace, rows: Any) -> list[str]:
    """Returns what starts a peer's process, but for its keys."""
    name = "torch" if rows == TORCH_ROWS else "ktrain"
    program = pathlib.Path(__file__).with_name(f"export_{name}.py")
    python = peers.python_of(name, options.peers)
    return [python, str(program), str(options.models), str(options.seconds)]


def figures(
    options: argparse.Namespace, seconds: dict[str, list[float]]
) -> dict[str, Any]:
    """Returns what is to be printed.

    Args:
        options: The command line's.
        seconds: Each key's, of each round.
    """
    facts = json.loads((options.models / "facts.json").read_text("utf-8"))
    found = facts | {
        "batch_size": BATCH_SIZE,
        "rounds": options.rounds,
        "cores": os.cpu_count(),
        "processor": processor(),
        "reviews_per_second": {},
        "ms": {},
        "times": {},
    }
    for key, values in seconds.items():
        row, _, task = key.partition("/")
        if task == "reviews":
            rates = [facts["reviews"] / each for each in values]
            found["reviews_per_second"][row] = spread(rates)
        else:
            milliseconds = spread([1e3 * each for each in values])
            found["ms"].setdefault(task, {})[row] = milliseconds
    for task in options.tasks:
        found["times"][task] = {
            f"{ours}/{theirs}": times(
                seconds[f"{theirs}/{task}"], seconds[f"{ours}/{task}"]
            )
            for theirs, ours in PAIRS
            if theirs in options.rows and ours in options.rows
        }
    return found


def asked_of(directory: pathlib.Path, row: str) -> Predict:
    """Returns what takes a list of texts and returns their probabilities."""
    model = row.removesuffix("_predict")
    if model == row:
        return session_of(directory, row)
    if model == "keras_nlp":
        import keras_nlp
        import numpy as np

        stock = keras_nlp.models.DistilBertTextClassifier.from_preset(
            str(directory / "keras_nlp_preset")
        )
        return lambda texts: stock.predict(np.array(texts), verbose=0).tolist()
    from kerassent.prediction import open_model

    opened = open_model(directory / model)
    return lambda texts: opened.predict_proba(texts).tolist()


def session_of(directory: pathlib.Path, row: str) -> Predict:
    """Returns what asks a SavedModel through a Session."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  registers the ops of the graph

    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    with graph.as_default():
        model = tf.compat.v1.saved_model.load(
            session, ["serve"], str(directory / row / "1")
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
        directory: Where to; it must not be there yet.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    import kerassent as ks

    beside = directory.with_name(f".writing-{directory.name}")
    shutil.rmtree(beside, ignore_errors=True)
    reviews = weights.sample(options, options.reviews)
    texts = list(reviews.texts)
    np.random.default_rng(0).shuffle(texts)
    classifier = weights.our_classifier(options, reviews.class_names)
    if not options.run:
        # Of an untrained head all probabilities are about alike.
        kernel = classifier.output_dense.kernel
        kernel.assign(10 * kernel)
    weights.write_checkpoint(options, classifier, beside / "checkpoint")
    for precision in ("float32", "bfloat16"):
        ks.export(classifier, beside / precision, precision=precision)
    stock = weights.stock_classifier(options, classifier, "softmax")
    stock.save_to_preset(str(beside / "keras_nlp_preset"))
    archive = keras.export.ExportArchive()
    archive.track(stock)
    archive.add_endpoint(
        "serving_default",
        lambda text: stock(stock.preprocessor(text)),
        [tf.TensorSpec([None], tf.string)],
    )
    archive.write_out(str(beside / "keras_nlp" / "1"), verbose=False)
    tokens = classifier.preprocessor(tf.constant(texts))["padding_mask"]
    lengths = np.asarray(tokens).sum(1)
    by_task = {
        "reviews": texts,
        "long": [
            text
            for text, length in zip(texts, lengths, strict=True)
            if length == options.sequence_length
        ],
    }
    expected = classifier.predict_proba(texts[:BATCH_SIZE]).tolist()
    facts = weights.described(options) | {
        "model": model_of(classifier.backbone),
        "reviews": len(texts),
        "tokens_per_review": round(float(lengths.mean()), 1),
        "tokens_squared": round(float((lengths**2).mean()), 1),
        "flops": weights.least_flops(classifier.backbone),
    }
    for name, content in (
        ("texts", by_task),
        ("expected", expected),
        ("facts", facts),
    ):
        (beside / f"{name}.json").write_text(json.dumps(content), "utf-8")
    beside.rename(directory)


def model_of(backbone: Any) -> str:
    """Returns its size in words."""
    return (
        f"a DistilBERT of {backbone.num_layers} layers of "
        f"{backbone.hidden_dim}, {backbone.count_params() / 1e6:.1f} million "
        "weights"
    )


if __name__ == "__main__":
    main()
