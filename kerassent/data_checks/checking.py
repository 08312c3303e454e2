"""All checks of some files."""

import os
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from kerassent.arguments import check_counts
from kerassent.data_checks import copy_checks, label_checks, text_checks
from kerassent.data_checks.corpus import read_corpus
from kerassent.data_checks.findings import (
    DataChecks,
    FileSummary,
    gravest_first,
)
from kerassent.data_checks.label_errors import cross_probabilities
from kerassent.data_checks.material import Material, prepare
from kerassent.data_checks.words import plain
from kerassent.errors import listed
from kerassent.prediction import Model, open_model
from kerassent.text_windows import windows

# `kerassent train`'s own; the module that has it imports TensorFlow.
SEQUENCE_LENGTH: Final = 400

# What BERT splits at first, and how many tokens it makes of one.
_PIECES: Final = re.compile(r"\w+|[^\w\s]")
_TOKENS_IN_PIECE: Final = 1.06
_SPECIAL_TOKENS: Final = 2
_TEXTS_AT_A_TIME: Final = 2048


def check_data(
    *sources: object,
    text: str | None = None,
    label: str | None = None,
    model: str | os.PathLike[str] | None = None,
    sequence_length: int | None = None,
    num_examples: int = 5,
    seed: int = 0,
    **options: Any,
) -> DataChecks:
    """Looks for what makes a model worse, or its figures better than it is.

    Copies and near-copies, within a file and from the training into a test;
    the same words with different labels, labels that are likely wrong; empty,
    tiny and huge texts, other languages, HTML; balance; truncation.

    Args:
        *sources: Files as in `load_reviews`: the training first, then those
            it is tested on.
        text: The column of the texts.
        label: The column of the labels; without it labels are not checked.
        model: The path of a run or an export that says which labels are
            wrong, and how long texts are. Without it a linear model is made
            of the training, which judges each text without having seen it;
            tokens are estimated.
        sequence_length: How many tokens a model reads; by default the run's,
            or 400.
        num_examples: How many examples a finding has at most.
        seed: Of all chance.
        **options: `sheet`, `encoding`, `separator`, as in `load_reviews`.

    Raises:
        DataError: A file can't be read, or has no rows.
        PresetError: There is no model at the path.
        TypeError: A number is no whole one.
        ValueError: An argument has no sense, or the model lacks a label.

    Example:
        ```python
        checks = check_data("train.xlsx", "test.xlsx", label="Sentiment")
        for finding in checks.findings:
            print(finding.severity, finding.title, finding.count)
        ```
    """
    if not sources:
        raise ValueError("`sources` must be one file or more. Received: none")
    check_counts(num_examples=num_examples, sequence_length=sequence_length)
    corpus = read_corpus(sources, text=text, label=label, **options)
    opened = None if model is None else open_model(model)
    material = prepare(corpus, num_examples=num_examples, seed=seed)
    counter, own_length = _token_counter(opened)
    probabilities, who = _judged(material, opened, seed=seed)
    findings = [
        copy_checks.leaks(material),
        copy_checks.contradictions(material),
        None
        if probabilities is None
        else label_checks.label_errors(material, probabilities, who=who),
        label_checks.missing_labels(material),
        *label_checks.balance(material),
        copy_checks.copies_within(material),
        text_checks.unusable(material),
        *text_checks.sizes(material),
        text_checks.languages(material),
        text_checks.markup(material),
        text_checks.truncation(
            material,
            counter or estimated_tokens,
            sequence_length=sequence_length or own_length or SEQUENCE_LENGTH,
            exact=counter is not None,
        ),
    ]
    return DataChecks(
        _files(material), gravest_first([each for each in findings if each])
    )


def estimated_tokens(texts: Sequence[str]) -> np.ndarray:
    """Returns about how many tokens BERT makes of texts, int64.

    Args:
        texts: The texts.
    """
    pieces = [len(_PIECES.findall(plain(text))) for text in texts]
    tokens: np.ndarray = np.array(pieces) * _TOKENS_IN_PIECE + _SPECIAL_TOKENS
    return tokens.round().astype(np.int64)


def _token_counter(
    model: Any,
) -> tuple[Callable[[Sequence[str]], np.ndarray] | None, int | None]:
    """Returns what counts a run's own tokens, and how many it reads.

    An export has its tokenizer inside, and says nothing of it.
    """
    preprocessor = getattr(model, "preprocessor", None)
    if preprocessor is None:
        return None, None

    def count(texts: Sequence[str]) -> np.ndarray:
        parts = [np.zeros(0, np.int64)]
        for begin in range(0, len(texts), _TEXTS_AT_A_TIME):
            part = [
                plain(text) if preprocessor.clean_html else text
                for text in texts[begin : begin + _TEXTS_AT_A_TIME]
            ]
            lengths = preprocessor.tokenizer(part).row_lengths().numpy()
            parts.append(lengths + _SPECIAL_TOKENS)
        return np.concatenate(parts)

    return count, preprocessor.sequence_length


def _judged(
    material: Material, model: Model | None, *, seed: int
) -> tuple[np.ndarray | None, str]:
    """Returns probabilities of the labels there are, and who gives them."""
    corpus = material.corpus
    if len(corpus.class_names) < 2:
        return None, ""
    if model is None:
        return (
            cross_probabilities(
                material.words,
                corpus.label_ids,
                material.groups,
                material.train,
                num_classes=len(corpus.class_names),
                seed=seed,
            ),
            "A linear model of words and word pairs that has not seen them",
        )
    unknown = [n for n in corpus.class_names if n not in model.class_names]
    if unknown:
        raise ValueError(
            f"`model` doesn't know the labels {listed(unknown)}. Its own are "
            f"{listed(model.class_names)}. Pass another, or none."
        )
    found = np.concatenate(
        [model.predict_proba(w) for w in windows(corpus.texts)]
    )
    columns = [model.class_names.index(name) for name in corpus.class_names]
    # Classes that the files don't have are no one's right label.
    return found[:, columns], "The model (too sure of what it was trained on)"


def _files(material: Material) -> tuple[FileSummary, ...]:
    corpus, counts = material.corpus, material.words.counts
    summaries = []
    for file in corpus.files:
        ids = corpus.label_ids[file.texts]
        per_class = np.bincount(
            ids[ids >= 0], minlength=len(corpus.class_names)
        )
        of_file = counts[file.texts]
        summaries.append(
            FileSummary(
                name=file.name,
                num_reviews=file.num_texts,
                num_rows=file.num_rows,
                class_counts={
                    name: int(count)
                    for name, count in zip(
                        corpus.class_names, per_class.tolist(), strict=True
                    )
                    if count
                },
                median_words=int(np.median(of_file)) if len(of_file) else 0,
            )
        )
    return tuple(summaries)
