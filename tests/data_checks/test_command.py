import json
import subprocess
import sys

from click.testing import CliRunner

from kerassent.cli import main

COLUMNS = ("--text", "Reviews", "--label", "Sentiment")


def check(*arguments, code=0):
    found = CliRunner().invoke(main, ["check", *map(str, arguments)])
    assert found.exit_code == code, (found.stderr, found.exception)
    return found


def test_findings_are_a_failure_only_if_strict(writer, book):
    train, test = writer.rows(60), writer.rows(20)
    clean = (book("train.xlsx", train), book("test.xlsx", test))
    check(*clean, *COLUMNS, "--strict")
    leaky = (clean[0], book("leaky.xlsx", [*test, train[5]]))
    shown = check(*leaky, *COLUMNS)
    words = " ".join(shown.stdout.split())
    assert "Reviews of leaky.xlsx that are in train.xlsx, too: 1 of 21" in words
    assert "train.xlsx, Excel row 7 and leaky.xlsx, Excel row 22" in words
    check(*leaky, *COLUMNS, "--strict", code=1)
    found = json.loads(
        check(*leaky, *COLUMNS, "--json", "--strict", code=1).stdout
    )
    assert found["severity"] == "bad"
    (leaks,) = [f for f in found["findings"] if f["name"] == "leaks"]
    assert (leaks["count"], leaks["total"]) == (1, 21)


def test_a_text_is_shown_as_it_is(writer, book):
    rows = writer.rows(40)
    hostile = f"[bold red]{rows[0][0]}[/nonsense]"
    rows += [(hostile, "pos"), (hostile, "pos")]
    shown = check(book("train.xlsx", rows), *COLUMNS).stdout
    assert "[bold red]" in shown


def test_a_missing_file_is_an_error():
    assert "There is no file" in check("no.xlsx", code=1).stderr
    check(code=2)


def test_without_a_model_no_tensorflow_is_imported(writer, book):
    file = book("train.xlsx", writer.rows(100))
    code = (
        "import sys; from kerassent.cli import main; "
        "main(['check', sys.argv[1], '--label', 'Sentiment'], "
        "standalone_mode=False); "
        "assert 'sklearn' in sys.modules; "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(file)],
        check=True,
        capture_output=True,
    )
