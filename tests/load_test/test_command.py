import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from kerassent.cli import main
from kerassent.server import serve


def load_test(*arguments, code=0):
    found = CliRunner().invoke(main, ["load-test", *map(str, arguments)])
    assert found.exit_code == code, (found.stderr, found.exception)
    return found


QUICK = ("--seconds", 0.5, "--warmup", 0)


@pytest.fixture(scope="module")
def served(tiny_models):
    with serve(tiny_models, port=0, rest_api_port=0) as server:
        yield server


@pytest.fixture(params=["grpc", "rest"])
def target(request, served):
    url = served.grpc_url if request.param == "grpc" else served.rest_url
    return ("--url", url, "--model-name", "tiny")


def test_a_real_model_over_both_protocols(target, tmp_path):
    page = tmp_path / "load.html"
    shown = load_test(*target, *QUICK, "--rate", 20, "--html", page)
    assert "20/s" in shown.stdout
    assert "processors" in shown.stdout
    text = page.read_text()
    assert "answers a second" in text
    assert "<script" not in text
    assert [each.name for each in tmp_path.iterdir()] == ["load.html"]
    found = json.loads(
        load_test(*target, *QUICK, "--rate", 20, "--json").stdout
    )
    assert (found["num_requests"], found["num_failed"]) == (10, 0)
    # The packaged sample, not one and the same text.
    assert found["num_texts"] == 504
    closed = json.loads(
        load_test(*target, *QUICK, "--clients", 2, "--json").stdout
    )
    assert (closed["clients"], closed["num_failed"]) == (2, 0)


def test_a_sweep_of_a_file(served, tmp_path):
    file = tmp_path / "reviews.csv"
    file.write_text("Reviews,Other\ngood film,1\nbad film,2\n")
    asked = ("--url", served.rest_url, "--model-name", "tiny")
    asked += ("--seconds", 1, "--warmup", 0.5)
    asked += ("--input", file, "--text", "Reviews", "--max-latency-ms", 5000)
    shown = load_test(*asked, "--rates", "5,10", "--json")
    found = json.loads(shown.stdout)
    assert found["knee"] == 10
    assert [step["rate"] for step in found["steps"]] == [5, 10]
    assert found["steps"][0]["num_texts"] == 2
    assert shown.stderr.count("answers a second") == 3
    table = load_test(*asked, "--rates", "10").stdout
    assert table.count("knee") == 1
    assert "At least 10 requests a second are sustained" in " ".join(
        table.split()
    )


def test_another_machine_has_to_be_named_with_a_load():
    shown = load_test(
        "--url", "grpc://serving.example:8500", "--model-name", "m", code=2
    )
    assert "overloads the server" in " ".join(shown.stderr.split())


@pytest.mark.parametrize(
    "url", ["unix:///no/such.sock", "http://[::1]:9", "grpc://localhost:9"]
)
def test_this_machine_gets_a_sweep_without_being_asked_for(url):
    shown = load_test("--url", url, "--model-name", "m", code=1)
    assert shown.stderr.startswith("Error: Nothing answers at ")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--rate", 1, "--clients", 2), "Give one of"),
        (("--rates", "5,x", "--url", "http://127.0.0.1:9"), "must be numbers"),
        (("--rate", 1, "--text", "Reviews"), "need --input"),
    ],
)
def test_a_wrong_call_says_so(arguments, message):
    shown = load_test("--model-name", "m", *arguments, code=2)
    assert message in " ".join(shown.stderr.split())


def test_a_page_that_cannot_be_written_is_refused_before_any_load():
    asked = ("--url", "http://127.0.0.1:9", "--model-name", "m", "--rate", 10)
    shown = load_test(*asked, "--html", "/no/such/x.html", code=1)
    assert "There is no directory '/no/such'" in shown.stderr


def test_nobody_there_is_an_error_before_any_load():
    shown = load_test(
        *("--url", "http://127.0.0.1:9", "--model-name", "m", "--rate", 10),
        code=1,
    )
    assert shown.stderr.startswith("Error: Nothing answers at 127.0.0.1:9")


def test_neither_protocol_needs_tensorflow(target):
    code = (
        "import sys; from kerassent.cli import main; "
        "main(['load-test', *sys.argv[1:], '--rate', '10', '--requests', '3', "
        "'--warmup', '0'], standalone_mode=False); "
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code, *target], check=True, capture_output=True
    )
