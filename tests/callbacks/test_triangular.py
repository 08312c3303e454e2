import pytest
from keras import optimizers

from kerassent.callbacks.triangular import Triangular
from kerassent.schedules import triangular


def test_each_cycle_goes_up_and_down_in_rate_and_momentum(
    compiled, fit, recorder
):
    model = compiled(optimizers.SGD(0.1, momentum=0.9))
    callback = Triangular(
        0.1, div_factor=5.0, cycle_len=2, decay=0.5, base_momentum=0.8
    )
    fit(model, callback, recorder, epochs=4)
    rates, momenta = recorder.of("learning_rate"), recorder.of("momentum")
    # Two cycles of 20 steps; the second is half as high.
    assert rates == [
        triangular(s, 20, base=0.02, peak=0.1, decay=0.5) for s in range(40)
    ]
    assert (rates[0], rates[20]) == (0.02, 0.02)
    assert (rates[10], rates[30]) == pytest.approx((0.1, 0.06))
    assert (momenta[0], momenta[20]) == (0.95, 0.95)
    assert (momenta[10], momenta[30]) == pytest.approx((0.8, 0.875))
    assert recorder.shown == momenta
    assert model.optimizer.momentum == 0.9


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match="`div_factor` must be 1 or more. Rec"):
        Triangular(0.1, div_factor=0.5)
    with pytest.raises(ValueError, match="`cycle_len` must be above 0"):
        Triangular(0.1, cycle_len=0)
    with pytest.raises(ValueError, match="`decay` must be above 0"):
        Triangular(0.1, decay=-1)
    with pytest.raises(ValueError, match="below 1. Received: .*_momentum=1.0"):
        Triangular(0.1, max_momentum=1.0)
