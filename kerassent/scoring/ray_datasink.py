"""Parquet files by Ray Data whose rows stay in order."""

from typing import Any

import pyarrow.parquet as pq
from ray.data.datasource import BlockBasedFileDatasink


class OrderedParquetDatasink(BlockBasedFileDatasink):
    """Writes each block as a parquet file, its rows as they stand.

    `Dataset.write_parquet` does not: it calls `pyarrow.dataset.write_dataset`
    with several threads, to which a table's chunks are so many pieces, written
    in the order in which they come to be ready
    (https://github.com/apache/arrow/issues/26818).

    Args:
        path: The directory.
        filesystem: A `pyarrow.fs.FileSystem`, or `None` for what the path
            says.
    """

    def __init__(self, path: str, filesystem: Any = None) -> None:
        super().__init__(path, filesystem=filesystem, file_format="parquet")

    def write_block_to_file(self, block: Any, file: Any) -> None:
        """Writes a block's rows.

        Args:
            block: The block's `ray.data.block.BlockAccessor`.
            file: Where to write.
        """
        pq.write_table(block.to_arrow(), file)
