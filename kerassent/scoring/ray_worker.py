"""What a worker of a cluster does: a model held open, tables through it."""

import io
import tarfile
import tempfile
from pathlib import Path

import pyarrow as pa

from kerassent.prediction import open_model
from kerassent.scoring.answers import AnswerColumns
from kerassent.scoring.batching import score_texts
from kerassent.scoring.chunks import Chunk
from kerassent.scoring.parquet_output import ParquetOutput


def pack_model(directory: Path) -> bytes:
    """Returns a run or an export as bytes that can be sent to a worker.

    Args:
        directory: The run, or one version of the export.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(directory, arcname=".")
    return packed.getvalue()


class TableScorer:
    """Adds a model's answers to tables.

    Args:
        packed: What `pack_model` returned.
        text: The text column.
        prefix: What the added columns' names begin with.
        batch_size: How many texts go through the model at once, or `None`.
        num_threads: How many threads TensorFlow may compute with, or `None`
            for as many as there are processors.
    """

    def __init__(
        self,
        packed: bytes,
        *,
        text: str,
        prefix: str = "",
        batch_size: int | None = None,
        num_threads: int | None = None,
    ) -> None:
        if num_threads is not None:
            import tensorflow as tf

            tf.config.threading.set_intra_op_parallelism_threads(num_threads)
        with tempfile.TemporaryDirectory() as directory:
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(directory, filter="data")
            self._model = open_model(directory)
        self._text = text
        self._columns = AnswerColumns(self._model.class_names, prefix)
        self._batch_size = batch_size

    def __call__(self, table: pa.Table) -> pa.Table:
        """Returns a table with the answers to the right of its columns.

        Args:
            table: Rows with the text column.
        """
        chunk = Chunk(table=table)
        chunk.add_texts(table.column(self._text).to_pylist(), 0)
        probabilities = score_texts(
            self._model, chunk.texts, batch_size=self._batch_size
        )
        answers = self._columns.answers(probabilities, chunk.problems)
        form = ParquetOutput(table.column_names, self._columns)
        return form.table(chunk, answers)
