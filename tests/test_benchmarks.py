"""The race's runner and its page; what it measures, it measures elsewhere."""

import csv
import json
import subprocess
import sys

import pytest


@pytest.fixture
def bench(repository, monkeypatch):
    """The directory of the benchmarks, whose modules can be imported."""
    directory = repository / "tools/bench"
    monkeypatch.syspath_prepend(str(directory))
    return directory


def spread(median, least, most):
    return {"median": median, "min": least, "max": most}


def test_runner_measures_a_part_once_and_writes_page_and_figures(
    bench, repository, tiny_run, easy_rows, tmp_path
):
    with (tmp_path / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("Reviews", "Sentiment"), *easy_rows])
    docs = tmp_path / "docs"
    docs.mkdir()
    command = [
        *(sys.executable, bench / "run", tmp_path / "reviews.csv"),
        *(f"--run={tiny_run[1]}", "--quick", "--only", "tokenization"),
        *(f"--results={tmp_path}/results", f"--docs={docs}"),
        f"--peers={tmp_path}/peers",
    ]

    def run():
        done = subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            cwd=repository,
        )
        return done.stdout.splitlines()

    first, second = run(), run()

    assert first[0] == "tokenization: tokenization"
    assert len(second) == 1
    race = json.loads(second[0])
    assert race == json.loads(first[-1])
    assert race == json.loads((docs / "benchmarks.json").read_text())
    assert race["parts"]["tokenization"]["figures"]["reviews"] == 64
    assert race["parts"]["tokenization"]["others_cores"] >= 0
    assert not (tmp_path / "peers" / "torch").exists()
    page = (docs / "benchmarks.md").read_text()
    assert "these figures say nothing" in page
    assert "| `tokenizers`, as transformers uses it | " in page
    assert (docs / "images/benchmarks.svg").read_text().endswith("</svg>\n")


def test_part_that_fails_leaves_nothing(bench, tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, bench / "run", tmp_path / "none.csv"),
            *("--quick", "--only", "tokenization"),
            *(f"--results={tmp_path}/results", f"--docs={tmp_path}"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "tokenization ended with 1." in done.stderr
    assert list((tmp_path / "results").iterdir()) == []


def test_page_says_what_its_figures_say(bench, repository):
    import page

    race = json.loads((repository / "docs/benchmarks.json").read_text())
    parts = {name: part["figures"] for name, part in race["parts"].items()}
    drawn = [page.BARS, page.GROWTH]
    written = (repository / "docs/benchmarks.md").read_text("utf-8")
    assert written == page.text(race, parts, drawn)
    for name in drawn:
        assert (repository / f"docs/images/{name}.svg").is_file()


def test_losses_wins_and_what_is_level(bench):
    from verdicts import summary, verdict, verdict_table

    figures = {
        "float32": spread(10, 9, 11),
        "bfloat16": spread(20, 19, 21),
        "torch": spread(5, 4, 6),
        "onnx": spread(9, 8, 9.5),
        "torch_bfloat16": spread(30, 22, 31),
        "onnx_int8": spread(25, 24, 26),
    }
    level, slower = verdict("a", figures, "reviews/s", True)
    assert (level.ours, level.theirs) == ("float32", "onnx")
    assert (level.word, level.times) == ("level", pytest.approx(10 / 9))
    assert (slower.ours, slower.theirs) == ("bfloat16", "torch_bfloat16")
    assert (slower.word, slower.times) == ("slower", pytest.approx(2 / 3))

    # Of milliseconds the fewest are the best.
    behind, ahead = verdict("b", figures, "ms", False)
    assert (behind.word, behind.theirs) == ("slower", "torch")
    assert behind.times == pytest.approx(1 / 2)
    assert (ahead.word, ahead.theirs) == ("faster", "onnx_int8")
    assert ahead.times == pytest.approx(1.25)

    told = summary([level, slower, behind, ahead])
    assert told.startswith(
        "Of 4 such pairs ours is faster in 1, level in 1 and slower in 2: "
        "a (0.67 times as fast as transformers + torch, bfloat16); b (0.50 "
    )
    assert "**slower**, 0.50 times as fast" in verdict_table([behind])


def test_share_of_the_roof_is_of_its_precision(bench):
    from roof import flops, shares

    cost = {"token": 1_000_000, "pair": 100, "weights": 500_000}
    assert flops(cost, 10, 200) == 10_020_000
    process = {
        "flops": cost,
        "tokens_per_review": 100,
        "tokens_squared": 20_000,
        "sequence_length": 400,
        "reviews_per_second": {
            row: spread(1000, 1000, 1000)
            for row in ("float32", "bfloat16", "onnx_int8")
        },
        "ms": {"short": {"bfloat16": spread(2, 2, 2)}},
    }
    roof = {"roof_gflops": {"float32": 204, "bfloat16": 408}}
    whole, half, short = shares({"roofline": roof, "process": process})
    assert (whole.row, whole.gflops, whole.percent) == ("float32", 102, 50)
    assert (half.row, half.percent) == ("bfloat16", 25)
    assert short.gigabytes == pytest.approx(0.5)  # a million bytes in 2 ms


def test_least_flops_are_those_of_the_products(bench, make_classifier):
    from weights import least_flops

    # One whole layer of 32, with 64 within, and what [CLS] reads of the last.
    assert least_flops(make_classifier().backbone) == {
        "token": 2 * (4 * 32 * 32 + 2 * 32 * 64) + 4 * 2 * 32,
        "pair": 4 * 32,
        "weights": 2 * (4 * 32 * 32 + 2 * 32 * 64),
    }


def test_peer_that_answers_otherwise_is_refused(bench):
    from answering import check

    ours = [[0.9, 0.1], [0.2, 0.8]]
    check("torch", [[0.9, 0.1], [0.3, 0.7]], ours)  # one text of them may be
    with pytest.raises(SystemExit, match="torch: 2 of 2 texts differ"):
        check("torch", [[0.8, 0.2], [0.3, 0.7]], ours)
    check("onnx_int8", [[0.8, 0.2], [0.3, 0.7]], ours)
    with pytest.raises(SystemExit, match="float32: 1 of 2 texts differ"):
        check("float32", [[0.9, 0.1], [0.3, 0.7]], ours)


def test_tables_keep_three_digits(bench):
    from tables import cell, number

    assert [number(each) for each in (0.714, 4.321, 43.21, 1234.5)] == [
        "0.71",
        "4.32",
        "43.2",
        "1,234",
    ]
    assert cell(spread(4.2, 4, 5.125)) == "4.20 (4.00 to 5.12)"
    assert cell(spread(7.0, 7.0, 7.0)) == "7.00"


def test_load_of_others_is_what_this_process_and_its_children_do_not_use(
    bench, monkeypatch
):
    import machine

    clock, everyone, own = iter([0, 4]), iter([100, 103]), iter([10, 11])
    monkeypatch.setattr(machine.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(machine, "all_seconds", lambda: next(everyone))
    monkeypatch.setattr(machine, "own_seconds", lambda: next(own))
    assert machine.Usage().of_others() == 0.5


def test_processor_time_of_ended_children_is_ones_own(bench):
    import machine

    busy = "import time\nwhile time.process_time() < 0.3: pass"
    before = machine.own_seconds()
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert machine.own_seconds() - before >= 0.3
