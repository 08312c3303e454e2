"""Figures as Markdown. Standard library only."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

Spread = dict[str, float]

NAMES = {
    "float32": "**kerassent**, float32",
    "bfloat16": "**kerassent**, bfloat16",
    "float32_predict": "**kerassent**, `predict_proba`, float32",
    "bfloat16_predict": "**kerassent**, `predict_proba`, bfloat16",
    "keras_nlp": "keras-nlp, float32",
    "keras_nlp_predict": "keras-nlp, `predict`, float32",
    "torch": "transformers + torch, float32",
    "torch_float32": "transformers + torch, float32",
    "torch_bfloat16": "transformers + torch, bfloat16",
    "onnx": "ONNX Runtime, float32",
    "onnx_int8": "ONNX Runtime, dynamic int8",
    "ktrain": "ktrain, float32",
    "grpc": "**kerassent**, gRPC, float32",
    "rest": "**kerassent**, REST, float32",
    "rest_bfloat16": "**kerassent**, REST, bfloat16",
    "fastapi": "FastAPI + transformers, float32",
    "fastapi_bfloat16": "FastAPI + transformers, bfloat16",
    "ours": "**kerassent**, in the graph",
    "ours_eager": "**kerassent**, called eagerly",
    "ours_with_offsets": "**kerassent**, with offsets",
    "tokenizers": "`tokenizers`, as transformers uses it",
    "keras_nlp_eager": "keras-nlp, called eagerly",
}

OURS = frozenset(row for row, name in NAMES.items() if "kerassent" in name)


def name_of(row: str, plain: bool = False) -> str:
    """Returns what a row is called on the page; `plain` is for pictures."""
    name = NAMES[row]
    return name.replace("*", "").replace("`", "") if plain else name


def number(value: float) -> str:
    """Returns three digits that count, with commas in large numbers."""
    if value >= 100:
        return f"{value:,.0f}"
    digits = 1 if value >= 10 else 2
    return f"{value:.{digits}f}"


def cell(spread: Spread | None) -> str:
    """Returns a median with the least and the most, nothing for nothing."""
    if spread is None:
        return ""
    median, least, most = (
        number(spread[name]) for name in ("median", "min", "max")
    )
    return median if least == most else f"{median} ({least} to {most})"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def by_row(
    first: str, columns: dict[str, dict[str, Any]], rows: Iterable[str]
) -> str:
    """Returns a table with a line for each row that has something.

    Args:
        first: What the first column has.
        columns: Spreads by row, by column.
        rows: In their order.
    """
    return table(
        [first, *columns],
        (
            [name_of(row), *(cell(each.get(row)) for each in columns.values())]
            for row in rows
            if any(row in each for each in columns.values())
        ),
    )


def across(
    first: str,
    columns: dict[str, dict[str, Spread]],
    rows: Iterable[str],
    best: Callable[[Iterable[float]], float] = min,
) -> str:
    """Returns a table of medians only, for many columns.

    Args:
        first: What the first column has.
        columns: Spreads by row, by column.
        rows: In their order.
        best: Which of a column's figures is set in bold.
    """
    bests = {
        name: best(spread["median"] for spread in each.values())
        for name, each in columns.items()
    }

    def written(name: str, row: str) -> str:
        if row not in columns[name]:
            return ""
        value = columns[name][row]["median"]
        return f"**{number(value)}**" if value == bests[name] else number(value)

    return table(
        [first, *columns],
        (
            [
                name_of(row),
                *(written(name, row) for name in columns),
            ]
            for row in rows
            if any(row in each for each in columns.values())
        ),
    )
