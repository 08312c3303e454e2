"""What the machine can do at most, and how much of that each row does."""

from typing import Any, NamedTuple

from tables import Spread, cell, name_of, number, table

# A training step's arithmetic, in passes forward.
STEP = 3
SHORT_TOKENS = 16


class Share(NamedTuple):
    """How near a row is to the roof at one task.

    Args:
        row: Its name.
        task: What was done.
        gflops: What the answers needed at least, a second.
        percent: How much that is of the roof of its precision.
        gigabytes: How many of weights were read a second, if each is read
            once for an answer; `None` where many answers share them.
    """

    row: str
    task: str
    gflops: float
    percent: float
    gigabytes: float | None


def roof_section(parts: dict[str, Any]) -> str:
    """Returns the machine's limits, and the shares of them."""
    if not (roof := parts.get("roofline")):
        return ""
    names = {"tensorflow": "TensorFlow", "torch": "torch"}
    rows = [
        [
            library,
            *(
                cell(roof["gflops"].get(f"{key}_{precision}"))
                for precision in ("float32", "bfloat16")
            ),
        ]
        for key, library in names.items()
    ]
    size = roof["size"]
    header = [
        f"product of {size} × {size} matrices, GFLOP/s",
        "float32",
        "bfloat16",
    ]
    memory = cell(roof["memory_gb_per_second"])
    blocks = [
        table(header, rows),
        f"Memory: {memory} GB/s (two arrays added into a third). The rows of "
        "torch have its products; ours and keras-nlp's have TensorFlow's.",
    ]
    if found := shares(parts):
        blocks += [
            "What answers need at least, as a share of the faster library's "
            "best round: all of each layer for each token, but of the last "
            "layer only what [CLS] reads, no padding, three times that for a "
            "training step. "
            "Who computes more, does so at the cost of this share. One short "
            "review is bound by memory instead: its column says how fast the "
            "layers' weights would have to be read, each once for each answer "
            "(float32 four bytes, bfloat16 two).",
            share_table(found, roof["memory_gb_per_second"]),
        ]
    return "\n\n".join(block.strip() for block in blocks)


def shares(parts: dict[str, Any]) -> list[Share]:
    """Returns each row's share, where its precision has a roof."""
    roofs = parts["roofline"]["roof_gflops"]
    found = []

    def add(
        row: str, task: str, flops: float, seconds: float, weights: float = 0
    ) -> None:
        # Integer products have another roof, which isn't measured.
        if "int8" in row:
            return
        fewer = "bfloat16" in row
        gflops = flops / seconds / 1e9
        read = weights * (2 if fewer else 4) / seconds / 1e9
        roof = roofs["bfloat16" if fewer else "float32"]
        share = Share(row, task, gflops, 100 * gflops / roof, read or None)
        found.append(share)

    if process := parts.get("process"):
        cost = process["flops"]
        mean = flops(
            cost, process["tokens_per_review"], process["tokens_squared"]
        )
        for row, rate in process["reviews_per_second"].items():
            add(row, "batches of 32", mean, 1 / rate["median"])
        for task, tokens in (
            ("long", process["sequence_length"]),
            ("short", SHORT_TOKENS),
        ):
            for row, spread in process["ms"].get(task, {}).items():
                add(
                    row,
                    f"one {task} review",
                    flops(cost, tokens, tokens**2),
                    spread["median"] / 1e3,
                    cost["weights"] if task == "short" else 0,
                )
    if training := parts.get("training"):
        mean = flops(
            training["flops"],
            training["tokens_per_review"],
            training["tokens_squared"],
        )
        for row, rate in training["reviews_per_second"].items():
            name = row.removesuffix("_float32")  # as it is called in process
            add(name, "training", STEP * mean, 1 / rate["median"])
    return found


def flops(cost: dict[str, int], tokens: float, squared: float) -> float:
    """Returns the operations of an answer.

    Args:
        cost: As `weights.least_flops` returns it.
        tokens: Of a review, on average.
        squared: The average of its square.
    """
    return cost["token"] * tokens + cost["pair"] * squared


def share_table(found: list[Share], memory: Spread) -> str:
    """Returns the shares as a table, a line for each row."""
    tasks = list(dict.fromkeys(each.task for each in found))
    lines = []
    for row in dict.fromkeys(each.row for each in found):
        by_task = {each.task: each for each in found if each.row == row}
        line = [name_of(row)]
        for task in tasks:
            line.append(share_cell(by_task.get(task), memory))
        lines.append(line)
    return table(["GFLOP/s (share of the roof)", *tasks], lines)


def share_cell(share: Share | None, memory: Spread) -> str:
    """Returns what one row does at one task."""
    if share is None:
        return ""
    if share.gigabytes is not None:
        percent = 100 * share.gigabytes / memory["max"]
        return f"{number(share.gigabytes)} GB/s ({percent:.0f} % of memory's)"
    return f"{number(share.gflops)} ({share.percent:.0f} %)"
