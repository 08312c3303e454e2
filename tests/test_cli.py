import csv
import html
import inspect
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request

import click
import pytest
from click.testing import CliRunner

from kerassent import training
from kerassent.cli import main
from kerassent.cli.terminal import with_options_named
from kerassent.lr_curve import LRCurve
from kerassent.presets import DEFAULT_PRESET
from kerassent.server import serve


def kerassent(*arguments, code=0):
    found = CliRunner().invoke(main, [str(a) for a in arguments])
    assert found.exit_code == code, (found.stderr, found.exception)
    return found


@pytest.fixture
def reviews_csv(easy_rows, tmp_path):
    file = tmp_path / "reviews.csv"
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([("Reviews", "Sentiment"), *easy_rows])
    return file


COLUMNS = ("--text", "Reviews", "--label", "Sentiment")


def test_train_evaluate_export_predict(reviews_csv, tiny_preset, tmp_path):
    run, models = tmp_path / "runs" / "easy", tmp_path / "models" / "easy"
    trained = kerassent(
        *("train", reviews_csv, *COLUMNS, "--output", run),
        *("--preset", tiny_preset, "--epochs", 2, "--batch-size", 16),
        *("--max-lr", 1e-2, "--limit", 100, "--valid-size", 20),
    )
    assert f"Next: kerassent export {run}" in trained.stdout
    assert "160 reviews" not in trained.stderr  # --limit came before
    assert "100 reviews" in trained.stderr
    info = json.loads((run / "train.json").read_text())
    assert info["num_reviews"] == {"train": 80, "valid": 20}

    exported = kerassent("export", run, models).stdout.strip()
    assert exported == str(models / "1")

    shown = kerassent("evaluate", run, reviews_csv, *COLUMNS).stdout
    assert "160 reviews" in shown
    found = json.loads(
        kerassent("evaluate", models, reviews_csv, *COLUMNS, "--json").stdout
    )
    assert f"accuracy {found['accuracy']:.4f}" in shown
    assert found["num_reviews"] == 160
    assert sum(map(sum, found["confusion_matrix"])) == 160

    texts = ["a good film", "\u00fc \U0001f600"]
    for model in (run, models):
        lines = kerassent(
            "predict", model, *texts, "--json"
        ).stdout.splitlines()
        rows = [json.loads(line) for line in lines]
        assert [row["text"] for row in rows] == texts
        for row in rows:
            assert set(row) == {"text", "label", "score", "probabilities"}
            assert row["score"] == row["probabilities"][row["label"]]
    plain = kerassent("predict", models, texts[0]).stdout
    assert plain == f"{rows[0]['label']}  {rows[0]['score']:.4f}  {texts[0]}\n"


def test_evaluate_asks_a_server(reviews_csv, tiny_run, tiny_models):
    expected = json.loads(
        kerassent(
            "evaluate", tiny_run[1], reviews_csv, *COLUMNS, "--json"
        ).stdout
    )
    assert expected["provenance"]["model"] == str(tiny_run[1])
    with serve(tiny_models, port=0, rest_api_port=0) as server:
        for url in (server.grpc_url, server.rest_url):
            found = json.loads(
                kerassent(
                    *("evaluate", "--url", url, "--model-name", "tiny"),
                    *(reviews_csv, *COLUMNS, "--json"),
                ).stdout
            )
            assert found["confusion_matrix"] == expected["confusion_matrix"]
            assert found["log_loss"] == pytest.approx(
                expected["log_loss"], abs=1e-5
            )
            assert found["provenance"]["model"] == f"tiny at {url}"
    for arguments, message in (
        ((tiny_run[1],), "Give a MODEL and a FILE"),
        (("--url", url, "--model-name", "m", "a", "b"), "or --url and a FILE"),
        (("--url", url, reviews_csv), "--url needs --model-name"),
    ):
        assert message in kerassent("evaluate", *arguments, code=2).stderr


