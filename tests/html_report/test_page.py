import base64
import hashlib
import html
import pathlib
import re

import pytest

import kerassent as ks
from kerassent.errors import PresetError
from kerassent.html_report.page import report_html
from kerassent.html_report.wording import percent


def test_all_figures_are_in_it(made_evaluation, made_run):
    evaluation = made_evaluation()
    page = report_html(evaluation, run=made_run, command="the command --x")
    for value in (
        percent(evaluation.accuracy),
        f"{evaluation.log_loss:.3f}",
        f"{evaluation.brier_score:.3f}",
        f"{evaluation.expected_calibration_error:.3f}",
        f"{evaluation.roc_auc:.3f}",
        f"{evaluation.average_precision:.3f}",
        f"{evaluation.matthews_corrcoef:.3f}",
        evaluation.provenance.data_sha256,
        "the command --x",
        "minilm_l6_en_uncased",
        "A &lt;fast&gt; one",
        "Learning-rate finder",
    ):
        assert value in page
    for row in evaluation.confusion_matrix:
        for number in row:
            assert f">{number:,} <span>{percent(number / sum(row))}" in page


def test_the_style_sheet_is_the_one_that_the_policy_allows(made_evaluation):
    page = report_html(made_evaluation())
    (style,) = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    (allowed,) = re.findall("style-src 'sha256-(.*?)'", html.unescape(page))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest())
    assert digest.decode() == allowed
    assert "default-src 'none'" in page
    assert "style=" not in page


def test_hostile_texts_are_escaped(
    made_evaluation, with_mistakes, hostile_texts
):
    evaluation = with_mistakes(made_evaluation(), hostile_texts)
    page = report_html(evaluation, title="</title><script>")
    assert "<script" not in page
    assert "<img" not in page
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", page)
    page.encode("utf-8")  # no halves of characters


def test_sections_are_there_if_there_is_something_in_them(made_evaluation):
    page = report_html(made_evaluation())
    anchors = re.findall('href="#(.*?)"', page)
    assert anchors == re.findall('<section id="(.*?)"', page)
    assert "training" not in anchors
    assert "data" not in anchors
    assert "Marked words" not in page


def test_it_is_small(made_evaluation, with_mistakes, made_explanation):
    names = tuple(f"class {i}" for i in range(20))
    evaluation = made_evaluation(names, skill=1.0)
    evaluation = with_mistakes(evaluation, ["film bad " * 222] * 50)
    explanations = [
        made_explanation(each.text, [1, -1]) for each in evaluation.mistakes
    ]
    page = report_html(evaluation, explanations=explanations)
    assert len(page.encode()) < 1_000_000


def test_it_is_written_whole(made_evaluation, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("an old one")
    ks.write_report(made_evaluation(), path)
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_a_wrong_argument_is_told(made_evaluation, made_explanation, tmp_path):
    evaluation = made_evaluation()
    with pytest.raises(TypeError, match="must be what `evaluate` returned"):
        ks.write_report({"accuracy": 1}, tmp_path / "r.html")
    with pytest.raises(FileNotFoundError, match="no directory .*no.* to write"):
        ks.write_report(evaluation, tmp_path / "no/r.html")
    with pytest.raises(IsADirectoryError, match="is a directory"):
        ks.write_report(evaluation, tmp_path)
    with pytest.raises(PresetError, match="There is no run of `train` at"):
        ks.write_report(evaluation, tmp_path / "r.html", run=tmp_path)
    explanations = [made_explanation("a", [1])] * 200
    with pytest.raises(ValueError, match="must be of `evaluation.mistakes`"):
        ks.write_report(
            evaluation, tmp_path / "r.html", explanations=explanations
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["history.csv", "lr_curve.json"])
def test_a_damaged_file_of_the_run_is_named(
    made_evaluation, made_run, tmp_path, name
):
    for file in made_run.iterdir():
        text = "{epoch,loss\n1,x" if file.name == name else file.read_text()
        pathlib.Path(tmp_path, file.name).write_text(text)
    with pytest.raises(ValueError, match=rf"{name} is damaged"):
        report_html(made_evaluation(), run=tmp_path)


@pytest.mark.parametrize("name", ["history.csv", "step_losses.csv"])
def test_a_column_that_the_runs_file_lacks_is_named(
    made_evaluation, made_run, tmp_path, name
):
    for file in made_run.iterdir():
        text = "step\n1\n" if file.name == name else file.read_text()
        pathlib.Path(tmp_path, file.name).write_text(text)
    with pytest.raises(
        ValueError, match=rf"{name} is damaged: it has no column 'epoch'"
    ):
        report_html(made_evaluation(), run=tmp_path)


def test_a_damaged_record_of_the_run_is_named(
    made_evaluation, made_run, tmp_path
):
    for content in ('{"epochs": 2', "[2]"):
        (tmp_path / "train.json").write_text(content)
        with pytest.raises(ValueError, match=r"train.json is damaged.*again"):
            report_html(made_evaluation(), run=tmp_path)


def test_a_run_of_an_older_version_has_its_epochs_at_least(
    made_evaluation, made_run, tmp_path
):
    for name in ("history.csv", "train.json"):
        text = pathlib.Path(made_run, name).read_text()
        pathlib.Path(tmp_path, name).write_text(text)
    page = report_html(made_evaluation(), run=tmp_path)
    assert "<h3>Loss</h3>" in page
    assert "<h3>Learning rate</h3>" not in page
    assert "Learning-rate finder" not in page
