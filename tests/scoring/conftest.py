"""Rows of every kind in every format, and a model that counts what it does."""

import csv
import json

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


class WordModel:
    """Says `pos` of a text as probable as its length and first byte make it.

    Keeps each batch that it was asked for.
    """

    class_names = ("neg", "pos")

    def __init__(self):
        self.batches = []

    def predict_proba(self, texts, *, batch_size=32):
        assert len(texts) <= batch_size
        self.batches.append(list(texts))
        return np.array([self.probabilities(text) for text in texts])

    @staticmethod
    def probabilities(text):
        pos = ((len(text) * 37 + text[0]) % 101) / 101
        return np.array([1 - pos, pos], np.float32)


@pytest.fixture
def model():
    """A `WordModel`."""
    return WordModel()


SEPARATORS = {".csv": "excel", ".tsv": "excel-tab"}
COLUMNS = ["id", "Review text", "note"]


def write_table(path, rows, columns=COLUMNS):
    """Writes rows of cells in the format of a path's ending."""
    suffix = path.suffix
    if suffix in SEPARATORS:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(
                file, delimiter="\t" if suffix == ".tsv" else ","
            )
            writer.writerows([columns, *rows])
    elif suffix == ".jsonl":
        path.write_text(
            "".join(
                json.dumps(dict(zip(columns, row, strict=True))) + "\n"
                for row in rows
            )
        )
    elif suffix == ".parquet":
        table = pa.table(
            [list(column) for column in zip(*rows, strict=True)], names=columns
        )
        # Several row groups, but no thousands: a file's list of them is read.
        pq.write_table(table, path, row_group_size=max(7, len(rows) // 8))
    else:
        book = openpyxl.Workbook()
        for row in [columns, *rows]:
            book.active.append(row)
        book.save(path)
    return path


def read_table(path):
    """Returns the header and the rows of a file, as its own reader has them."""
    suffix = path.suffix
    if suffix in SEPARATORS:
        with path.open(newline="", encoding="utf-8") as file:
            header, *found = csv.reader(file, SEPARATORS[suffix])
        return header, found
    if suffix == ".jsonl":
        found = [json.loads(line) for line in path.read_text().splitlines()]
        return list(found[0]), [list(row.values()) for row in found]
    if suffix == ".parquet":
        table = pq.read_table(path)
        return table.column_names, [list(r.values()) for r in table.to_pylist()]
    rows = list(openpyxl.load_workbook(path).active.values)
    return list(rows[0]), [list(row) for row in rows[1:]]
