"""Checks of copies: within a file, and from the training into a test."""

from typing import Final

import numpy as np

from kerassent.data_checks.copies import similarity
from kerassent.data_checks.corpus import shortened
from kerassent.data_checks.findings import Example, Finding, Severity
from kerassent.data_checks.material import Material

_FEW: Final = 0.001
_MANY: Final = 0.2
# A test of which so much is known already says too much good.
_LEAKED: Final = 0.005
_CONTRADICTORY: Final = 0.01


def copies_within(material: Material) -> Finding:
    """Texts that the same file has already, word for word or nearly.

    Args:
        material: What there is.
    """
    corpus = material.corpus
    same: list[tuple[int, int]] = []
    near: list[tuple[int, int]] = []
    for file in corpus.files:
        known: dict[int, int] = {}
        alike: dict[int, int] = {}
        for i in range(file.first, file.first + file.num_texts):
            first, group = int(material.firsts[i]), int(material.groups[i])
            if first in known:
                same.append((known[first], i))
            elif group in alike:
                near.append((alike[group], i))
            known.setdefault(first, i)
            alike.setdefault(group, i)
    count = len(same) + len(near)
    share = count / max(1, len(corpus))
    severity: Severity = "good" if share < _FEW else "mind"
    return Finding(
        name="copies",
        title="Copies of a review in the same file",
        severity="bad" if share > _MANY else severity,
        count=count,
        total=len(corpus),
        explanation=(
            f"{len(same):,} have the same words as an earlier one, "
            f"{len(near):,} are nearly the same. What comes twice is learnt "
            "twice, and in a validation part it is known already. Take the "
            "later ones out, if they are not many people's same words."
        ),
        examples=_pairs(material, [*same, *near]),
        figures={"same_words": len(same), "nearly_the_same": len(near)},
    )


def leaks(material: Material) -> Finding | None:
    """Texts of the other files that the training has, too.

    Args:
        material: What there is; `None` is returned for a single file.
    """
    corpus = material.corpus
    if len(corpus.files) < 2:
        return None
    num_train = corpus.files[0].num_texts
    by_group: dict[int, int] = {}
    for i in range(num_train):
        by_group.setdefault(int(material.groups[i]), i)
    same, near = [], []
    for i in range(num_train, len(corpus)):
        first, group = int(material.firsts[i]), int(material.groups[i])
        if first < num_train:
            same.append((first, i))
        elif group in by_group:
            near.append((by_group[group], i))
    count, total = len(same) + len(near), len(corpus) - num_train
    severity: Severity = "mind" if count else "good"
    others = " and ".join(file.name for file in corpus.files[1:])
    return Finding(
        name="leaks",
        title=f"Reviews of {others} that are in {corpus.files[0].name}, too",
        severity="bad" if count >= _LEAKED * total and count else severity,
        count=count,
        total=total,
        explanation=(
            f"{len(same):,} have the same words, {len(near):,} are nearly the "
            "same. A model is tested on what it has learnt by heart, and the "
            "test says too much good. Take them out of the training."
        ),
        examples=_pairs(material, [*same, *near]),
        figures={"same_words": len(same), "nearly_the_same": len(near)},
    )


def contradictions(material: Material) -> Finding | None:
    """The same words, or nearly, with different labels.

    Args:
        material: What there is; `None` is returned without labels.
    """
    corpus = material.corpus
    labelled = np.flatnonzero(corpus.label_ids >= 0)
    if not len(labelled):
        return None
    same = _with_other_label(material, material.firsts, labelled)
    near = [
        (a, b)
        for a, b in _with_other_label(material, material.groups, labelled)
        if material.firsts[a] != material.firsts[b]
    ]
    count = len(same) + len(near)
    severity: Severity = "mind" if count else "good"
    if same and len(same) >= _CONTRADICTORY * len(labelled):
        severity = "bad"
    return Finding(
        name="contradictions",
        title="The same review with another label",
        severity=severity,
        count=count,
        total=len(labelled),
        explanation=(
            f"{len(same):,} have the same words as one with another label: one "
            f"of the two labels is wrong. {len(near):,} are nearly the same; "
            "there a changed word may be the reason."
        ),
        examples=_pairs(material, [*same, *near], labels=True),
        figures={"same_words": len(same), "nearly_the_same": len(near)},
    )


def _with_other_label(
    material: Material, groups: np.ndarray, labelled: np.ndarray
) -> list[tuple[int, int]]:
    """Returns pairs: a group's first review, and one with another label."""
    firsts: dict[int, int] = {}
    found = []
    for i in labelled.tolist():
        first = firsts.setdefault(int(groups[i]), i)
        if material.corpus.label_ids[first] != material.corpus.label_ids[i]:
            found.append((first, i))
    return found


def _pairs(
    material: Material, pairs: list[tuple[int, int]], *, labels: bool = False
) -> tuple[Example, ...]:
    corpus, examples = material.corpus, []
    for a, b in pairs[: material.num_examples]:
        if material.firsts[a] == material.firsts[b]:
            note = "the same words"
        else:
            alike = similarity(material.words, a, b)
            note = f"{100 * alike:.0f} % alike"
        if labels:
            note = f"{corpus.label(a)} and {corpus.label(b)}, {note}"
        where = f"{corpus.where(a)} and {corpus.where(b)}"
        examples.append(Example(where, shortened(corpus.texts[b]), note))
    return tuple(examples)
