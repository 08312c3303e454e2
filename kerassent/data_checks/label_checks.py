"""Checks of labels: how many of each, and which are likely wrong."""

from typing import Final

import numpy as np

from kerassent.data_checks.findings import Example, Finding, Severity
from kerassent.data_checks.label_errors import likely_errors
from kerassent.data_checks.material import Material

_UNBALANCED: Final = 3.0
_OTHER_PROPORTIONS: Final = 0.1
_FEW_ERRORS: Final = 0.002
_MANY_ERRORS: Final = 0.1


def missing_labels(material: Material) -> Finding | None:
    """Rows with a text and without a label.

    Args:
        material: What there is; `None` is returned without labels.
    """
    files = [file for file in material.corpus.files if file.labelled]
    if not files:
        return None
    rows = [(file, row) for file in files for row in file.unlabelled]
    return Finding(
        name="missing_labels",
        title="Reviews without a label",
        severity="bad" if rows else "good",
        count=len(rows),
        total=sum(file.num_texts for file in files),
        explanation="`kerassent train` refuses a file that has some. Give each "
        "a label, or take them out.",
        examples=tuple(
            Example(file.where(row), "", "")
            for file, row in rows[: material.num_examples]
        ),
        figures={},
    )


def balance(material: Material) -> list[Finding]:
    """How many reviews each class has, in each file.

    Args:
        material: What there is.
    """
    corpus = material.corpus
    num_classes = len(corpus.class_names)
    if num_classes < 2:
        return []
    findings: list[Finding] = []
    shares = []
    for file in corpus.files:
        ids = corpus.label_ids[file.texts]
        counts = np.bincount(ids[ids >= 0], minlength=num_classes)
        if not counts.sum():
            continue
        shares.append(counts / counts.sum())
        if not findings:
            findings.append(_balance(file.name, corpus.class_names, counts))
    if len(shares) > 1:
        apart = max(abs(each - shares[0]).sum() / 2 for each in shares[1:])
        findings.append(
            Finding(
                name="proportions",
                title="Classes in other proportions than in the training",
                severity="mind" if apart > _OTHER_PROPORTIONS else "good",
                count=round(100 * apart),
                total=100,
                explanation="So many percent of the reviews would need another "
                "label to make the proportions the same. Accuracy on one file "
                "does not say what it is on the other.",
                examples=(),
                figures={"distance": float(apart)},
            )
        )
        findings.append(_unknown(material))
    return findings


def _balance(
    name: str, class_names: tuple[str, ...], counts: np.ndarray
) -> Finding:
    # Classes that only the other files have are another check's.
    there = np.flatnonzero(counts)
    class_names = tuple(class_names[k] for k in there)
    counts = counts[there]
    ratio = counts.max() / counts.min()
    least = class_names[int(counts.argmin())]
    most = class_names[int(counts.argmax())]
    return Finding(
        name="balance",
        title=f"Reviews of the rarest class of {name}, {least!r}",
        severity="mind" if ratio >= _UNBALANCED else "good",
        count=int(counts.min()),
        total=int(counts.sum()),
        explanation=(
            f"{most!r} has {counts.max():,}, {ratio:.1f} times as many. From "
            f"{_UNBALANCED:.0f} times on, look at balanced accuracy, and train "
            "with `--class-weight balanced`."
        ),
        examples=(),
        figures={
            class_name: float(count)
            for class_name, count in zip(
                class_names, counts.tolist(), strict=True
            )
        },
    )


def _unknown(material: Material) -> Finding:
    corpus = material.corpus
    in_training = corpus.label_ids[corpus.files[0].texts]
    known = np.isin(corpus.label_ids, in_training)
    unknown = np.flatnonzero(~known & (corpus.label_ids >= 0))
    shown = material.some(unknown)
    return Finding(
        name="unknown_labels",
        title="Reviews with a label that the training does not have",
        severity="bad" if len(unknown) else "good",
        count=len(unknown),
        total=len(corpus) - corpus.files[0].num_texts,
        explanation="No model can give that label. It may be written "
        "differently, with another case or a space.",
        examples=corpus.examples(shown, [repr(corpus.label(i)) for i in shown]),
        figures={},
    )


def label_errors(
    material: Material, probabilities: np.ndarray, *, who: str
) -> Finding:
    """Labels that a model would not have given.

    Args:
        material: What there is.
        probabilities: The model's, in the order of the corpus's classes.
        who: The model, to begin a sentence with.
    """
    corpus = material.corpus
    ids = corpus.label_ids
    labelled = ids >= 0
    doubtful = np.flatnonzero(likely_errors(probabilities, ids))
    of_label = probabilities[doubtful, ids[doubtful]]
    margins = probabilities[doubtful].max(axis=1) - of_label
    doubtful = doubtful[np.argsort(-margins, kind="stable")]
    said = probabilities.argmax(axis=1)
    right = float((said == ids)[labelled].mean())
    share = len(doubtful) / max(1, labelled.sum())
    severity: Severity = "mind" if share > _FEW_ERRORS else "good"
    shown = material.some(doubtful)
    return Finding(
        name="label_errors",
        title="Labels that may be wrong",
        severity="bad" if share > _MANY_ERRORS else severity,
        count=len(doubtful),
        total=int(labelled.sum()),
        explanation=(
            f"{who} gives {right:.1%} of the reviews the label they have, and "
            "is surer of another label for these. Not all of them are errors: "
            "the first are the likeliest. Read them from the top until the "
            "labels are right."
        ),
        examples=corpus.examples(
            shown,
            [
                f"labelled {corpus.label(i)}, "
                f"{corpus.class_names[said[i]]} {probabilities[i].max():.2f}"
                for i in shown
            ],
        ),
        figures={"agreement": right},
    )
