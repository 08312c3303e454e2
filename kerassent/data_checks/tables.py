"""Data checks as tables for the terminal."""

from typing import Any, Final

from rich.table import Table
from rich.text import Text

from kerassent.data_checks.findings import DataChecks, Finding

_STYLES: Final = {"bad": "bold red", "mind": "yellow", "good": "green"}


def checks_tables(checks: DataChecks) -> tuple[Any, ...]:
    """Returns what to print: the files, the checks, then what was found.

    Args:
        checks: What `check_data` returned.
    """
    return (
        _files(checks),
        _overview(checks),
        *(
            _details(finding)
            for finding in checks.findings
            if finding.severity != "good"
        ),
    )


def _files(checks: DataChecks) -> Table:
    table = Table(title="files", title_justify="left")
    for name in ("file", "reviews", "labels", "median words"):
        table.add_column(
            name,
            justify="right" if name[0] in "rm" else "left",
            overflow="fold",
        )
    for file in checks.files:
        labels = ", ".join(
            f"{name} {count:,}" for name, count in file.class_counts.items()
        )
        table.add_row(
            Text(file.name),
            f"{file.num_reviews:,}",
            Text(labels),
            f"{file.median_words:,}",
        )
    return table


def _overview(checks: DataChecks) -> Table:
    table = Table(title="checks", title_justify="left")
    table.add_column("")
    table.add_column("check", overflow="fold")
    table.add_column("found", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    for finding in checks.findings:
        table.add_row(
            Text(finding.severity, style=_STYLES[finding.severity]),
            Text(finding.title),
            f"{finding.count:,}",
            _percent(finding),
        )
    return table


def _details(finding: Finding) -> Text:
    text = Text("\n")
    text.append(
        f"{finding.title}: {finding.count:,} of {finding.total:,}\n",
        style=_STYLES[finding.severity],
    )
    text.append(f"{finding.explanation}\n")
    for example in finding.examples:
        text.append(f"  {example.where}", style="bold")
        text.append(f"  {example.note}\n" if example.note else "\n")
        if example.text:
            text.append(f"    {example.text}\n", style="dim")
    return text


def _percent(finding: Finding) -> str:
    """Returns the share, which is 0 % only if it is none."""
    share = 100 * finding.share
    if 0 < share < 0.1:
        return "<0.1 %"
    return f"{share:.1f} %"
