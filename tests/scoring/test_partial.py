import os

import openpyxl
import pytest

from kerassent.client import Client
from kerassent.errors import DataError, ServerUnavailable
from kerassent.scoring.local import score_file
from kerassent.server import serve
from tests.scoring.conftest import WordModel, write_table

FORMATS = ["csv", "jsonl", "parquet", "xlsx"]
ROWS = [[i, f"film {i} {'very ' * (i % 13)}old", "n"] for i in range(100)]
ROWS[17][1] = ROWS[63][1] = ""


class Failing(WordModel):
    """Fails at its n-th batch."""

    def __init__(self, left):
        super().__init__()
        self.left = left

    def predict_proba(self, texts, *, batch_size=32):
        if not self.left:
            raise ServerUnavailable("gone")
        self.left -= 1
        return super().predict_proba(texts, batch_size=batch_size)


def score(model, source, output, **options):
    return score_file(
        *(model, source, output),
        **{"text": "Review text", "chunk_rows": 10, "batch_size": 4, **options},
    )


@pytest.mark.parametrize("form", FORMATS)
def test_what_failed_is_gone_on_with_to_the_same_bytes(form, tmp_path):
    source = write_table(tmp_path / f"in.{form}", ROWS)
    whole, output = tmp_path / f"whole.{form}", tmp_path / f"out.{form}"
    undisturbed = score(WordModel(), source, whole)
    asked = []
    for left in (0, 5, 1, 9, 3, 100):
        model = Failing(left)
        model.class_names = ("neg", "pos")
        try:
            scored = score(model, source, output, resume=True)
        except ServerUnavailable:
            assert not output.exists()
        asked += [text for batch in model.batches for text in batch]
    assert output.read_bytes() == whole.read_bytes()
    assert scored.messages == undisturbed.messages
    assert scored.problems == {"an empty text": 2}
    assert (scored.num_rows, scored.num_scored) == (100, 98)
    # Each failure costs what was asked for of one chunk, no more.
    twice = len(asked) - len(set(asked))
    assert len(set(asked)) == 98
    assert 0 < twice <= 5 * 8
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [source.name, whole.name, output.name]
    )


@pytest.fixture
def unfinished(tmp_path):
    """A source, and an output of which 30 rows are done."""
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    write_table(source, ROWS)
    with pytest.raises(ServerUnavailable):
        score(Failing(9), source, output)
    return source, output


def test_an_unfinished_output_is_gone_on_with_only_if_asked(unfinished):
    with pytest.raises(
        FileExistsError, match=r"unfinished output is there: .*out.csv.partial"
    ):
        score(WordModel(), *unfinished)


@pytest.mark.parametrize(
    "options, named",
    [
        ({"prefix": "p_"}, 'prefix: "", now "p_"'),
        ({"chunk_rows": 20}, "chunk_rows: 10, now 20"),
        ({"batch_size": 8}, "batch_size: 4, now 8"),
        ({"text": "note"}, 'text: "Review text", now "note"'),
        ({"encoding": "cp1252"}, 'encoding: null, now "cp1252"'),
        ({"separator": ","}, 'separator: null, now ","'),
    ],
)
def test_other_settings_are_refused(unfinished, options, named):
    with pytest.raises(ValueError, match="was begun with other data") as error:
        score(WordModel(), *unfinished, resume=True, **options)
    assert named in str(error.value)


def test_another_sheet_is_refused(tmp_path):
    source, output = tmp_path / "in.xlsx", tmp_path / "out.csv"
    book = openpyxl.Workbook()
    for title in ("one", "other"):
        sheet = book.create_sheet(title)
        for row in [["Review text"], *([f"{title} {i}"] for i in range(30))]:
            sheet.append(row)
    book.save(source)
    with pytest.raises(ServerUnavailable):
        score(Failing(4), source, output, sheet="one")
    with pytest.raises(ValueError, match='sheet: "one", now "other"'):
        score(WordModel(), source, output, sheet="other", resume=True)


@pytest.mark.parametrize(
    "name, content",
    [
        ("settings.json", "{"),
        ("settings.json", "[]"),
        ("journal.jsonl", "{\n"),
        ("journal.jsonl", "7\n"),
        ("journal.jsonl", '{"end": 10}\n'),
    ],
)
def test_what_is_damaged_is_named(unfinished, name, content):
    path = unfinished[1].with_name("out.csv.partial") / name
    assert path.is_file()
    path.write_text(content)
    with pytest.raises(DataError, match=rf"{name} is damaged: .*Remove .*anew"):
        score(WordModel(), *unfinished, resume=True)