def test_compare_and_calibrate(reviews_csv, tiny_run, tiny_models, tmp_path):
    arguments = ("compare", tiny_run[1], tiny_models, reviews_csv, *COLUMNS)
    found = json.loads(kerassent(*arguments, "--json").stdout)
    assert found["verdict"] == "no proof"
    assert found["num_differences"] == 0
    assert found["new"]["provenance"]["model"] == str(tiny_models)
    page = tmp_path / "new.html"
    shown = " ".join(kerassent(*arguments, "--html", page).stdout.split())
    assert "no proof that either is better" in shown
    assert '<section id="comparison">' in page.read_text("utf-8")

    run = tmp_path / "run"
    shutil.copytree(tiny_run[1], run)
    noisy = tmp_path / "noisy.csv"
    with reviews_csv.open() as opened, noisy.open("w", newline="") as written:
        writer = csv.writer(written)
        for i, (text, label) in enumerate(csv.reader(opened)):
            turned = {"neg": "pos", "pos": "neg"}.get(label, label)
            writer.writerow((text, turned if i % 5 == 2 else label))
    arguments = ("calibrate", run, noisy, *COLUMNS)
    found = json.loads(kerassent(*arguments, "--json").stdout)
    assert found["temperature"] > 1.5
    again = " ".join(kerassent(*arguments).stdout.split())
    temperature = f"{found['temperature']:.4f}"
    assert f"temperature │ {temperature} │ {temperature}" in again
    refused = kerassent("calibrate", tiny_models, noisy, *COLUMNS, code=1)
    assert "`model` must be a `SentimentClassifier`" in refused.stderr


def test_predict_asks_a_server(tiny_run, tiny_models):
    expected = tiny_run[0].predict_proba(["good"])[0]
    with serve(tiny_models, port=0, rest_api_port=0) as server:
        for url in (server.grpc_url, server.rest_url):
            asked = ("predict", "--url", url, "--model-name", "tiny", "good")
            row = json.loads(kerassent(*asked, "--json").stdout)
            assert list(row["probabilities"].values()) == pytest.approx(
                expected.tolist(), abs=1e-5
            )


def test_explain_shows_words_of_a_run_and_of_a_server(
    tiny_run, tiny_models, tmp_path
):
    text = "a good film"
    lines = kerassent("explain", tiny_run[1], text, "bad", "--json").stdout
    rows = [json.loads(line) for line in lines.splitlines()]
    assert [row["text"] for row in rows] == [text, "bad"]
    assert [word["text"] for word in rows[0]["words"]] == text.split()
    with serve(tiny_models, port=0, rest_api_port=0) as server:
        for url in (server.grpc_url, server.rest_url):
            asked = ("explain", "--url", url, "--model-name", "tiny", text)
            row = json.loads(kerassent(*asked, "--json").stdout)
            assert row["words"][1]["attribution"] == pytest.approx(
                rows[0]["words"][1]["attribution"], abs=1e-4
            )
            assert set(row) == {
                *("text", "label", "score", "words", "completeness_error")
            }
    shown = kerassent("explain", tiny_run[1], text).stdout
    label, score = rows[0]["label"], rows[0]["score"]
    assert shown.startswith(f"{label}  {score:.4f}\n{text}\n")
    for word in rows[0]["words"]:
        assert f"{word['text']} {word['attribution']:+.2f}" in shown
    other = {"pos": "neg", "neg": "pos"}[label]
    turned = kerassent("explain", tiny_run[1], text, "--target", other)
    assert turned.stdout.startswith(f"{other}  {1 - score:.4f}")

    page = tmp_path / "why.html"
    said = kerassent("explain", tiny_run[1], "<i>good", "--html", page)
    assert said.stdout == ""
    assert f"wrote {page}" in said.stderr
    assert "&lt;" in page.read_text("utf-8")
    assert [each.name for each in tmp_path.iterdir()] == ["why.html"]


def test_explain_says_what_is_wrong(tiny_run):
    for arguments, message in (
        ((tiny_run[1],), "Give a MODEL and a TEXT, or --url and a TEXT."),
        (("--url", "http://x"), "--url needs --model-name."),
        (("--url", "http://x", "--model-name", "m"), "--url and a TEXT."),
    ):
        shown = kerassent("explain", *arguments, code=2)
        assert message in " ".join(shown.stderr.split())
    shown = kerassent(
        "explain", tiny_run[1], "good", "--html", "no/where.html", code=1
    )
    assert "There is no directory 'no'" in shown.stderr


