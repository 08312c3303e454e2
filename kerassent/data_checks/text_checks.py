"""Checks of single texts: empty, tiny, huge, of another kind."""

from collections.abc import Callable
from typing import Final

import numpy as np

from kerassent.data_checks.findings import Example, Finding
from kerassent.data_checks.languages import other_script, rare_prose
from kerassent.data_checks.material import Material
from kerassent.data_checks.words import ENTITY, TAG

_TINY_WORDS: Final = 3
_MANY_TINY: Final = 0.01
_HUGE_TIMES: Final = 10
_HUGE_WORDS: Final = 2000
_MARKUP_SHARE: Final = 0.2
_FEW: Final = 0.001
_MANY_TRUNCATED: Final = 0.25


def unusable(material: Material) -> Finding:
    """Rows whose text is empty, or none.

    Args:
        material: What there is.
    """
    files = material.corpus.files
    rows = [
        Example(file.where(row), "", what)
        for file in files
        for row, what in [
            *((row, "empty") for row in file.empty),
            *file.unreadable,
        ]
    ]
    return Finding(
        name="unusable",
        title="Rows without a text",
        severity="mind" if rows else "good",
        count=len(rows),
        total=sum(file.num_rows for file in files),
        explanation="`kerassent train` refuses empty ones without "
        "`--drop-empty`, and error values always.",
        examples=tuple(rows[: material.num_examples]),
        figures={
            "empty": sum(len(file.empty) for file in files),
            "unreadable": sum(len(file.unreadable) for file in files),
        },
    )


def sizes(material: Material) -> list[Finding]:
    """Texts that are much shorter or longer than the others.

    Args:
        material: What there is.
    """
    corpus, counts = material.corpus, material.words.counts
    tiny = np.flatnonzero(counts < _TINY_WORDS)
    limit = max(_HUGE_WORDS, _HUGE_TIMES * int(np.median(counts)))
    huge = np.flatnonzero(counts > limit)
    huge = huge[np.argsort(-counts[huge], kind="stable")]
    total = len(corpus)
    shown = material.some(huge)
    return [
        Finding(
            name="tiny",
            title=f"Texts of fewer than {_TINY_WORDS} words",
            severity="mind" if len(tiny) > _MANY_TINY * total else "good",
            count=len(tiny),
            total=total,
            explanation="There is little in them to learn from. Are they "
            "reviews?",
            examples=corpus.examples(material.some(tiny)),
            figures={},
        ),
        Finding(
            name="huge",
            title=f"Texts of more than {limit:,} words",
            severity="mind" if len(huge) else "good",
            count=len(huge),
            total=total,
            explanation="Of the longest the model reads only a part. Several "
            "texts in one cell, or a broken quotation mark in a csv file, look "
            "like that.",
            examples=corpus.examples(
                shown, [f"{counts[i]:,} words" for i in shown]
            ),
            figures={},
        ),
    ]


def languages(material: Material) -> Finding:
    """Texts in another language or script than most, or no prose.

    Args:
        material: What there is.
    """
    corpus = material.corpus
    lacking, shares = rare_prose(material.words)
    foreign, usual, scripts = other_script(corpus.texts)
    found = np.flatnonzero(lacking | foreign)
    found = found[np.argsort(shares[found] - foreign[found], kind="stable")]
    shown = material.some(found)
    return Finding(
        name="languages",
        title="Texts in another language than most, or no sentences",
        severity="mind" if len(found) else "good",
        count=len(found),
        total=len(corpus),
        explanation=(
            "They are in another script, or nearly without the commonest words "
            "of all texts: another language, lists, letters at random. Texts "
            "of fewer than 12 words are judged by their script alone."
        ),
        examples=corpus.examples(
            shown,
            [
                f"script {scripts[i].lower()}, of most {usual.lower()}"
                if foreign[i]
                else f"{shares[i]:.0%} common words"
                for i in shown
            ],
        ),
        figures={"other_script": float(foreign.sum())},
    )


def markup(material: Material) -> Finding:
    """Texts with HTML in them.

    Args:
        material: What there is.
    """
    corpus = material.corpus
    shares = np.array([_markup_share(text) for text in corpus.texts])
    tagged = int((shares > 0).sum())
    heavy = np.flatnonzero(shares > _MARKUP_SHARE)
    heavy = heavy[np.argsort(-shares[heavy], kind="stable")]
    shown = material.some(heavy if len(heavy) else np.flatnonzero(shares > 0))
    return Finding(
        name="markup",
        title=f"Texts that are HTML by more than {_MARKUP_SHARE:.0%}",
        severity="mind" if len(heavy) > _FEW * len(corpus) else "good",
        count=len(heavy),
        total=len(corpus),
        explanation=(
            f"{tagged:,} have some tag or entity. `kerassent train` leaves "
            "tags out where the texts have some, and so does the served model. "
            "In texts that are mostly tags, little else is left."
        ),
        examples=corpus.examples(
            shown, [f"{shares[i]:.0%} of it is HTML" for i in shown]
        ),
        figures={"with_some": tagged},
    )


def truncation(
    material: Material,
    count_tokens: Callable[[list[str]], np.ndarray],
    *,
    sequence_length: int,
    exact: bool,
) -> Finding:
    """Texts that are longer than what the model reads.

    Args:
        material: What there is.
        count_tokens: Returns how many tokens texts have.
        sequence_length: How many it reads.
        exact: Whether the tokens are the model's own.
    """
    corpus = material.corpus
    counts = count_tokens(corpus.texts)
    longer = np.flatnonzero(counts > sequence_length)
    share = len(longer) / max(1, len(corpus))
    kept = np.minimum(counts, sequence_length).sum() / max(1, counts.sum())
    longest = longer[np.argsort(-counts[longer], kind="stable")]
    shown = material.some(longest)
    percentiles = {
        f"p{percent}": float(np.percentile(counts, percent))
        for percent in (50, 90, 95, 99)
    }
    about = "" if exact else "about "
    return Finding(
        name="truncation",
        title=f"Texts of more than {sequence_length} tokens"
        + ("" if exact else " (estimated)"),
        severity="mind" if share > _MANY_TRUNCATED else "good",
        count=len(longer),
        total=len(corpus),
        explanation=(
            f"A model with `--sequence-length {sequence_length}` reads {about}"
            f"{kept:.0%} of all tokens, and of longer texts beginning and end. "
            f"Half of the texts have {about}{percentiles['p50']:.0f} tokens or "
            f"fewer, 90 % {percentiles['p90']:.0f}, 99 % "
            f"{percentiles['p99']:.0f}."
        ),
        examples=corpus.examples(
            shown, [f"{about}{counts[i]:,.0f} tokens" for i in shown]
        ),
        figures={"kept": float(kept), **percentiles},
    )


def _markup_share(text: str) -> float:
    if "<" not in text and "&" not in text:
        return 0.0
    found = sum(len(match[0]) for match in TAG.finditer(text))
    found += sum(len(match[0]) for match in ENTITY.finditer(text))
    return found / len(text)
