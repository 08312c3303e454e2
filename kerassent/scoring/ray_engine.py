"""`score_dataset`: more parquet than one machine can score, by Ray Data."""

import collections
import importlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs

from kerassent.arguments import check_counts
from kerassent.errors import DataError, KerassentError
from kerassent.prediction import open_model
from kerassent.reading.columns import find_columns
from kerassent.saved_model.loading import is_export, version_directory
from kerassent.scoring.answers import AnswerColumns
from kerassent.scoring.chunks import CHUNK_ROWS
from kerassent.scoring.ray_worker import TableScorer, pack_model

# Written when all else is, as Hadoop and Spark do. Readers pass over it.
SUCCESS: Final = "_SUCCESS"

# A worker books so much of a node's processors, though it computes with all:
# Ray's own tasks (listing files takes one) must find room beside it.
_WORKER_SHARE: Final = 0.5
_TASK_CPUS: Final = 0.25  # of one that reads or writes
# What is lost with a worker is a block or two: some thousands of reviews.
_BLOCK_BYTES: Final = 16 << 20


@dataclass(frozen=True)
class ScoredDataset:
    """What came of scoring a data set.

    Args:
        path: The output directory.
        num_rows: How many rows it has.
        num_scored: How many of them have an answer.
        problems: How many rows have what problem.
        workers: How many workers there were.
        seconds: How long it took.
    """

    path: str
    num_rows: int
    num_scored: int
    problems: dict[str, int]
    workers: int
    seconds: float


@dataclass(frozen=True)
class _Header:
    name: str
    columns: tuple[str, ...]
    labelled: bool = False


class _Worker(TableScorer):
    """A `TableScorer` that fetches its model from Ray's object store."""

    def __init__(self, packed: Any, **options: Any) -> None:
        super().__init__(_ray().get(packed), **options)


def score_dataset(
    model: str | os.PathLike[str],
    source: str,
    output: str,
    *,
    text: str | None = None,
    prefix: str = "",
    workers: int | None = None,
    batch_size: int | None = None,
    chunk_rows: int = CHUNK_ROWS,
    filesystem: Any = None,
) -> ScoredDataset:
    """Writes parquet files with what a model says of each row, by Ray Data.

    The rows and columns are those that `score_file` writes, in order, in as
    many files as Ray makes, whose names sort as their rows follow. Each node
    of the cluster has a worker that holds the model; what a worker that dies
    has not finished another does again. When all is written, an empty
    `_SUCCESS` is added; without it the output is not whole. Ray is started
    here unless it runs (`RAY_ADDRESS` says where).

    Args:
        model: A run or an export, on the machine that this is called on.
        source: A parquet file, or a directory of them, which all nodes can
            read: a path of a shared file system, or a URI such as `s3://…`.
        output: The directory to write, the same.
        text: The text column; `None` takes the only one there is.
        prefix: What the added columns' names begin with.
        workers: How many workers there are; `None` is one a node, more on
            nodes that are much larger than the smallest.
        batch_size: How many texts go through the model at once; `None` takes
            more of short ones.
        chunk_rows: How many rows a worker scores at a time.
        filesystem: A `pyarrow.fs.FileSystem` for both, or `None` for what
            the paths say.

    Raises:
        DataError: The source is no parquet, has no rows or no such column, or
            has one of the columns that are to be added.
        FileExistsError: The output is there already.
        ImportError: Ray is not installed.
        KerassentError: Rows are missing in the output.
        TypeError: A number is no whole one.
        ValueError: A number is below 1.

    Example:
        ```python
        score_dataset("models/imdb", "s3://bucket/in", "s3://bucket/out")
        ```
    """
    start = time.monotonic()
    check_counts(workers=workers, batch_size=batch_size, chunk_rows=chunk_rows)
    ray = _ray()
    from kerassent.scoring.ray_datasink import OrderedParquetDatasink

    files, directory = _opened(output, filesystem)
    _check_output(files, directory, output)
    path = Path(model)
    columns = AnswerColumns(open_model(path).class_names, prefix)
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    data, schema = _read(ray, source, filesystem)
    data.context.target_max_block_size = _BLOCK_BYTES
    data.context.execution_options.preserve_order = True
    text = _text_column(schema, source, text, columns)
    expected = data.count()
    if not expected:
        raise DataError(
            f"{source} has no rows. Pass a source with at least one."
        )
    processors, room = _nodes(ray)
    workers = room if workers is None else workers
    data.map_batches(
        _Worker,
        batch_format="pyarrow",
        batch_size=chunk_rows,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=_WORKER_SHARE * processors,
        fn_constructor_args=(
            ray.put(
                pack_model(version_directory(path) if is_export(path) else path)
            ),
        ),
        fn_constructor_kwargs={
            "text": text,
            "prefix": prefix,
            "batch_size": batch_size,
            "num_threads": processors,
        },
        scheduling_strategy="SPREAD",
    ).write_datasink(
        OrderedParquetDatasink(output, filesystem),
        ray_remote_args={"num_cpus": _TASK_CPUS},
    )
    written = ray.data.read_parquet(
        output,
        filesystem=filesystem,
        columns=[columns.label, columns.error],
        num_cpus=_TASK_CPUS,
    )
    num_rows = written.count()
    if num_rows != expected:
        raise KerassentError(
            f"{source} has {expected:,} rows, and {num_rows:,} are in "
            f"{output}. Remove it, and score again."
        )
    num_scored, problems = _tallied(written, columns)
    files.open_output_stream(f"{directory}/{SUCCESS}").close()
    return ScoredDataset(
        path=output,
        num_rows=num_rows,
        num_scored=num_scored,
        problems=problems,
        workers=workers,
        seconds=time.monotonic() - start,
    )


