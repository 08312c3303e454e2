import numpy as np
import pytest
from matplotlib.figure import Figure

from kerassent.lr_curve import LRCurve
from kerassent.lr_drawing import draw_text


@pytest.fixture
def curve():
    steps = np.arange(100)
    losses = np.interp(steps, [0, 30, 70, 99], [2.0, 2.0, 1.0, 90.0])
    return LRCurve(np.geomspace(1e-6, 1.0, 100), losses, smoothing=0.0)


def test_the_figure_has_both_curves_and_every_suggestion(curve):
    ax = Figure().add_subplot()
    assert curve.plot(ax) is ax
    assert ax.get_xscale() == "log"
    raw, smooth = ax.lines[:2]
    assert raw.get_xydata()[:, 1].tolist() == curve.losses.tolist()
    assert smooth.get_xydata()[:, 0].tolist() == curve.learning_rates.tolist()
    marked = [line.get_xdata()[0] for line in ax.lines[2:]]
    suggestions = curve.suggestions
    # The valley has a vertical line as well.
    assert marked == [suggestions["valley"], *suggestions.values()]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[2] == f"valley  {suggestions['valley']:.1e}".replace(
        "e-0", "e-"
    )
    assert labels[-1].startswith("minimum / 10  ")


def test_an_explosion_does_not_press_the_fall_flat(curve):
    low, high = curve.plot(Figure().add_subplot()).get_ylim()
    assert low < 1.0
    assert 2.0 < high < 3.0


def test_without_an_axes_there_is_a_figure_of_its_own(curve, tmp_path):
    import matplotlib.pyplot as plt

    figure = curve.plot().figure
    figure.savefig(tmp_path / "lr.svg")
    plt.close(figure)
    assert b"learning rate" in (tmp_path / "lr.svg").read_bytes()


def test_the_text_has_the_fall_where_it_is():
    # A step down in the middle of the rates.
    rates = np.geomspace(1e-4, 1.0, 101)
    lines = draw_text(
        rates, np.where(rates < 1e-2, 3.0, 1.0), 1e-2, width=20, height=3
    ).splitlines()
    assert lines[0].startswith("3 │")
    assert lines[2].startswith("1 │")
    top, bottom = lines[0][3:], lines[2][3:]
    dots = [i for i, dot in enumerate(top) if dot != "\u2800"]
    assert dots == [*range(10)] or dots == [*range(11)]
    assert bottom[11:] == "\u28c0" * 9
    assert bottom[:9] == "\u2800" * 9
    assert lines[3] == "  └" + "─" * 10 + "▲" + "─" * 9
    assert lines[4] == "   1e-04  1.0e-2  1e+00"


def test_a_flat_or_a_missing_curve_can_be_written():
    assert draw_text(np.array([]), np.array([]), None) == "no curve"
    assert draw_text(np.geomspace(0.1, 1, 5), np.ones(5), None)