def test_another_source_is_refused_and_a_copy_is_not(unfinished):
    source, output = unfinished
    copy = source.with_name("copy.csv")
    copy.write_bytes(source.read_bytes())
    source.write_bytes(source.read_bytes().replace(b"old", b"new", 1))
    with pytest.raises(ValueError, match="with other data .*source: "):
        score(WordModel(), source, output, resume=True)
    score(WordModel(), copy, output, resume=True)


def test_another_version_on_a_server_is_refused(tiny_models, tmp_path):
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    write_table(source, ROWS)

    def stop(done, total):
        raise KeyboardInterrupt

    with serve(tiny_models, port=0, rest_api_port=0) as server:
        with (
            Client(server.grpc_url, model_name="tiny", version=1) as client,
            pytest.raises(KeyboardInterrupt),
        ):
            score(client, source, output, progress=stop)
        with (
            Client(server.grpc_url, model_name="tiny") as client,
            pytest.raises(
                ValueError, match='model: "tiny, version 1", now "tiny"'
            ),
        ):
            score(client, source, output, resume=True)
        with Client(server.rest_url, model_name="tiny", version=1) as client:
            score(client, source, output, resume=True)
    assert output.exists()


def test_other_classes_are_refused(unfinished):
    class Other(WordModel):
        class_names = ("bad", "good")

    with pytest.raises(ValueError, match="class_names"):
        score(Other(), *unfinished, resume=True)


@pytest.mark.parametrize("cut", [1, 10])
def test_a_journal_line_cut_off_is_no_chunk(unfinished, cut):
    """A machine that lost power has written some of it, and more rows."""
    source, output = unfinished
    journal = output.with_name("out.csv.partial") / "journal.jsonl"
    assert len(journal.read_bytes().splitlines()) == 4  # the header's, too
    journal.write_bytes(journal.read_bytes()[:-cut])
    with (journal.parent / "rows").open("ab") as rows:
        rows.write(b"half a ro")
    model = WordModel()
    score(model, source, output, resume=True)
    assert sum(map(len, model.batches)) == 98 - 20 + 1
    whole = output.with_name("whole.csv")
    score(WordModel(), source, whole)
    assert output.read_bytes() == whole.read_bytes()


def test_rows_that_are_missing_are_said_so(unfinished):
    source, output = unfinished
    rows = output.with_name("out.csv.partial") / "rows"
    os.truncate(rows, 50)
    with pytest.raises(DataError, match="has 50 bytes, and .* were written"):
        score(WordModel(), source, output, resume=True)


def test_killed_after_the_output_appeared_resume_only_tidies_up(
    unfinished, monkeypatch
):
    source, output = unfinished
    monkeypatch.setattr("shutil.rmtree", lambda path: None)
    real = os.replace

    def replace(old, new):
        if str(new).endswith(".removing"):
            raise KeyboardInterrupt
        real(old, new)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", replace)
        with pytest.raises(KeyboardInterrupt):
            score(WordModel(), source, output, resume=True)
    before = output.read_bytes()
    model = WordModel()
    scored = score(model, source, output, resume=True)
    assert model.batches == []
    assert (scored.num_rows, scored.num_scored) == (100, 98)
    assert output.read_bytes() == before
    assert not output.with_name("out.csv.partial").exists()


def test_two_processes_do_not_write_the_same_output(unfinished):
    source, output = unfinished

    class Nested(WordModel):
        def predict_proba(self, texts, *, batch_size=32):
            score(WordModel(), source, output, resume=True)

    with pytest.raises(DataError, match="Another process is writing to"):
        score(Nested(), source, output, resume=True)


def test_a_source_that_changes_meanwhile_is_an_error(tmp_path):
    source = write_table(tmp_path / "in.csv", ROWS)

    class Changing(WordModel):
        def predict_proba(self, texts, *, batch_size=32):
            os.utime(source, ns=(0, 0))
            return super().predict_proba(texts, batch_size=batch_size)

    with pytest.raises(DataError, match=r"in.csv has changed since it was"):
        score(Changing(), source, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
