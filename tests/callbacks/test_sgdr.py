import pytest
from keras import optimizers

from kerassent.callbacks.sgdr import SGDR
from kerassent.schedules import sgdr


def test_cycles_get_longer_and_lower(compiled, fit, recorder):
    model = compiled(optimizers.Adam(0.1))
    callback = SGDR(0.1, cycle_mult=2, decay=0.5, min_lr=0.001)
    history = fit(model, callback, recorder, epochs=4).history
    rates = recorder.of("learning_rate")
    assert rates == [
        sgdr(s, 10, max_lr=0.1, min_lr=0.001, cycle_mult=2, decay=0.5)
        for s in range(40)
    ]
    # Cycles of 1 and 2 epochs, and the first step of the third.
    assert [rates[0], rates[10], rates[30]] == [0.1, 0.05, 0.025]
    assert "momentum" not in history


def test_errors_say_what_is_wrong():
    for wrong in (0, 1.5):
        with pytest.raises(ValueError, match=f"whole .*Received: {wrong}"):
            SGDR(0.1, cycle_mult=wrong)
    with pytest.raises(ValueError, match="Received: min_lr=0.2, max_lr=0.1"):
        SGDR(0.1, min_lr=0.2)
    with pytest.raises(ValueError, match="`cycle_len` must be above 0"):
        SGDR(0.1, cycle_len=0)
