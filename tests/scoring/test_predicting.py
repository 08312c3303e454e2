"""`kerassent predict --input`: what it takes, says and writes."""

import json

import pytest
from click.testing import CliRunner

from kerassent.cli import main
from kerassent.server import serve
from kerassent.server.grpc_server import GrpcOptions
from kerassent.server.lifecycle import LifecycleOptions
from kerassent.server.model_config import ModelConfig
from kerassent.server.rest import RestOptions
from kerassent.server.running import ServerOptions, start
from kerassent.server.servable import ServableOptions
from tests.scoring.conftest import read_table, write_table


def kerassent(*arguments, code=0):
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def source(easy_rows, tmp_path):
    rows = [[i, text, label] for i, (text, label) in enumerate(easy_rows)]
    rows.insert(7, [160, "", "neg"])
    return write_table(
        tmp_path / "in.parquet", rows, ["id", "text", "true_label"]
    )


def test_a_run_an_export_and_a_server_say_the_same(
    tiny_run, tiny_models, source, tmp_path
):
    classifier, run = tiny_run
    with serve(tiny_models, port=0, rest_api_port=0) as server:
        models = {
            "run": [run],
            "export": [tiny_models],
            "grpc": ["--url", server.grpc_url, "--model-name", "tiny"],
            "rest": ["--url", server.rest_url, "--model-name", "tiny"],
        }
        found = {}
        for name, model in models.items():
            output = tmp_path / f"{name}.csv"
            shown = kerassent(
                *("predict", *model, "--input", source, "--output", output),
                *("--text", "text"),
            )
            assert "160 of 161 rows scored" in shown.stderr
            assert "1 row has an empty text (row 7, counted" in shown.stderr
            assert "161 of 161 rows" in shown.stderr
            assert "rows/s, 0 s left" in shown.stderr
            assert shown.stdout == ""
            found[name] = read_table(output)
    header, rows = found["run"]
    texts = [row[1] for row in rows if row[1]]
    expected = iter(classifier.predict_proba(texts).tolist())
    right = 0
    for place, row in enumerate(rows):
        if not row[1]:
            assert row[3:] == ["", "", "", "", "an empty text"]
            continue
        proba = next(expected)
        right += row[3] == row[2]
        for name, (other_header, others) in found.items():
            assert other_header == header, name
            other = others[place]
            assert other[:4] == row[:4], name
            figures = [float(figure) for figure in other[4:7]]
            assert figures == pytest.approx([max(proba), *proba], abs=1e-4)
    assert right > 150


def test_json_says_what_was_done(tiny_models, source, tmp_path):
    output = tmp_path / "out.jsonl"
    shown = kerassent(
        *("predict", tiny_models, "--input", source, "--output", output),
        *("--text", "text", "--prefix", "p_", "--json"),
    )
    said = json.loads(shown.stdout)
    assert said.pop("seconds") >= 0
    assert said == {
        "output": str(output),
        "num_rows": 161,
        "num_scored": 160,
        "problems": {"an empty text": 1},
    }
    row = json.loads(output.read_text().splitlines()[0])
    assert list(row)[3:] == [
        *("p_label", "p_score", "p_probability_neg", "p_probability_pos"),
        "p_error",
    ]


def test_strict_is_an_error_that_names_the_row(tiny_models, source, tmp_path):
    shown = kerassent(
        *("predict", tiny_models, "--input", source, "--text", "text"),
        *("--output", tmp_path / "out.csv", "--strict"),
        code=1,
    )
    assert "1 row has an empty text (row 7, counted from 0)" in shown.stderr
    assert not (tmp_path / "out.csv").exists()


@pytest.fixture(scope="module")
def narrow(tiny_models):
    """A real server that takes 4 kB in a request, by protocol."""
    options = ServerOptions(
        [ModelConfig("tiny", str(tiny_models))],
        port=0,
        rest_api_port=0,
        grpc=GrpcOptions(
            channel_arguments=(("grpc.max_receive_message_length", 4096),)
        ),
        rest=RestOptions(max_body_bytes=4096),
        lifecycle=LifecycleOptions(),
        servables=ServableOptions(),
    )
    with start(options) as server:
        yield {"grpc": server.grpc_url, "rest": server.rest_url}


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_text_that_the_server_does_not_take_is_marked(
    protocol, narrow, tiny_models, easy_rows, tmp_path
):
    rows = [[i, text] for i, (text, _) in enumerate(easy_rows)]
    for place in (20, 90):
        rows[place][1] = f"good {place} " * 1000
    source = write_table(tmp_path / "in.csv", rows, ["id", "text"])
    outputs = [tmp_path / "out.csv", tmp_path / "local.csv"]
    files = ["--input", source, "--text", "text", "--output"]
    model = ["--url", narrow[protocol], "--model-name", "tiny"]
    shown = kerassent("predict", *model, *files, outputs[0])
    kerassent("predict", tiny_models, *files, outputs[1])
    assert "158 of 160 rows scored" in shown.stderr
    assert (
        "2 rows have a text longer than the server takes (lines 22, 92)"
        in shown.stderr
    )
    (_, found), (_, local) = map(read_table, outputs)
    for place, (ours, theirs) in enumerate(zip(found, local, strict=True)):
        if place in (20, 90):
            assert ours == [
                *(theirs[:2] + [""] * 4),
                "a text longer than the server takes",
            ]
        else:
            assert ours[:3] == theirs[:3]
    shown = kerassent(
        *("predict", *model, *files, tmp_path / "strict.csv", "--strict"),
        code=1,
    )
    assert "takes no text so long" in shown.stderr
    assert not (tmp_path / "strict.csv").exists()


FILES = ("run", "--input", "a.parquet", "--output", "b.parquet")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("run", "--input", "a.csv"), "--input needs --output"),
        (("run", "good", "--output", "b.csv"), "--output goes with --input"),
        (("run", "good", "--strict"), "--strict goes with --input"),
        (("run", "good", "--batch-size", "0"), "--batch-size goes with"),
        (
            ("run", "good", "--input", "a.csv", "--output", "b.csv"),
            "Leave 'good' out",
        ),
        (("--input", "a.csv", "--output", "b.csv"), "Give a MODEL"),
        ((*FILES, "--workers", "2"), "--workers goes with --engine ray"),
        (
            (*FILES, "--engine", "ray", "--resume"),
            "--resume is not for --engine ray",
        ),
        (
            (*FILES[1:], "--engine", "ray", "--url", "grpc://localhost:1")
            + ("--model-name", "m"),
            "takes a run or an export, not --url",
        ),
    ],
)
def test_a_wrong_call_is_code_2(arguments, message):
    shown = kerassent("predict", *arguments, code=2)
    assert message in " ".join(shown.stderr.split())


def test_a_wrong_size_is_an_error(tiny_models, source, tmp_path):
    shown = kerassent(
        *("predict", tiny_models, "--input", source, "--text", "text"),
        *("--output", tmp_path / "out.csv", "--batch-size", 0),
        code=1,
    )
    assert "`--batch-size` must be 1 or more. Received: 0" in shown.stderr
