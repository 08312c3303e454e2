"""The sections of docs/benchmarks.md, each from its part's figures."""

from collections.abc import Callable
from typing import Any

from roof import roof_section
from tables import NAMES, Spread, across, by_row, cell, name_of, number, table

GROWTH = "How cost grows"
Panels = dict[str, tuple[str, dict[str, Spread]]]
Growing = dict[str, tuple[str, dict[int, dict[str, Spread]]]]

ROWS = """
What each row is:

- **kerassent**: what `kerassent export` writes, through a
  `tf.compat.v1.Session`, which is how TensorFlow Serving runs it;
  `predict_proba` is the Python call on the same export. Training is `fit` on
  `make_dataset(preprocessor=)`, tokens made before.
- **keras-nlp**: its classifier with its own preprocessor, which pads each
  review to the sequence length, exported by its `ExportArchive`, or asked by
  its `predict`; trained by its `fit` on a list of texts, which tokenizes beside
  the steps.
- **transformers + torch**: `DistilBertForSequenceClassification` (SDPA
  attention) under `inference_mode`, tokens by `tokenizers`, padded to the
  batch's longest; in training a plain loop with fused AdamW, and autocast for
  bfloat16, tokens made before. Over the rows of a file it is a `pipeline` with
  batches of 32.
- **ONNX Runtime**: that model exported, and optimized by its
  `transformers.optimizer`; or its weights quantized dynamically to int8, whose
  answers differ by more: one text of 32 may be off by over 0.3, float32 rows by
  0.005, bfloat16 by 0.05.
- **ktrain**: its `text.Transformer` and predictor, which pad each review to the
  sequence length; trained by `fit_onecycle`, tokens made before. It needs Keras
  2, NumPy 1 and transformers 4; the newest TensorFlow runs them.
- **FastAPI + transformers**: `tools/bench/service.py`, one worker of uvicorn, a
  `pipeline`; it does not batch. kerassent's server batches as the export says.
- Peers have all cores. The clients of the servers run on the same cores, and
  their work is in the figures.
"""


def bar_panels(parts: dict[str, Any]) -> Panels:
    """Returns unit and figures by row, by title, of the bars' picture."""
    panels: Panels = {}
    if process := parts.get("process"):
        rates = process["reviews_per_second"]
        panels["batches of 32 real reviews"] = ("reviews/s", rates)
        for task in ("short", "long"):
            if task in process["ms"]:
                panels[f"one {task} review"] = ("ms", process["ms"][task])
    if training := parts.get("training"):
        panels["training"] = ("reviews/s", training["reviews_per_second"])
    if services := parts.get("services"):
        for clients, rows in services.get("reviews", {}).items():
            who = "client" if clients == "1" else "clients"
            panels[f"server, {clients} {who}"] = (
                "answers/s",
                column(rows, "answers_per_second"),
            )
    if tokenization := parts.get("tokenization"):
        rates = tokenization["megabytes_per_second"]
        panels["tokenization"] = ("MB/s", rates)
    return panels


def growth_panels(parts: dict[str, Any]) -> Growing:
    """Returns unit and spreads by row and size, by axis, of the curves."""
    panels: Growing = {}
    if growth := parts.get("growth"):
        panels["tokens of a review"] = ("ms", sized(growth["ms"], "length"))
        panels["reviews of 128 tokens in a batch"] = (
            "ms",
            sized(growth["ms"], "batch"),
        )
    if clients := parts.get("clients"):
        panels["clients"] = (
            "answers a second",
            {
                int(size): column(rows, "answers_per_second")
                for size, rows in clients["short"].items()
            },
        )
    if rows := parts.get("rows"):
        seconds = {int(size): each for size, each in rows["seconds"].items()}
        panels["rows of a file"] = ("seconds", seconds)
    return panels


def sized(by_task: dict[str, Any], kind: str) -> dict[int, dict[str, Spread]]:
    """Returns the tasks of a kind, as `length_8`, by their size."""
    return {
        int(task.partition("_")[2]): rows
        for task, rows in by_task.items()
        if task.startswith(f"{kind}_")
    }


def column(rows: dict[str, Any], name: str) -> dict[str, Spread]:
    """Returns one figure of each row."""
    return {row: figures[name] for row, figures in rows.items()}


