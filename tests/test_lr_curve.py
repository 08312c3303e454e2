import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from kerassent.lr_curve import LRCurve
from kerassent.lr_suggestions import minimum, slide, steepest, valley

RECORDED = sorted(pathlib.Path(__file__).with_name("lr_curves").glob("*.json"))


@pytest.fixture
def curve():
    steps = np.arange(100)
    losses = np.interp(steps, [0, 30, 70, 99], [2.0, 2.0, 1.0, 9.0])
    return LRCurve(np.geomspace(1e-6, 1.0, 100), losses, smoothing=0.5)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_curves_suggest_what_a_reader_would(path):
    recorded = json.loads(path.read_text("utf-8"))
    curve = LRCurve.from_json(json.dumps(recorded["curve"]))
    assert curve.doubt is None
    assert curve.suggestions == pytest.approx(recorded["suggestions"])
    # Somebody looked at the figure and said between which rates it falls.
    low, high = recorded["falls_between"]
    for name in ("valley", "steepest", "minimum"):
        assert low <= curve.suggestions[name] <= high


def test_there_are_recorded_curves():
    assert [path.stem for path in RECORDED] == ["digits_cnn", "minilm_imdb"]


def test_the_ends_are_left_out_of_suggestions(curve):
    rates, losses = curve.learning_rates[10:95], curve.smoothed_losses[10:95]
    assert curve.suggestions == {
        "valley": valley(rates, losses),
        "steepest": steepest(rates, losses),
        "slide": slide(rates, losses),
        "minimum": minimum(rates, losses),
    }
    assert curve.suggestion == curve.suggestions["valley"]


def test_a_validation_loss_is_what_is_judged(curve):
    with_validation = LRCurve(
        curve.learning_rates,
        np.ones(100),
        val_losses=curve.losses,
        smoothing=0.5,
    )
    assert with_validation.suggestions == curve.suggestions
    assert with_validation.plot().get_ylabel() == "validation loss"
    assert list(with_validation.to_frame()) == [
        "learning_rate",
        "loss",
        "val_loss",
        "smoothed_loss",
    ]


def test_json_gives_the_same_curve_back(curve):
    again = LRCurve.from_json(curve.to_json())
    assert again.losses.tolist() == curve.losses.tolist()
    assert again.suggestions == curve.suggestions
    assert again.to_dict() == curve.to_dict()
    short = LRCurve([0.1], [1.0], [2.0], 0.8, "not_finite")
    assert LRCurve.from_json(short.to_json()).to_dict() == short.to_dict()
    assert short.to_dict()["suggestion"] is None


def test_the_frame_has_a_row_a_step(curve):
    frame = curve.to_frame()
    assert list(frame) == ["learning_rate", "loss", "smoothed_loss"]
    assert frame.iloc[70].tolist() == [
        curve.learning_rates[70],
        curve.losses[70],
        curve.smoothed_losses[70],
    ]


def test_a_curve_is_not_changed(curve):
    with pytest.raises(AttributeError):
        curve.smoothing = 0.1
    with pytest.raises(ValueError, match="read-only"):
        curve.losses[0] = 3.0


@pytest.mark.parametrize(
    "stop_reason, doubt",
    [
        ("finished", "7 steps are too few: give `num_steps` of 20 or more"),
        ("diverged", "exploded after 7 of the 20 steps .* smaller `start_lr`"),
        ("not_finite", "no finite number after 7 of the 20 steps"),
        ("ran_out", "the data ran out after 7 of the 20 steps"),
    ],
)
def test_too_few_steps_give_no_suggestion(stop_reason, doubt):
    curve = LRCurve(
        np.geomspace(1e-6, 1, 7), np.ones(7), stop_reason=stop_reason
    )
    with pytest.raises(ValueError, match="20 steps or more. Received: 7"):
        _ = curve.suggestion
    with pytest.raises(ValueError, match="20 steps or more. Received: 7"):
        _ = curve.suggestions
    assert re.search(doubt, curve.doubt)
    assert curve.to_dict()["suggestions"] == {}
    assert curve.doubt in str(curve)
    assert curve.plot() is not None


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match=r"each of the 2 .*Received: \(3,\)"):
        LRCurve([0.1, 0.2], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="must be one of .*Received: 'bored'"):
        LRCurve([0.1], [1.0], stop_reason="bored")
    for text in ("{}", "[1]", '{"losses": [1.0]}'):
        with pytest.raises(ValueError, match="must be what `LRCurve.to_json`"):
            LRCurve.from_json(text)


def test_a_curve_needs_neither_tensorflow_nor_matplotlib():
    code = "import sys; from kerassent import LRCurve\n"
    code += "LRCurve([0.1], [1.0]).to_json()\n"
    code += "print({'tensorflow', 'matplotlib', 'pandas'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