def test_export_writes_a_keras_nlp_task(tiny_run, tmp_path):
    task = tmp_path / "task"
    arguments = ("export", tiny_run[1], task, "--format", "keras-nlp")
    shown = kerassent(*arguments)
    assert shown.stdout == f"{task}\n"
    names = json.loads((task / "class_names.json").read_text())
    assert names == ["neg", "pos"]
    assert "is there already" in kerassent(*arguments, code=1).stderr
    refused = kerassent(*arguments, "--version", 2, code=1)
    assert "`--version` goes with `--format saved_model`" in refused.stderr


def test_find_lr_prints_an_option_of_train(reviews_csv, tiny_preset, tmp_path):
    arguments = (
        *("find-lr", reviews_csv, *COLUMNS, "--preset", tiny_preset),
        *("--num-steps", 200, "--batch-size", 8),
    )
    shown = kerassent(*arguments, "--plot", tmp_path / "lr.svg")
    option, value = shown.stdout.split()
    curve = LRCurve.from_json(kerassent(*arguments, "--json").stdout)
    assert option == "--max-lr"
    assert float(value) == pytest.approx(curve.suggestion, rel=0.06)
    assert len(curve.losses) <= 200
    # Somebody who watches sees the curve and the rest.
    assert f"steepest {curve.suggestions['steepest']:.1e}" in shown.stderr
    assert "▲" in shown.stderr
    assert [path.name for path in tmp_path.glob("*lr.svg")] == ["lr.svg"]
    assert "learning rate" in (tmp_path / "lr.svg").read_text()


def test_find_lr_says_when_there_is_none(reviews_csv, tiny_preset):
    arguments = (
        *("find-lr", reviews_csv, *COLUMNS, "--preset", tiny_preset),
        *("--num-steps", 12, "--layer-decay", 0.9),
    )
    shown = kerassent(*arguments, code=1)
    assert shown.stdout == ""
    assert "12 steps are too few: give `num_steps` of 20" in shown.stderr
    curve = json.loads(kerassent(*arguments, "--json").stdout)
    assert curve["suggestion"] is None
    assert curve["doubt"].startswith("12 steps are too few")


def test_find_lr_refuses_a_figure_that_cannot_be_written(reviews_csv, tmp_path):
    for figure, message in (
        ("lr.docx", "no figure can be written as 'lr.docx'. Its ending must"),
        (tmp_path / "no" / "lr.svg", "--plot: there is no directory"),
    ):
        shown = kerassent(
            *("find-lr", reviews_csv, *COLUMNS, "--plot", figure), code=2
        )
        assert message in " ".join(shown.stderr.split())


def test_options_of_train_reach_it(monkeypatch, reviews_csv, tmp_path):
    """Its arguments are all that is looked at; test_training has the rest."""
    called = {}

    def train(reviews, output, **options):
        called.update(options, reviews=type(reviews).__name__)
        raise ValueError("enough")

    defaults = inspect.signature(training.train).parameters
    monkeypatch.setattr(training, "train", train)
    arguments = ("train", reviews_csv, *COLUMNS, "--output", tmp_path / "run")
    kerassent(*arguments, code=1)
    for name, value in called.items():
        if name not in ("reviews", "verbose"):
            assert value == defaults[name].default, name
    kerassent(
        *arguments,
        *("--class-weight", "neg=2", "--class-weight", "pos=0.5"),
        *("--stream", "--last-weights", "--ema", "0.99", "--valid-size", "7"),
        code=1,
    )
    assert called["class_weight"] == {"neg": 2.0, "pos": 0.5}
    assert called["reviews"] == "ReviewStream"
    assert (called["best_weights"], called["ema"]) == (False, 0.99)
    assert called["valid_size"] == 7
    kerassent(*arguments, "--class-weight", "balanced", code=1)
    assert called["class_weight"] == "balanced"
    wrong = kerassent(*arguments, "--class-weight", "neg", code=2)
    assert "must be `balanced` or `CLASS=WEIGHT`" in wrong.stderr


def test_presets_are_listed():
    assert "minilm_l6_en_uncased" in kerassent("presets").stdout
    lines = kerassent("presets", "--json").stdout.splitlines()
    names = {json.loads(line)["name"] for line in lines}
    assert names >= {"minilm_l6_en_uncased", "distil_bert_base_en_uncased"}


