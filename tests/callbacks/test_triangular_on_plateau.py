import keras
import pytest
from keras import optimizers

from kerassent.callbacks.triangular_on_plateau import TriangularOnPlateau


class Script(keras.callbacks.Callback):
    """Says what the validation loss was."""

    def __init__(self, *losses):
        super().__init__()
        self.losses = losses

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = self.losses[epoch]


@pytest.fixture(scope="module")
def model(compiled):
    return compiled(optimizers.SGD(0.1))


def quiet(max_lr, **kwargs):
    return TriangularOnPlateau(max_lr, cycle_momentum=False, **kwargs)


def peaks(recorder):
    """Each epoch's highest rate: that of its sixth step."""
    return recorder.of("learning_rate")[5::10]


def test_the_peak_is_halved_after_every_second_epoch_without_progress(
    model, fit, recorder
):
    # Better, twice not, better, four times not.
    script = Script(5, 6, 6, 4, 4, 4, 4, 4, 3)
    fit(model, script, quiet(0.8, stop_patience=9), recorder, epochs=9)
    assert peaks(recorder) == pytest.approx(
        [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2, 0.1]
    )


def test_it_stops_and_a_second_fit_begins_anew(model, fit, recorder):
    callback = quiet(0.8, patience=1, stop_patience=3, min_lr=0.3)
    script = Script(5, 6, 6, 6, 1)
    for _ in range(2):
        recorder.logs = []
        history = fit(model, script, callback, recorder, epochs=5)
        assert history.epoch == [0, 1, 2, 3]
        assert peaks(recorder) == pytest.approx([0.8, 0.8, 0.4, 0.3])


def test_the_best_weights_are_put_back(model, fit):
    kept = []
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.append(model.get_weights())
    )
    script = Script(5, 1, 2, 3)
    callback = quiet(0.8, stop_patience=2, restore_best_weights=True)
    fit(model, script, keep, callback, epochs=9)
    assert len(kept) == 4
    for best, now in zip(kept[1], model.get_weights(), strict=True):
        assert (best == now).all()


def test_a_resumed_run_keeps_its_peak(compiled, fit, recorder, tmp_path):
    def run(model, epochs, *more):
        fit(
            model,
            keras.callbacks.BackupAndRestore(
                tmp_path / "backups", delete_checkpoint=False
            ),
            Script(5, 6, 6, 6, 6, 6),
            quiet(0.8, stop_patience=9),
            *more,
            epochs=epochs,
        )

    run(compiled(optimizers.SGD(0.1)), 4)
    run(compiled(optimizers.SGD(0.1)), 6, recorder)
    assert peaks(recorder) == pytest.approx([0.4, 0.4])


def test_the_momentum_is_cycled_and_put_back(compiled, fit, recorder):
    model = compiled(optimizers.SGD(0.1, momentum=0.9))
    fit(model, Script(1), TriangularOnPlateau(0.01), recorder)
    assert recorder.shown[5] == pytest.approx(0.85)
    assert model.optimizer.momentum == 0.9


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match="above 0 and below 1. Received: 2"):
        TriangularOnPlateau(0.1, factor=2)
    with pytest.raises(ValueError, match="Received: patience=0, stop_patience"):
        TriangularOnPlateau(0.1, patience=0)
    with pytest.raises(ValueError, match="`max_lr` must be above 0"):
        TriangularOnPlateau(0)
    for min_lr in (-1, 0.2):
        with pytest.raises(ValueError, match="`min_lr` must be from 0 to `max"):
            TriangularOnPlateau(0.1, min_lr=min_lr)
