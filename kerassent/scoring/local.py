"""`score_file`: a file of any size through a model, here or on a server."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kerassent.arguments import check_counts
from kerassent.client import Client
from kerassent.errors import DataError
from kerassent.prediction import Model, as_model
from kerassent.scoring.answers import AnswerColumns
from kerassent.scoring.batching import score_texts
from kerassent.scoring.chunks import CHUNK_ROWS, Chunk, Source
from kerassent.scoring.formats import output_class
from kerassent.scoring.output import Output
from kerassent.scoring.partial import Partial, check_output
from kerassent.scoring.problems import Problems
from kerassent.scoring.settings import output_settings


@dataclass(frozen=True)
class ScoredFile:
    """What came of scoring a file.

    Args:
        path: The output.
        num_rows: How many rows it has.
        num_scored: How many of them have an answer.
        problems: How many rows have what problem.
        messages: The same as sentences that name the first rows.
        seconds: How long it took this time.
    """

    path: Path
    num_rows: int
    num_scored: int
    problems: dict[str, int]
    messages: tuple[str, ...]
    seconds: float


def score_file(
    model: Model | str | os.PathLike[str],
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    text: str | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    prefix: str = "",
    strict: bool = False,
    resume: bool = False,
    batch_size: int | None = None,
    chunk_rows: int = CHUNK_ROWS,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> ScoredFile:
    """Writes a file's rows with what a model says of each.

    All columns are kept, in order; `label`, `score`, a `probability_…` for
    each class and `error` are added. A row without a text is written without
    an answer, and its `error` says why. The output appears when it is whole;
    until then its rows are in `OUTPUT.partial`, a chunk at a time, and what a
    process that was killed left there is gone on with by `resume`. Memory is
    that of a chunk, however long the file is.

    Args:
        model: A run, an export, a `SentimentClassifier` or a `Client`.
        source: An xlsx, csv, tsv, parquet or jsonl file.
        output: The file to write; its ending says which of these it is.
        text: The text column; `None` takes the only one there is.
        sheet: An Excel file's sheet.
        encoding: A text file's encoding, `None` finds it out.
        separator: A csv file's separator, `None` finds it out.
        prefix: What the added columns' names begin with.
        strict: Whether a row that has no text, or can't be written as it is,
            is an error; all rows are looked at before the first is scored.
            A text that is longer than a server takes is one as it is met.
        resume: Whether to go on with an unfinished output.
        batch_size: How many texts go through the model at once; `None` takes
            more of short ones. A server decides for itself.
        chunk_rows: How many rows a chunk has at most.
        progress: Is called with how many rows are done, of how many.

    Raises:
        DataError: The file can't be read, or its rows don't fit the output.
        FileExistsError: There is an output, or an unfinished one and `resume`
            is not given.
        ServingError: The server gave no answer. What is scored stays.
        TypeError: `model` is none of these, or a number no whole one.
        ValueError: `output` is the source, or an unfinished one was begun
            with other settings.

    Example:
        ```python
        score_file("runs/imdb", "reviews.xlsx", "scored.csv", text="Reviews")
        ```
    """
    start = time.monotonic()
    source, output = Path(source), Path(output)
    make = output_class(output)
    check_counts(batch_size=batch_size, chunk_rows=chunk_rows)
    if output.exists() and source.exists() and output.samefile(source):
        raise ValueError(
            f"`output` {output} is the file that is scored, which stays as it "
            "is. Choose another name."
        )
    check_output(output, resume=resume)
    rows = Source(
        source, text=text, sheet=sheet, encoding=encoding, separator=separator
    )
    try:
        path = Path(model) if isinstance(model, (str, os.PathLike)) else None
        model = as_model(model)
        columns = AnswerColumns(model.class_names, prefix)
        form = make(rows.columns, columns)
        form.check_fits(source.name, output.name, rows.num_rows)
        if strict:
            _check_rows(rows, form, chunk_rows)
        settings = output_settings(
            model,
            path,
            source,
            output=output.suffix.lower(),
            sheet=sheet,
            encoding=encoding,
            separator=separator,
            text=rows.text,
            columns=list(rows.columns),
            prefix=prefix,
            chunk_rows=chunk_rows,
            batch_size=None if isinstance(model, Client) else batch_size,
        )
        with Partial(output, settings) as partial:
            _score(
                *(model, rows, form, partial),
                batch_size=batch_size,
                chunk_rows=chunk_rows,
                strict=strict,
                progress=progress,
            )
            partial.publish(form)
        return ScoredFile(
            path=output,
            num_rows=partial.num_rows,
            num_scored=partial.num_scored,
            problems=partial.problems.counts,
            messages=tuple(
                partial.problems.lines(rows.table.row_word, rows.table.row_note)
            ),
            seconds=time.monotonic() - start,
        )
    finally:
        rows.close()


def _score(
    model: Model,
    rows: Source,
    form: Output,
    partial: Partial,
    *,
    batch_size: int | None,
    chunk_rows: int,
    strict: bool,
    progress: Callable[[int, int], object],
) -> None:
    """Scores what is left, a chunk at a time."""
    if partial.is_published:
        return
    if not partial.ends:
        partial.add(form.head(), num_rows=0, num_scored=0, problems=Problems())
    done = partial.num_rows
    progress(done, rows.num_rows)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(done, rows.num_rows)

    for chunk in rows.chunks(done, chunk_rows=chunk_rows):
        form.check(chunk)
        refused: set[bytes] = set()
        probabilities = score_texts(
            model,
            chunk.texts,
            batch_size=batch_size,
            advance=advance,
            refused=None if strict else refused,
        )
        chunk.refuse(refused)
        problems = Problems()
        problems.add_chunk(chunk)
        answers = form.added.answers(probabilities, chunk.problems)
        partial.add(
            form.rows(chunk, answers),
            num_rows=len(chunk),
            num_scored=_num_texts(chunk),
            problems=problems,
        )
        advance(partial.num_rows - done)


def _num_texts(chunk: Chunk) -> int:
    return sum(text is not None for text in chunk.texts)


def _check_rows(rows: Source, form: Output, chunk_rows: int) -> None:
    problems = Problems()
    for chunk in rows.chunks(chunk_rows=chunk_rows):
        form.check(chunk)
        problems.add_chunk(chunk)
    found = problems.lines(rows.table.row_word, rows.table.row_note)
    if found:
        raise DataError(
            f"{rows.table.name}: {'; '.join(found)}. Correct them, or leave "
            "`strict` (`--strict`) out to have them marked in the output."
        )
