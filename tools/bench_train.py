"""Times training on real reviews beside keras-nlp's `fit` and a torch loop.

Run it when `forward.py`, the batches or TensorFlow change, on an idle machine:

    python tools/bench_train.py FILE [--shape base] [--batches 8] [--rounds 3]

All train the same weights on the same reviews with AdamW, gradients clipped to
norm 1 and dropout. The reviews are `--batches` of the 32 batches that a sample
makes when reviews of like length share one, from all over the lengths:

- `keras_nlp`: its classifier's `fit` on a list of texts, which tokenizes in
  each epoch, beside the steps, and pads each review to `--sequence-length`;
- `float32`, `bfloat16`: ours on `make_dataset(preprocessor=)`, which tokenizes
  once, before the first epoch;
- `torch_float32`, `torch_bfloat16`: transformers' model in a plain loop with
  batches padded to their longest review, on tokens made beforehand.

They take turns, an epoch each; what is compiled or traced in the first steps is
done before: an epoch of ours (parts of a step are compiled for each width), a
batch of the others. At the end each does that once more in a process of its
own, for its peak memory. torch and transformers are installed into
`--torch-venv` by pip, as pip is configured, when it is not there yet. `--rows`
takes some of them only: all five of `--shape base` need more than 24 GiB, so
`--rows keras_nlp float32 bfloat16` and then without `keras_nlp`.

The last line is a JSON object: reviews a second and the times others' speed
(median, least and most of the rounds), each one's peak memory, and how many
tokens a second our dataset gives when nothing trains on them.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from contextlib import ExitStack
from typing import Any

from bench_turns import Turns, take_turns

# What keras-nlp's DistilBERT-base has, with weights of no training.
BASE = {
    "vocabulary_size": 30522,
    "num_layers": 6,
    "num_heads": 12,
    "hidden_dim": 768,
    "intermediate_dim": 3072,
}
OUR_ROWS = ("float32", "bfloat16")
KERAS_ROWS = ("keras_nlp", *OUR_ROWS)
TORCH_ROWS = ("torch_float32", "torch_bfloat16")
ROWS = KERAS_ROWS + TORCH_ROWS
RATIOS = {
    "times_keras_nlp": dict.fromkeys(OUR_ROWS, "keras_nlp"),
    "times_torch": dict(zip(OUR_ROWS, TORCH_ROWS, strict=True)),
}

# transformers' names for the parts of a layer, of the head, and of the rest.
TORCH_NAMES = {
    "self_attention_layer/query": "attention.q_lin",
    "self_attention_layer/key": "attention.k_lin",
    "self_attention_layer/value": "attention.v_lin",
    "self_attention_layer/attention_output": "attention.out_lin",
    "self_attention_layer_norm": "sa_layer_norm",
    "feedforward_intermediate_dense": "ffn.lin1",
    "feedforward_output_dense": "ffn.lin2",
    "feedforward_layer_norm": "output_layer_norm",
    "pooled_dense": "pre_classifier",
    "logits": "classifier",
    "token_and_position_embedding/token_embedding": (
        "distilbert.embeddings.word_embeddings"
    ),
    "token_and_position_embedding/position_embedding": (
        "distilbert.embeddings.position_embeddings"
    ),
    "embeddings_layer_norm": "distilbert.embeddings.LayerNorm",
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
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pipeline-reviews", type=int, default=8192)
    parser.add_argument(
        "--rows", nargs="+", choices=ROWS, default=ROWS, metavar="ROW"
    )
    parser.add_argument("--without-memory", action="store_true")
    parser.add_argument(
        "--torch-venv",
        type=pathlib.Path,
        default=pathlib.Path("~/.cache/kerassent/torch-venv").expanduser(),
    )
    # What the processes that this starts are told.
    parser.add_argument("--turns", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument(
        "--write", type=pathlib.Path, help=argparse.SUPPRESS, metavar="DIR"
    )
    options = parser.parse_args()
    if options.turns:
        take_turns(
            {
                name: stock(options)
                if name == "keras_nlp"
                else ours(options, name)
                for name in options.turns
            }
        )
    elif options.write:
        write_inputs(options, options.write)
    else:
        with tempfile.TemporaryDirectory() as directory:
            print(json.dumps(measured(options, pathlib.Path(directory))))


def measured(
    options: argparse.Namespace, directory: pathlib.Path
) -> dict[str, Any]:
    """Returns the figures.

    Args:
        options: The command line's.
        directory: For what torch reads.
    """
    this = [sys.executable, *sys.argv]
    subprocess.run([*this, "--write", str(directory)], check=True)
    figures = json.loads((directory / "facts.json").read_text("utf-8"))
    commands = dict.fromkeys(
        (row for row in KERAS_ROWS if row in options.rows), [*this, "--turns"]
    )
    torch_rows = [row for row in TORCH_ROWS if row in options.rows]
    if torch_rows:
        python = torch_python(options.torch_venv)
        loop = str(pathlib.Path(__file__).with_name("bench_train_torch.py"))
        commands |= dict.fromkeys(torch_rows, [python, loop, str(directory)])
    if options.rounds:
        figures |= speeds(options, commands)
        figures["pipeline_times_model"] = {
            name: round(
                figures["pipeline_tokens_per_second"]["warm"]
                / figures["tokens_per_review"]
                / figures["reviews_per_second"][name]["median"]
            )
            for name in OUR_ROWS
            if name in commands
        }
    if not options.without_memory:
        figures["peak_memory_gib"] = {
            name: peak_memory([*command, name], name)
            for name, command in commands.items()
        }
    return figures


def speeds(
    options: argparse.Namespace, commands: dict[str, list[str]]
) -> dict[str, Any]:
    """Returns reviews a second and their ratios.

    Args:
        options: The command line's.
        commands: What starts each row's process, but for the rows' names.
    """
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    with ExitStack() as stack:
        # One of TensorFlow and one of torch: the former keeps what memory it
        # ever had, and three of it would not fit into 24 GiB.
        process = {}
        for some in (KERAS_ROWS, TORCH_ROWS):
            rows = [name for name in some if name in commands]
            if rows:
                turns = Turns([*commands[rows[0]], *rows])
                process |= dict.fromkeys(rows, stack.enter_context(turns))
        for name in commands:
            say(name, "first steps", process[name].warm_up(name))
        for _ in range(options.rounds):
            for name in commands:
                seconds[name].append(process[name].run(name))
                say(name, "epoch", seconds[name][-1])

    reviews = options.batches * options.batch_size
    figures: dict[str, Any] = {
        "reviews_per_second": {
            name: spread([reviews / each for each in epochs])
            for name, epochs in seconds.items()
        }
    }
    for ratio, theirs in RATIOS.items():
        figures[ratio] = {
            ours: spread(
                [
                    a / b
                    for a, b in zip(seconds[row], seconds[ours], strict=True)
                ]
            )
            for ours, row in theirs.items()
            if ours in seconds and row in seconds
        }
    return figures


def peak_memory(command: list[str], row: str) -> float:
    """Returns how many GiB a process took at most that trains one row."""
    with Turns(command) as alone:
        alone.warm_up(row)
        peak = round(alone.peak_bytes / 2**30, 2)
    print(f"{row}: peak memory {peak} GiB", flush=True)
    return peak


def say(row: str, what: str, seconds: float) -> None:
    """Prints what has just been measured."""
    print(f"{row}: {what} {seconds:.1f} s", flush=True)


def spread(values: list[float]) -> dict[str, float]:
    """Returns the median, the least and the most."""
    return {
        "median": round(statistics.median(values), 2),
        "min": round(min(values), 2),
        "max": round(max(values), 2),
    }


def torch_python(home: pathlib.Path) -> str:
    """Returns the interpreter that has torch; makes it if there is none.

    Args:
        home: The virtual environment's directory.
    """
    python = home / "bin" / "python"
    if not python.exists():
        print(f"Installing torch into {home}", flush=True)
        venv.create(home, with_pip=True)
        # torch as it is on PyPI does not import without its CUDA libraries,
        # though it needs none of them here: five gigabytes.
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "torch", "transformers"],
            check=True,
        )
    return str(python)


def training_reviews(options: argparse.Namespace) -> Any:
    """Returns the reviews that all train on, in random order.

    They are batches from all over the lengths that an epoch of ours has: few
    random reviews, sorted, would need more padding than many do.
    """
    import numpy as np

    import kerassent as ks
    from kerassent.token_batches import WINDOW, TokenizedReviews

    size = options.batch_size
    drawn = sample(options, WINDOW * size)
    preprocessor = our_classifier(options, drawn).preprocessor
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


def sample(options: argparse.Namespace, size: int) -> Any:
    """Returns reviews of the file, as many as it has of `size`."""
    import kerassent as ks

    reviews = ks.load_reviews(
        options.file, text=options.text, label=options.label
    )
    return reviews.sample(min(size, len(reviews)), seed=0)


def write_inputs(options: argparse.Namespace, directory: pathlib.Path) -> None:
    """Writes what torch reads, and what is known before training.

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
    from kerassent.token_batches import TokenizedReviews

    reviews = training_reviews(options)
    classifier = our_classifier(options, reviews)
    tokens = TokenizedReviews.of(reviews, classifier.preprocessor)
    first = classifier.preprocessor(tf.constant(list(reviews.texts[:2])))
    np.savez(
        directory / "tokens.npz",
        tokens=tokens.tokens,
        splits=tokens.splits,
        label_ids=reviews.label_ids,
        logits=classifier(first, training=False).numpy(),
    )
    save_file(torch_weights(classifier), directory / "weights.safetensors")
    encoder = classifier.backbone
    config = {
        "vocab_size": encoder.vocabulary_size,
        "max_position_embeddings": encoder.max_sequence_length,
        "n_layers": encoder.num_layers,
        "n_heads": encoder.num_heads,
        "dim": encoder.hidden_dim,
        "hidden_dim": encoder.intermediate_dim,
        "dropout": encoder.dropout,
        "attention_dropout": encoder.dropout,
        "seq_classif_dropout": classifier.dropout,
        "num_labels": len(reviews.class_names),
    }
    settings = {"batch_size": options.batch_size, "config": config}
    (directory / "settings.json").write_text(json.dumps(settings), "utf-8")
    facts = {
        "shape": options.shape,
        "reviews": len(reviews),
        "tokens_per_review": round(len(tokens.tokens) / len(reviews), 1),
        "sequence_length": options.sequence_length,
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
    classifier = our_classifier(options, reviews)
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


def torch_weights(classifier: Any) -> dict[str, Any]:
    """Returns a classifier's weights under transformers' names."""
    import numpy as np

    weights = {}
    for variable in classifier.trainable_variables:
        part, _, kind = variable.path.rpartition("/")
        prefix = ""
        if part.startswith("transformer_layer_"):
            layer, _, part = part.partition("/")
            number = layer.removeprefix("transformer_layer_")
            prefix = f"distilbert.transformer.layer.{number}."
        value = variable.numpy()
        if kind == "kernel":
            inputs = value.shape[0]
            if part.endswith("attention_output"):  # (heads, size, out)
                inputs *= value.shape[1]
            # torch keeps (out, in).
            value = np.ascontiguousarray(value.reshape(inputs, -1).T)
        if kind in ("bias", "beta"):
            weights[f"{prefix}{TORCH_NAMES[part]}.bias"] = value.reshape(-1)
        else:
            weights[f"{prefix}{TORCH_NAMES[part]}.weight"] = value
    return weights


def encoder(options: argparse.Namespace) -> Any:
    """Returns the encoder that all train."""
    import keras
    import keras_nlp

    from kerassent.presets import DEFAULT_PRESET, find_preset

    keras.utils.set_random_seed(0)
    if options.shape == "base":
        return keras_nlp.models.DistilBertBackbone(**BASE)
    return keras_nlp.models.DistilBertBackbone.from_preset(
        str(find_preset(DEFAULT_PRESET))
    )


def compiled(classifier: Any) -> Any:
    """Returns it ready for `fit`."""
    import keras

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
    import keras
    import keras_nlp

    reviews = training_reviews(options)
    tokenizer = our_classifier(options, reviews).preprocessor.tokenizer
    classifier = compiled(
        keras_nlp.models.DistilBertTextClassifier(
            encoder(options),
            num_classes=len(reviews.class_names),
            preprocessor=keras_nlp.models.DistilBertTextClassifierPreprocessor(
                keras_nlp.models.DistilBertTokenizer(
                    tokenizer.get_vocabulary(), lowercase=True
                ),
                sequence_length=options.sequence_length,
            ),
        )
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
    classifier = compiled(our_classifier(options, reviews))
    classifier.precision = precision
    dataset = our_dataset(options, reviews, classifier.preprocessor)

    def epoch() -> None:
        classifier.fit(dataset, verbose=0)

    return epoch, epoch


def our_classifier(options: argparse.Namespace, reviews: Any) -> Any:
    """Returns our classifier, which pads as `train` does."""
    import kerassent as ks
    from kerassent.presets import DEFAULT_PRESET

    preprocessor = ks.SentimentClassifier.from_preset(
        DEFAULT_PRESET, class_names=reviews.class_names
    ).preprocessor.with_settings(
        sequence_length=options.sequence_length, pad_to_multiple_of=16
    )
    return ks.SentimentClassifier(
        encoder(options), reviews.class_names, preprocessor
    )


def our_dataset(
    options: argparse.Namespace, reviews: Any, preprocessor: Any
) -> Any:
    """Returns what ours is fit on."""
    import kerassent as ks

    return ks.make_dataset(
        reviews,
        batch_size=options.batch_size,
        shuffle=True,
        seed=0,
        preprocessor=preprocessor,
    )


def processor() -> str:
    """Returns the processor's own name, where the system tells it."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    names = [line.split(":")[1] for line in lines if "model name" in line]
    return names[0].strip() if names else platform.processor()


if __name__ == "__main__":
    main()
