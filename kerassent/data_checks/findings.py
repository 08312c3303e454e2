"""What was found in reviews, as plain data."""

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

# Bad makes figures wrong, mind may, good is how it should be.
Severity = Literal["bad", "mind", "good"]
_ORDER: Final[dict[str, int]] = {"bad": 0, "mind": 1, "good": 2}


@dataclass(frozen=True)
class Example:
    """A review, or two, that a finding speaks of.

    Args:
        where: File, and row as the file's user counts: "train.xlsx, Excel row
            14"; of two reviews both.
        text: The beginning of the text, on one line.
        note: What there is to see, such as the two labels; often "".
    """

    where: str
    text: str
    note: str


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Args:
        name: The check's name for programs, such as `"contradictions"`.
        title: For people, such as "The same text with different labels".
        severity: `"bad"` makes figures wrong, `"mind"` may, `"good"` is how it
            should be.
        count: How many reviews, or what else `title` counts.
        total: Of how many.
        explanation: What it means and what to do.
        examples: A few of them, the clearest first.
        figures: What else was measured, by name.
    """

    name: str
    title: str
    severity: Severity
    count: int
    total: int
    explanation: str
    examples: tuple[Example, ...]
    figures: dict[str, float]

    @property
    def share(self) -> float:
        """How many of the reviews it concerns, 0 to 1."""
        return self.count / self.total if self.total else 0.0


@dataclass(frozen=True)
class FileSummary:
    """One file that was looked at.

    Args:
        name: The file's name.
        num_reviews: Rows with a text.
        num_rows: All rows.
        class_counts: Reviews of each label, by its name; none without labels.
        median_words: Half of the texts have as many words or fewer.
    """

    name: str
    num_reviews: int
    num_rows: int
    class_counts: dict[str, int]
    median_words: int


@dataclass(frozen=True)
class DataChecks:
    """What was found in files of reviews.

    Args:
        files: The files, the training's first.
        findings: A finding for each check, the gravest first.
    """

    files: tuple[FileSummary, ...]
    findings: tuple[Finding, ...]

    @property
    def severity(self) -> Severity:
        """The gravest finding's."""
        return min(
            (finding.severity for finding in self.findings),
            key=_ORDER.__getitem__,
            default="good",
        )

    def finding(self, name: str) -> Finding:
        """Returns the finding of one check.

        Args:
            name: Its name.

        Raises:
            KeyError: There is none of that name.
        """
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as what JSON can hold."""
        return asdict(self) | {"severity": self.severity}


def gravest_first(findings: list[Finding]) -> tuple[Finding, ...]:
    """Returns findings in order: the gravest first, else as they came.

    Args:
        findings: In the order of the checks.
    """
    return tuple(sorted(findings, key=lambda each: _ORDER[each.severity]))
