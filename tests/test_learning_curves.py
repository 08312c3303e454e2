import numpy as np
import pytest

from kerassent.learning_curves import (
    draw_learning_curves,
    learning_curves_figure,
)


def run(epochs, *, validation=True, points=200):
    """Rows and steps as `RunHistory` has them: a noisy fall."""
    rng = np.random.default_rng(0)
    done = np.linspace(epochs / points, epochs, points)
    losses = np.exp(-done) + 0.1 * rng.normal(size=points)
    rates = 1e-3 * np.sin(np.pi * done / epochs)
    rows = []
    for epoch in range(epochs):
        row = {"epoch": epoch, "loss": 0.5, "accuracy": 0.6 + 0.01 * epoch}
        if validation:
            row |= {"val_loss": 0.4, "val_accuracy": 0.65}
        rows.append(row)
    return rows, {"epoch": done, "loss": losses, "learning_rate": rates}


def lines(ax):
    """Each line's points by its label; lines without one are of the raw."""
    return {
        "raw" if line.get_label().startswith("_") else line.get_label(): (
            line.get_xdata().tolist(),
            line.get_ydata().tolist(),
        )
        for line in ax.lines
    }


def test_the_picture_has_losses_accuracies_and_the_rate():
    rows, steps = run(3)
    losses, accuracies, rate = learning_curves_figure(rows, steps).axes
    found = lines(losses)
    assert found["raw"] == (steps["epoch"].tolist(), steps["loss"].tolist())
    assert found["validation"] == ([1, 2, 3], [0.4] * 3)
    found = lines(accuracies)
    assert found["training"] == ([1, 2, 3], [0.6, 0.61, 0.62])
    assert found["validation"] == ([1, 2, 3], [0.65] * 3)
    assert lines(rate)["raw"][1] == steps["learning_rate"].tolist()
    assert [text.get_text() for text in rate.get_yticklabels()] == [
        "0",
        f"{steps['learning_rate'].max():.2g}",
    ]
    assert [ax.get_ylabel() for ax in (losses, accuracies, rate)] == [
        "loss",
        "accuracy",
        "learning rate",
    ]
    assert rate.get_xlim() == (0, 3)
    labels = [text.get_text() for text in losses.get_legend().get_texts()]
    assert labels == ["training", "validation"]


def test_the_smoothed_loss_follows_without_a_lag():
    """A step up in the middle is crossed in the middle."""
    points = 1000
    done = np.linspace(1 / points, 1, points)
    steps = {
        "epoch": done,
        "loss": np.where(done > 0.5, 1.0, 0.0),
        "learning_rate": np.full(points, np.nan),
    }
    [losses] = learning_curves_figure([], steps).axes
    smooth = np.array(lines(losses)["training"][1])
    assert smooth[:450].max() < 0.05
    assert smooth[550:].min() > 0.95
    assert smooth[[499, 500]].mean() == pytest.approx(0.5, abs=0.03)
    assert (np.diff(smooth) >= -1e-12).all()


def test_a_step_that_is_far_off_leaves_the_picture():
    rows, steps = run(2)
    before = learning_curves_figure(rows, steps).axes[0].get_ylim()
    steps["loss"][100] = 1e4
    steps["loss"][101] = np.nan
    low, high = learning_curves_figure(rows, steps).axes[0].get_ylim()
    assert low == pytest.approx(before[0], abs=0.1)
    assert 1 < high < 1e3


def test_a_small_change_of_accuracy_looks_small():
    rows, steps = run(2)
    for row, accuracy in zip(rows, (0.991, 0.993), strict=True):
        row["accuracy"] = row["val_accuracy"] = accuracy
    low, high = learning_curves_figure(rows, steps).axes[1].get_ylim()
    assert 0.05 <= high - low <= 0.11
    assert low < 0.95
    assert high == 1.0


@pytest.mark.parametrize("epochs", [1, 2, 30])
@pytest.mark.parametrize("validation", [True, False])
def test_the_same_run_gives_the_same_bytes(epochs, validation, tmp_path):
    run_of = run(epochs, validation=validation)
    for name in "one.svg", "two.svg":
        draw_learning_curves(*run_of, tmp_path / name)
    one = (tmp_path / "one.svg").read_bytes()
    assert one == (tmp_path / "two.svg").read_bytes()
    assert one.startswith(b"<?xml")
    assert b"<dc:date>" not in one
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "one.svg",
        "two.svg",
    ]


def test_what_is_missing_is_left_out(tmp_path):
    nothing = np.zeros(0)
    empty = {"epoch": nothing, "loss": nothing, "learning_rate": nothing}
    draw_learning_curves([], empty, tmp_path / "empty.svg")
    # Without a loss of each step there is that of each epoch.
    rows, _ = run(3, validation=False)
    losses, accuracies = learning_curves_figure(rows, empty).axes
    assert lines(losses) == {"training": ([1, 2, 3], [0.5] * 3)}
    # No accuracy, and a validation in the second epoch only.
    rows = [
        {"epoch": 0, "loss": 0.5},
        {"epoch": 1, "loss": 0.4, "val_loss": 0.6},
        {"epoch": 2, "loss": 0.3, "val_loss": float("nan")},
    ]
    [losses] = learning_curves_figure(rows, empty).axes
    assert lines(losses)["validation"] == ([2], [0.6])


def test_a_run_that_began_later_begins_there():
    rows, steps = run(4)
    steps = {name: values[100:] for name, values in steps.items()}
    ax = learning_curves_figure(rows[2:], steps).axes[-1]
    assert ax.get_xlim() == (2, 4)