def test_an_error_is_one_line_and_code_1(tmp_path, reviews_csv):
    failed = kerassent("predict", tmp_path / "nope", "good", code=1)
    assert failed.stderr.startswith("Error: There is no trained model at")
    assert failed.stderr.count("\n") == 1
    wrong = kerassent(
        *("train", reviews_csv, "--text", "Review", "--label", "Sentiment"),
        *("--output", tmp_path / "run"),
        code=1,
    )
    assert "Pass `--text Reviews`?" in wrong.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "message, shown",
    [
        (
            "`chunk_rows` must be 1 or more. Received: 0",
            "`--chunk-rows` must be 1 or more. Received: 0",
        ),
        ("Pass `text='Reviews'`?", "Pass `--text Reviews`?"),
        ("Pass `text='My text'`?", "Pass `--text 'My text'`?"),
        ("Pass `strict=True` (`--strict`).", "Pass `--strict`."),
        ("Pass `prefix=…` or `model`.", "Pass `prefix=…` or `model`."),
        ("No file for `source`.", "No file for `--input`."),
        ("Call `model.compile()`.", "Call `model.compile()`."),
    ],
)
def test_the_librarys_messages_name_options(message, shown):
    assert with_options_named(message, main.commands["predict"]) == shown


def test_a_wrong_number_is_told_by_its_options_name(reviews_csv, tmp_path):
    wrong = kerassent(
        *("predict", tmp_path / "run", "--input", reviews_csv),
        *("--output", tmp_path / "out.csv", "--chunk-rows", "-1"),
        code=1,
    )
    assert wrong.stderr == (
        "Error: `--chunk-rows` must be 1 or more. Received: -1\n"
    )


def test_a_wrong_call_is_code_2():
    assert "Give a MODEL and a TEXT" in kerassent("predict", code=2).stderr
    assert (
        "--url needs --model-name"
        in kerassent(
            "predict", "--url", "grpc://localhost:1", "good", code=2
        ).stderr
    )
    assert "No such option" in kerassent("presets", "--jsno", code=2).stderr


def test_debug_shows_the_traceback(tmp_path):
    failed = CliRunner().invoke(
        main, ["--debug", "predict", str(tmp_path / "nope"), "good"]
    )
    assert "no trained model" in str(failed.exception)


def test_every_command_has_help():
    shown = kerassent("--help").stdout
    for name, command in main.commands.items():
        assert name in shown
        assert command.help
        assert "Usage" in kerassent(name, "--help").stdout


def test_help_is_whole_in_a_terminal_of_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    overview = kerassent("--help").stdout
    assert "..." not in overview.partition("Commands:")[2]
    for name, command in main.commands.items():
        shown = kerassent(name, "--help").stdout
        assert max(map(len, shown.splitlines())) <= 80
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, (name, option.name)
    preset = kerassent("train", "--help").stdout.partition("--preset")[2]
    assert f"[default: {DEFAULT_PRESET}]" in preset


# A shell starts background jobs with SIGINT ignored, a terminal does not.
AT_A_TERMINAL = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from kerassent.cli import main; main()"
)


