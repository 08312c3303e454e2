"""Writes docs/benchmarks.md, its pictures and its figures."""

import json
import pathlib
from typing import Any

import pictures
import sections
from tables import table
from verdicts import summary, verdict_table, verdicts

COMMAND = "python tools/bench/run FILE [--run RUN]"
BARS = "benchmarks"
GROWTH = "benchmarks_growth"

# Others' load, in cores, from which the page says that there was some.
SHARED = 0.5


def write(race: dict[str, Any], docs: pathlib.Path) -> None:
    """Writes all of it, each file beside and renamed.

    Args:
        race: What `race.gathered` returns.
        docs: The directory.
    """
    parts = {name: part["figures"] for name, part in race["parts"].items()}
    panels, growing = sections.bar_panels(parts), sections.growth_panels(parts)
    drawn = []
    if panels:
        drawn.append((BARS, pictures.draw_bars(panels)))
    if growing:
        drawn.append((GROWTH, pictures.draw_growth(growing)))
    pictures.write(docs / "images", drawn)
    texts = {
        "benchmarks.md": text(race, parts, [name for name, _ in drawn]),
        "benchmarks.json": json.dumps(race, indent=1) + "\n",
    }
    for name, content in texts.items():
        beside = docs / f".writing-{name}"
        beside.write_text(content, "utf-8")
        beside.replace(docs / name)


def text(race: dict[str, Any], parts: dict[str, Any], drawn: list[str]) -> str:
    """Returns the page.

    Args:
        race: As in `write`.
        parts: Each part's figures.
        drawn: The pictures there are.
    """
    found = verdicts(parts)
    blocks = [
        "# Benchmarks",
        f"Written by `{COMMAND}`, which makes the peers' virtual environments "
        "and measures all of it on one machine. All figures are in "
        "[benchmarks.json](benchmarks.json).",
        *(
            ["**A trial of the tool: these figures say nothing.**"]
            * race["quick"]
        ),
        machine(race),
        "Figures are medians, with the least and the most of the rounds in "
        "brackets. Rows take turns, round by round, on the same weights and "
        "reviews; that all tell the same answers is checked.",
        "## Ahead and behind",
        "The fastest of ours beside the fastest peer, float32 against float32, "
        "and bfloat16 against bfloat16 or int8. *Level* is where the ranges "
        "meet.",
        summary(found),
        verdict_table(found),
    ]
    if BARS in drawn:
        blocks.append(f"![Speeds of all rows as bars](images/{BARS}.svg)")
    for title, write_section in sections.SECTIONS.items():
        if body := write_section(parts):
            blocks.append(f"## {title}")
            if title == sections.GROWTH and GROWTH in drawn:
                blocks.append(f"![Curves of growth](images/{GROWTH}.svg)")
            blocks.append(body)
    blocks += ["## How it was measured", how(race), sections.ROWS]
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def machine(race: dict[str, Any]) -> str:
    """Returns which machine it was, which weights, and who else was there."""
    it = race["machine"]
    parts = race["parts"].values()
    days = sorted({part["started"][:10] for part in parts})
    loads = {
        name: part["others_cores"]
        for name, part in race["parts"].items()
        if (part["others_cores"] or 0) > SHARED
    }
    weights = race["weights"]
    process = race["parts"].get("process", {}).get("figures", {})
    model = process.get("model", "a DistilBERT")
    lines = [
        f"{it['cores']} cores of {article(it['processor'])} (family and model "
        f"{it['family_and_model']}; {', '.join(it['abilities'])}), "
        f"{it['memory_gib']} GiB, {it['system']}, Python {it['python']}, "
        f"{' and '.join(days)}. The model is {model}, with the weights of "
        f"{weights['weights']}; reviews have {weights['sequence_length']} "
        "tokens at most."
    ]
    if loads:
        some = ", ".join(f"{name} {load}" for name, load in loads.items())
        lines.append(
            "**Others used the machine meanwhile**: processors that they took "
            f"on average while a part ran: {some}. That "
            "does not cost all rows alike: beside other work a turn's first "
            "calls of torch were seen to take up to a hundred times as long, "
            "so such a page favours ours. "
            "Figures that count need an idle machine."
        )
    else:
        lines.append("Others took less than half a processor of it meanwhile.")
    return "\n".join(lines)


def article(name: str) -> str:
    """Returns a name with `a` or `an`."""
    return f"an {name}" if name[:1].upper() in "AEIOU" else f"a {name}"


def how(race: dict[str, Any]) -> str:
    """Returns what ran how long, and which versions."""
    lines = [
        [
            name,
            f"`{' '.join(part['arguments'])}`",
            f"{part['seconds'] / 60:.1f}",
            f"{part['others_cores']}",
        ]
        for name, part in race["parts"].items()
    ]
    minutes = sum(part["seconds"] for part in race["parts"].values()) / 60
    versions = {
        "ours and keras-nlp": {
            name: version
            for name, version in race["versions"].items()
            if isinstance(version, str)
        },
        "torch and ONNX Runtime": race["versions"]["torch"],
        "ktrain": race["versions"]["ktrain"],
    }
    told = "\n".join(
        f"- {name}: {', '.join(f'{k} {v}' for k, v in those.items())}"
        for name, those in versions.items()
        if those
    )
    header = ["part", "told", "minutes", "processors that others took"]
    return (
        f"{minutes:.0f} minutes in all:\n\n{table(header, lines)}\n"
        f"Versions:\n\n{told}"
    )
