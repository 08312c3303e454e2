import numpy as np
import pytest

from kerassent.learning_curves import draw_learning_curves
from kerassent.whole_file import written_whole


def test_what_is_written_takes_the_files_place(tmp_path):
    path = tmp_path / "figures.csv"
    for text in ("first", "second"):
        with written_whole(path) as beside:
            assert (beside.parent, beside.suffix) == (tmp_path, ".csv")
            beside.write_text(text)
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "figures.csv"
    path.write_text("whole")
    with pytest.raises(KeyboardInterrupt), written_whole(path) as beside:
        beside.write_text("ha")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "whole"


def test_a_picture_that_fails_leaves_nothing(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    def fail(self, path, **options):
        path.write_text("<svg")
        raise OSError("No space left on device")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="No space left"):
        draw_learning_curves(
            [{"epoch": 0, "loss": 0.5}],
            dict.fromkeys(("epoch", "loss", "learning_rate"), np.zeros(0)),
            tmp_path / "curves.svg",
        )
    assert list(tmp_path.iterdir()) == []