@pytest.fixture
def start():
    """Starts the command as in a terminal; ends it if the test did not."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", AT_A_TERMINAL, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_how_to_ask_and_stops_cleanly(tiny_models, number, start):
    process = start(
        *("serve", str(tiny_models), "--port", "0"),
        *("--rest-api-port", str(free_port())),
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            break
    (curl,) = [line.strip() for line in lines if "curl" in line]
    answer = subprocess.run(
        ["sh", "-c", f"{curl} -s --noproxy '*'"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(answer)["predictions"][0]["label"] in ("neg", "pos")
    os.kill(process.pid, number)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Stopped." in rest
    assert "Traceback" not in rest


def test_ctrl_c_ends_training_and_resume_goes_on(
    reviews_csv, tiny_preset, tmp_path, start
):
    run = tmp_path / "run"
    command = [
        *("train", str(reviews_csv), *COLUMNS, "--output", str(run)),
        *("--preset", str(tiny_preset), "--epochs", "20"),
        *("--batch-size", "16", "--max-lr", "1e-2"),
    ]
    process = start(*command)
    history = run.with_name("run.partial") / "history.csv"
    deadline = time.monotonic() + 120
    while not history.exists() or len(history.read_text().splitlines()) < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, talk = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "with the same command and --resume" in " ".join(talk.split())
    assert "Traceback" not in talk
    refused = kerassent(*command, code=1)
    assert "An unfinished run is there" in refused.stderr
    kerassent(*command, "--resume")
    assert (run / "train.json").is_file()
    rows = list(csv.DictReader((run / "history.csv").read_text().splitlines()))
    assert {row["epoch"] for row in rows} == {str(n) for n in range(20)}
    # The schedule went on: its last rate is that of the last of all steps.
    assert float(rows[-1]["learning_rate"]) == pytest.approx(
        1e-2 / 25 / 1e4, rel=1e-3
    )


HEAVY = ["tensorflow", "keras", "keras_nlp", "pandas", "sklearn", "pyarrow"]
HEAVY += ["tensorflow_text", "grpc"]
CLI = "from kerassent.cli import main; main({}, standalone_mode=False)"


@pytest.mark.parametrize(
    "code, allowed",
    [
        ("import kerassent; kerassent.__version__; dir(kerassent)", []),
        (CLI.format(["--help"]), []),
        (CLI.format(["serve", "--help"]), []),
        ("from kerassent import Client, Prediction, errors, serve", []),
        ("from kerassent import Reviews, load_reviews", []),
        (
            "from kerassent import LRFinder, OneCycle, find_lr, Triangular, "
            "SGDR, TriangularOnPlateau, WarmupDecay, LayerDecayAdamW",
            ["tensorflow", "keras", "pandas", "sklearn", "pyarrow", "grpc"],
        ),
    ],
)
def test_imports_bring_no_more_than_they_need(code, allowed):
    report = f"import json, sys; print(json.dumps([m for m in {HEAVY} "
    report += "if m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(done.stdout.splitlines()[-1])) <= set(allowed)


def test_evaluate_writes_a_report(reviews_csv, tiny_run, tmp_path):
    page = tmp_path / "a report.html"
    # Some labels are wrong, so that there are mistakes.
    text = reviews_csv.read_text().replace(",pos", ",neg", 8)
    reviews_csv.write_text(text)
    arguments = ("evaluate", tiny_run[1], reviews_csv, *COLUMNS)
    arguments += ("--html", page, "--train", reviews_csv)
    done = kerassent(*arguments)
    assert f"wrote {page}" in done.stderr
    written = page.read_text("utf-8")
    assert "of 160 reviews right" in written
    command = shlex.join(["kerassent", *map(str, arguments)])
    assert command in html.unescape(written)
    assert '<mark class="' in written.partition('class="card"')[2]
    assert '<section id="data">' in written
    assert '<section id="training">' in written


def test_a_report_that_cannot_be_written_is_told_at_once(tmp_path):
    arguments = ("evaluate", "no run", "no file", "--html")
    for path, words in (
        (tmp_path / "no/report.html", "There is no directory"),
        (tmp_path, "is a directory"),
    ):
        assert words in kerassent(*arguments, path, code=1).stderr
        compare = ("compare", "no run", *arguments[1:], path)
        assert words in kerassent(*compare, code=1).stderr
    shown = kerassent(*arguments[:-1], "--train", "x.csv", code=2).stderr
    assert "--train needs --html" in shown


def test_ui_is_the_embedded_servers(tiny_models, start):
    refused = kerassent(
        *("serve", tiny_models, "--ui", "--engine", "tensorflow_model_server"),
        code=2,
    )
    assert "--ui is a page of the embedded server" in refused.stderr
    refused = kerassent("serve", tiny_models, "--ui", "--host", "::", code=1)
    assert "`--ui` is for this machine only" in refused.stderr
    port = free_port()
    process = start(
        *("serve", str(tiny_models), "--port", "0", "--ui"),
        *("--rest-api-port", str(port)),
    )
    for line in process.stderr:
        if line.startswith("Playground"):
            break
    assert line.endswith(f":{port}/\n")
    with urllib.request.urlopen(line.split()[1]) as response:
        assert b"<textarea" in response.read()


def test_a_line_is_said_once_whoever_logs_beside():
    program = """
        import logging
        from kerassent.cli import main

        main(["presets"], standalone_mode=False)
        logging.info("sets the root up where nobody has")
        logging.getLogger("kerassent.server").info("loaded")
        logging.getLogger("elsewhere").info("nothing")
        logging.getLogger("elsewhere").warning("mind this")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines() == ["loaded", "mind this"]
