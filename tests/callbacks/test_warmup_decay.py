import pytest
from keras import optimizers

from kerassent.callbacks.warmup_decay import WarmupDecay


def test_the_rate_rises_and_falls_to_nothing(compiled, fit, recorder):
    model = compiled(optimizers.Adam(0.1))
    fit(model, WarmupDecay(1.0, warmup=0.25), recorder, epochs=2)
    expected = [s / 5 for s in range(5)] + [1 - s / 15 for s in range(15)]
    assert recorder.of("learning_rate") == pytest.approx(expected)


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match="from 0 to below 1. Received: 1.0"):
        WarmupDecay(0.1, warmup=1.0)
    with pytest.raises(ValueError, match="'cos' or 'linear'. Received: 'exp'"):
        WarmupDecay(0.1, decay="exp")
    with pytest.raises(ValueError, match="`max_lr` must be above 0"):
        WarmupDecay(-0.1)
