"""The whole way on the packaged sample, each step printed."""

import os
import pathlib
import shutil
from collections.abc import Callable

import openpyxl

from kerassent import contract
from kerassent.client import Client
from kerassent.errors import KerassentError
from kerassent.evaluation import evaluate
from kerassent.packaged_sample import (
    LABEL_COLUMN,
    TEXT_COLUMN,
    load_sample,
)
from kerassent.presets import DEFAULT_PRESET, find_preset
from kerassent.reviews import Reviews, load_reviews
from kerassent.run_record import read_info
from kerassent.saved_model.exporting import export
from kerassent.server import serve
from kerassent.training import train

MODEL_NAME = "sentiment"

# Asked in many a Keras sentiment tutorial, with the labels they should get.
QUESTIONS = (
    (
        "this movie was really bad. acting was also bad. I will not watch "
        "again",
        "neg",
    ),
    ("the movie was really great. I will see it again", "pos"),
    ("another great movie. must watch to everyone", "pos"),
)

_EPOCHS = 4
_BATCH_SIZE = 16
_SEQUENCE_LENGTH = 128
_HELD_OUT = 104


def quickstart(
    output: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, list[str]]:
    """Trains, evaluates, exports, serves and asks a model of the sample.

    Args:
        output: The directory to write to; what an earlier quickstart left
            there is replaced.
        weights: A local file to take the preset's weights from.
        say: Called with each line.

    Returns:
        The labels of the three sentences, by protocol: `"gRPC"`, `"REST"`.

    Raises:
        PresetError: The pretrained weights cannot be had.
        ExportError: The export does not reproduce the classifier.
        ServingError: The served model does not answer.
        KerassentError: It does, with other labels than the sentences have.
    """
    home = pathlib.Path(output)
    files = {"train": home / "train.xlsx", "test": home / "test.xlsx"}
    run, models = home / "run", home / "models" / MODEL_NAME
    columns = f"--text {TEXT_COLUMN} --label {LABEL_COLUMN}"

    say("1. A spreadsheet of reviews")
    home.mkdir(parents=True, exist_ok=True)
    for part, file in zip(
        load_sample().split(test_size=_HELD_OUT), files.values(), strict=True
    ):
        _write_xlsx(part, file)
        say(f"   wrote {file}: {len(part)} reviews")
    reviews, held_out = (
        load_reviews(file, text=TEXT_COLUMN, label=LABEL_COLUMN)
        for file in files.values()
    )

    say(f"2. The pretrained model {DEFAULT_PRESET}")
    say(f"   {find_preset(DEFAULT_PRESET, weights=weights)}")

    say("3. A learning rate is looked for, then 1cycle training with it")
    _forget_earlier(run)
    classifier = train(
        reviews,
        run,
        valid=held_out,
        epochs=_EPOCHS,
        batch_size=_BATCH_SIZE,
        sequence_length=_SEQUENCE_LENGTH,
        verbose=2,
    )
    max_lr = read_info(run)["max_lr"]
    say(f"   max_lr {max_lr:.1e}, wrote {run}")

    say("4. The reviews that were held out")
    accuracy = evaluate(classifier, held_out).accuracy
    say(f"   accuracy {accuracy:.3f} on {len(held_out)}; this is no benchmark")

    say("5. A SavedModel that takes raw strings")
    say(f"   wrote {export(classifier, models)}")

    say("6. Served, and asked over both protocols")
    labels = _ask(models, say)
    expected = [label for _, label in QUESTIONS]
    if any(found != expected for found in labels.values()):
        raise KerassentError(
            f"The model of the sample answered {labels}; {expected} was "
            "expected from both. Please report it, with the versions in use."
        )

    say("By hand:")
    for line in (
        f"kerassent train {files['train']} {columns} --valid {files['test']} "
        f"--epochs {_EPOCHS} --batch-size {_BATCH_SIZE} "
        f"--sequence-length {_SEQUENCE_LENGTH} --output runs/sample",
        f"kerassent evaluate runs/sample {files['test']} {columns}",
        f"kerassent export runs/sample {models}",
        f"kerassent serve {models} --model-name {MODEL_NAME}",
        f"kerassent predict --url grpc://localhost:{contract.GRPC_PORT} "
        f'--model-name {MODEL_NAME} "{QUESTIONS[1][0]}"',
    ):
        say(f"   {line}")
    return labels


def _ask(
    models: pathlib.Path, say: Callable[[str], None]
) -> dict[str, list[str]]:
    texts = [text for text, _ in QUESTIONS]
    labels = {}
    with serve(
        models, model_name=MODEL_NAME, port=0, rest_api_port=0
    ) as server:
        for protocol, url in (
            ("gRPC", server.grpc_url),
            ("REST", server.rest_url),
        ):
            with Client(url, model_name=MODEL_NAME) as client:
                answers = client.predict(texts)
            labels[protocol] = [answer.label for answer in answers]
            say(f"   {protocol} {url}")
            for text, answer in zip(texts, answers, strict=True):
                say(f"     {answer.label} {answer.score:.3f}  {text}")
    return labels


def _write_xlsx(reviews: Reviews, file: pathlib.Path) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(TEXT_COLUMN)
    sheet.append([TEXT_COLUMN, LABEL_COLUMN])
    for row in zip(reviews.texts, reviews.labels or (), strict=True):
        sheet.append(row)
    book.save(file)


def _forget_earlier(run: pathlib.Path) -> None:
    """Removes an earlier quickstart's run, and nothing that isn't one."""
    for directory in (run, run.with_name(run.name + ".partial")):
        if (directory / contract.CHECKPOINTS).is_dir():
            shutil.rmtree(directory)
