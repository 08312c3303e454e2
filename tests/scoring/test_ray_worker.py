import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kerassent.scoring.local import score_file
from kerassent.scoring.ray_worker import TableScorer, pack_model


def test_a_worker_adds_what_a_file_gets(tiny_models, easy_rows, tmp_path):
    table = pa.table(
        {
            "id": range(len(easy_rows) + 2),
            "text": [*(text for text, _ in easy_rows), None, " "],
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    score_file(
        *(tiny_models, tmp_path / "in.parquet", tmp_path / "out.parquet"),
        text="text",
        prefix="p_",
    )
    worker = TableScorer(
        pack_model(tiny_models / "1"), text="text", prefix="p_"
    )
    assert worker(table).equals(pq.read_table(tmp_path / "out.parquet"))


def test_ray_that_is_not_there_is_said_to_be_an_extra(monkeypatch):
    from kerassent.scoring.ray_engine import score_dataset

    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(ImportError, match=r"pip install 'kerassent\[ray\]'"):
        score_dataset("models/tiny", "in", "out")
