"""The report in a real browser."""

import pytest

from kerassent.comparison import Comparison, Difference
from kerassent.data_checks import DataChecks, Example, Finding
from kerassent.html_report import write_report

ODD_NAMES = ("<i>neg</i>", "مرحبا", "\U0001f600", "a class" + "name" * 30)


@pytest.fixture(scope="module")
def reports(
    made_evaluation,
    with_mistakes,
    made_explanation,
    made_run,
    hostile_texts,
    tmp_path_factory,
):
    """A function that writes the report of a name, and gives its path."""
    directory = tmp_path_factory.mktemp("reports")

    def hostile(path):
        evaluation = with_mistakes(made_evaluation(), hostile_texts)
        finding = Finding(
            "leaks",
            "Reviews of the test in the training <b>",
            "bad",
            3,
            100,
            "The figures are too good.",
            tuple(Example("a" * 90, text, text) for text in hostile_texts),
            {},
        )
        differences = tuple(
            Difference(i, f"Excel row {i}", text, "pos", "neg", 0.9, "pos", 0.8)
            for i, text in enumerate(hostile_texts)
        )
        comparison = Comparison(
            *(2000, evaluation, evaluation, 1700, 60, 90, 150, 0.02, 0.015),
            *((0.003, 0.027), 150, differences, differences),
        )
        write_report(
            evaluation,
            path,
            title="<b>title</b> \u202e" + "t" * 200,
            run=made_run,
            explanations=[
                made_explanation(text, [1.0, -0.6, 0.4, 0.05, -1.0])
                for text in hostile_texts
            ],
            data_checks=DataChecks((), (finding,)),
            comparison=comparison,
            command="kerassent evaluate " + "runs/" * 80,
        )

    writers = {
        "plain": lambda path: write_report(made_evaluation(), path),
        "hostile": hostile,
        "odd names": lambda path: write_report(
            made_evaluation(ODD_NAMES, num_reviews=800), path
        ),
        "many classes": lambda path: write_report(
            made_evaluation(tuple(f"topic {i}" for i in range(60))), path
        ),
        "few reviews": lambda path: write_report(
            made_evaluation(num_reviews=3), path
        ),
        "no mistake": lambda path: write_report(
            made_evaluation(skill=60.0), path
        ),
    }

    def give(name):
        path = directory / f"{name}.html"
        if not path.is_file():
            writers[name](path)
        return path

    return give


NAMES = (
    "plain",
    "hostile",
    "odd names",
    "many classes",
    "few reviews",
    "no mistake",
)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_asked_for_or_complained_of(browser, reports, name):
    url = reports(name).as_uri()
    page = browser.open(url, 1280)
    asked = [each for each in page.requests if not each.startswith("data:")]
    assert asked == [url]
    assert page.run("document.scripts.length") == 0
    assert page.run("document.querySelectorAll('img, iframe').length") == 0
    assert page.cut() == []
    page.resize(390, 844)
    assert page.cut() == []
    # With all that is folded away.
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.cut() == []
    assert page.complaints == []
    page.close()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_accessible(browser, axe, reports, name, dark):
    page = browser.open(reports(name).as_uri(), 390, dark=dark)
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.violations(axe) == []
    page.close()


def test_hostile_reviews_are_shown_as_they_are(browser, reports):
    page = browser.open(reports("hostile").as_uri())
    shown = page.run(
        "[...document.querySelectorAll('.card .highlighted')]"
        ".map(q => q.textContent)"
    )
    assert (
        "<script>alert(1)</script><img src=x onerror=alert(2)> & \"'</style>"
        in shown
    )
    assert "{{ 7*7 }} {% raw %} <!-- -->" in shown
    directions = page.run(
        "[...document.querySelectorAll('.card .highlighted')]"
        ".map(q => getComputedStyle(q).direction)"
    )
    arabic = next(i for i, text in enumerate(shown) if "مرحبا" in text)
    assert directions[arabic] == "rtl"
    assert directions[0] == "ltr"
    assert page.run("document.title").startswith("<b>title</b>")
    page.close()


def test_dark_is_dark_and_a_printed_page_is_light_and_whole(browser, reports):
    url = reports("hostile").as_uri()
    backgrounds = {}
    for dark, media in ((False, ""), (True, ""), (True, "print")):
        page = browser.open(url, 794, dark=dark, media=media)
        backgrounds[dark, media] = page.run(
            "getComputedStyle(document.body).backgroundColor"
        )
        if media:
            rest = "document.querySelector('.card details blockquote')"
            assert page.run(f"{rest}.getBoundingClientRect().height") > 20
            pdf = page.ask("Page.printToPDF")["data"]
            assert len(pdf) > 20_000
        page.close()
    assert backgrounds[False, ""] == "rgb(255, 255, 255)"
    assert backgrounds[True, ""] == "rgb(21, 24, 27)"
    assert backgrounds[True, "print"] == "rgb(255, 255, 255)"


def test_a_curve_goes_where_its_numbers_say(browser, reports):
    page = browser.open(reports("plain").as_uri())
    # Of the chart of accuracy by the share answered: all answered is at the
    # right end, at the height of the overall accuracy.
    places = page.run(
        """(() => {
          const chart = [...document.querySelectorAll(".chart")].find(
            c => c.textContent.includes("Leaving the unsure"));
          const dot = chart.querySelector("circle").getBoundingClientRect();
          const ticks = [...chart.querySelectorAll("text.end")].map(t => [
            parseFloat(t.textContent),
            t.previousElementSibling.getBoundingClientRect().top]);
          const right = chart.querySelector("path.axis")
            .getBoundingClientRect().right;
          return [dot.left + dot.width / 2, dot.top + dot.height / 2, right,
            ticks, chart.querySelector("tbody td:nth-child(3)").textContent];
        })()"""
    )
    x, y, right, ticks, written = places
    assert x == pytest.approx(right, abs=1)
    (low, low_y), (high, high_y) = ticks[0], ticks[-1]
    share = (y - low_y) / (high_y - low_y)
    accuracy = float(written.split("\u202f")[0])
    assert low + share * (high - low) == pytest.approx(accuracy, abs=0.3)
    page.close()