def _ray() -> Any:
    try:
        importlib.import_module("ray.data")
        return importlib.import_module("ray")
    except ImportError as error:
        raise ImportError(
            "Scoring on a cluster needs Ray, which is not installed "
            f"({error}). Install it by `pip install 'kerassent[ray]'`."
        ) from error


def _opened(path: str, filesystem: Any) -> tuple[Any, str]:
    if filesystem is not None:
        return filesystem, path
    if "://" not in path:
        return pa.fs.LocalFileSystem(), os.path.abspath(path)
    found: tuple[Any, str] = pa.fs.FileSystem.from_uri(path)
    return found


def _check_output(files: Any, directory: str, output: str) -> None:
    selector = pa.fs.FileSelector(directory, allow_not_found=True)
    try:
        found = files.get_file_info(selector)
    except NotADirectoryError:
        found = [output]
    if not found:
        return
    is_whole = any(getattr(info, "base_name", "") == SUCCESS for info in found)
    state = "is there already" if is_whole else "is there, and not whole"
    raise FileExistsError(
        f"{output} {state}. Choose another output directory, or remove this "
        "one first."
    )


def _read(ray: Any, source: str, filesystem: Any) -> tuple[Any, Any]:
    """Returns the data set, and its Arrow schema."""
    schema = None
    why = ""
    try:
        data = ray.data.read_parquet(
            source, filesystem=filesystem, num_cpus=_TASK_CPUS
        )
        schema = data.schema()
    except (FileNotFoundError, ValueError) as error:
        why = f" ({error})"
    if schema is None:
        raise DataError(
            f"There is no parquet to be read at {source}{why}. Expected a "
            "parquet file, or a directory of them, which all nodes can read."
        )
    return data, schema.base_schema


def _text_column(
    schema: Any, source: str, text: str | None, columns: AnswerColumns
) -> str:
    header = _Header(source, tuple(schema.names))
    columns.check(source, header.columns)
    place, _ = find_columns(header, text, None)
    kind = schema.field(place).type
    if pa.types.is_nested(kind):
        raise DataError(
            f"{source}: column {schema.names[place]!r} holds {kind} values, "
            "not texts. Choose another column, or flatten it."
        )
    return header.columns[place]


def _nodes(ray: Any) -> tuple[int, int]:
    """Returns a worker's processors, and how many workers there is room for."""
    sizes = [
        int(node["Resources"].get("CPU", 0))
        for node in ray.nodes()
        if node["Alive"]
    ]
    sizes = [size for size in sizes if size]
    processors = min(sizes, default=0)
    if processors < 2:
        raise KerassentError(
            f"The Ray cluster has nodes of {sizes} processors. A worker and "
            "what reads for it need two (`ray start --num-cpus=2`)."
        )
    return processors, sum(size // processors for size in sizes)


def _tallied(
    written: Any, columns: AnswerColumns
) -> tuple[int, dict[str, int]]:
    """Returns how many rows have a label, and how many which error."""
    counts: collections.Counter[str] = collections.Counter()
    num_scored = 0
    parts = written.map_batches(
        _tally_batch,
        fn_args=(columns.label, columns.error),
        batch_format="pyarrow",
        batch_size=None,
        num_cpus=_TASK_CPUS,
    )
    for row in parts.iter_rows():
        if row["error"] is None:
            num_scored += row["count"]
        else:
            counts[row["error"]] += row["count"]
    return num_scored, dict(counts)


def _tally_batch(table: pa.Table, label: str, error: str) -> pa.Table:
    scored = len(table) - table.column(label).null_count
    counts = table.column(error).drop_null().value_counts().to_pylist()
    return pa.table(
        {
            "error": pa.array(
                [None, *(each["values"] for each in counts)], pa.string()
            ),
            "count": [scored, *(each["counts"] for each in counts)],
        }
    )
