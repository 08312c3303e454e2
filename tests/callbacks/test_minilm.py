import keras
import numpy as np
import pytest

import kerassent as ks
from kerassent.presets import DEFAULT_PRESET
from kerassent.schedules import one_cycle, one_cycle_momentum


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append((logs["learning_rate"], logs["momentum"]))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_pretrained_encoder_learns_4000_real_reviews(repository):
    file = repository.parent / "shared/data/imdb/train.xlsx"
    if not file.is_file():
        pytest.skip(f"needs {file}")
    reviews = ks.load_reviews(file, text="Reviews", label="Sentiment")
    others, sample = reviews.split(test_size=4000, seed=0)
    classifier = ks.SentimentClassifier.from_preset(
        DEFAULT_PRESET, class_names=reviews.class_names, sequence_length=64
    )
    classifier.compile(
        ks.LayerDecayAdamW(layer_decay=0.95),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    dataset = ks.make_dataset(
        sample,
        shuffle=True,
        seed=0,
        preprocessor=classifier.preprocessor.with_settings(
            pad_to_multiple_of=16
        ),
    )
    before = [weight.numpy() for weight in classifier.weights]
    curve = ks.find_lr(
        classifier, dataset, start_lr=1e-6, end_lr=1e-2, num_steps=60
    )
    assert curve.doubt is None
    assert 2e-5 < curve.suggestion < 1e-3
    for weight, value in zip(classifier.weights, before, strict=True):
        assert np.array_equal(weight.numpy(), value), weight.path
    assert int(classifier.optimizer.iterations) == 0

    recorder = Recorder()
    classifier.fit(
        dataset,
        callbacks=[ks.OneCycle(max_lr=curve.suggestion), recorder],
        verbose=0,
    )
    rates, momenta = zip(*recorder.steps, strict=True)
    assert rates == pytest.approx(
        [one_cycle(i, 125, max_lr=curve.suggestion) for i in range(125)]
    )
    assert momenta == pytest.approx(
        [one_cycle_momentum(i, 125) for i in range(125)]
    )
    # Guessing gives 0.5 with a standard error of 0.016.
    judged = ks.evaluate(classifier, others.sample(1000, seed=0))
    assert judged.accuracy > 0.75