def process_section(parts: dict[str, Any]) -> str:
    """Returns that of raw strings to probabilities."""
    if not (process := parts.get("process")):
        return ""
    columns = {"batches of 32, reviews/s": process["reviews_per_second"]}
    columns |= {
        f"one {task} review, ms": rows for task, rows in process["ms"].items()
    }
    return (
        f"{process['reviews']} real reviews in random order in batches of 32 "
        f"(on average {process['tokens_per_review']:.0f} tokens, as clipped); "
        "one review of 16 tokens; one real review that fills the sequence "
        f"length. {process['rounds']} rounds.\n\n"
        + by_row("raw strings to probabilities", columns, NAMES)
        + "\nHow many times as fast ours is, pair by pair:\n\n"
        + pairs_table(process["times"])
    )


def pairs_table(times: dict[str, dict[str, Spread]]) -> str:
    """Returns a line for each pair, a column for each task."""
    pairs = dict.fromkeys(
        pair for by_pair in times.values() for pair in by_pair
    )
    return table(
        ["ours", "against", *times],
        (
            [
                *(name_of(row) for row in pair.split("/")),
                *(cell(by_pair.get(pair)) for by_pair in times.values()),
            ]
            for pair in pairs
        ),
    )


def services_section(parts: dict[str, Any]) -> str:
    """Returns that of the servers."""
    if not (services := parts.get("services")):
        return ""
    blocks = [
        f"{services['rounds']} rounds of {services['seconds']:g} seconds; a "
        "client asks again as soon as it is answered."
    ]
    for task, what in (("short", "16 tokens"), ("reviews", "real reviews")):
        columns = {}
        for clients, rows in services.get(task, {}).items():
            columns[f"{clients} at a time, answers/s"] = column(
                rows, "answers_per_second"
            )
            columns["p50, ms" if clients == "1" else f"{clients}: p50, ms"] = (
                column(rows, "p50_ms")
            )
            if clients != "1":
                columns[f"{clients}: p95, ms"] = column(rows, "p95_ms")
        if columns:
            blocks.append(by_row(what, columns, NAMES))
    starts = (
        [
            name_of(row),
            f"{services['start_seconds'][row]}",
            f"{services['peak_gib'][row]}",
        ]
        for row in services["start_seconds"]
    )
    header = ["", "seconds to the first answer", "largest memory, GiB"]
    blocks.append(table(header, starts))
    return "\n\n".join(block.strip() for block in blocks)


def training_section(parts: dict[str, Any]) -> str:
    """Returns that of training."""
    if not (training := parts.get("training")):
        return ""
    columns = {
        "reviews/s": training["reviews_per_second"],
        "times keras-nlp": training["times_keras_nlp"],
        "times torch": training["times_torch"],
        "times ktrain": training["times_ktrain"],
    }
    pipeline = training["pipeline_tokens_per_second"]
    return (
        f"{training['reviews']} reviews an epoch, batches of "
        f"{training['batch_size']} from all over the lengths (on average "
        f"{training['tokens_per_review']:.0f} tokens), {training['rounds']} "
        "epochs in turns after what is traced or compiled in the first "
        "steps.\n\n"
        + by_row("training", columns, NAMES)
        + f"\nThe input alone: {number(pipeline['cold'])} tokens a second "
        "while they are made, and "
        f"{number(pipeline['warm'])} once they are there."
    )


def tokenization_section(parts: dict[str, Any]) -> str:
    """Returns that of tokenization."""
    if not (figures := parts.get("tokenization")):
        return ""
    columns = {"MB/s": figures["megabytes_per_second"]}
    return (
        f"{figures['reviews']:,} reviews, {figures['megabytes']} MB, in one "
        f"call, {figures['rounds']} rounds (keras-nlp's eager form once). One "
        f"review alone takes ours {figures['one_review_ms']} ms.\n\n"
        + by_row("tokenization", columns, NAMES)
        + "\nMilliseconds of a call, by reviews:\n\n"
        + across("reviews", figures["ms_by_reviews"], NAMES)
    )


def growth_section(parts: dict[str, Any]) -> str:
    """Returns that of growth: a table for each picture."""
    blocks = [
        f"By {name}, {unit}:\n\n"
        + across(
            name,
            {f"{size:,}": rows for size, rows in sizes.items()},
            NAMES,
            max if "answers" in unit else min,
        )
        for name, (unit, sizes) in growth_panels(parts).items()
    ]
    if rows := parts.get("rows"):
        memory = {
            f"{int(size):,}": {
                row: {"median": gib} for row, gib in each.items()
            }
            for size, each in rows["peak_gib"].items()
        }
        blocks.append(
            "A process a time, from its start to its end. Its largest memory "
            "by rows of a file, GiB:\n\n" + across("rows", memory, NAMES)
        )
    return "\n".join(blocks)


SECTIONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "The roof, and our share of it": roof_section,
    "In process": process_section,
    "Through a server": services_section,
    "Training": training_section,
    "Tokenization": tokenization_section,
    GROWTH: growth_section,
}
