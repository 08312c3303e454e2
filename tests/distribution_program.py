"""What test_distribution.py runs, in processes of their own.

TensorFlow can be told of several devices only before it has been used.
"""

import functools
import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import keras_nlp
import numpy as np
import tensorflow as tf
from conftest import BAD, GOOD, SPECIAL, WORDS

from kerassent.batches import make_dataset
from kerassent.callbacks.averaged_weights import AveragedWeights
from kerassent.callbacks.best_weights import BestWeights
from kerassent.callbacks.checkpoints import Checkpoints
from kerassent.callbacks.model_state import ModelState
from kerassent.callbacks.one_cycle import OneCycle
from kerassent.callbacks.range_test import find_lr
from kerassent.classifier import SentimentClassifier
from kerassent.metrics import BalancedAccuracy
from kerassent.optimizers import LayerDecayAdamW
from kerassent.preprocessing import SentimentPreprocessor
from kerassent.reviews import Reviews
from kerassent.token_batches import (
    TokenBatches,
    TokenizedReviews,
    token_dataset,
)
from kerassent.tokenizer import BertTokenizer


def reviews(count):
    """Of lengths that make batches of several widths."""
    rows = [
        ("the film was " + "very " * times + word, label)
        for label, words in (("neg", BAD), ("pos", GOOD))
        for word in words
        for times in range(16)
    ]
    order = np.random.default_rng(0).permutation(len(rows))[:count]
    texts, labels = zip(*(rows[i] for i in order), strict=True)
    return Reviews(texts, labels, class_names=("neg", "pos"))


def classifier(strategy, optimizer, *, dropout=0.0, precision="float32"):
    """An untrained one; the optimizer is made in the scope, too."""
    with strategy.scope():
        keras.utils.set_random_seed(0)
        backbone = keras_nlp.models.DistilBertBackbone(
            vocabulary_size=len(SPECIAL + WORDS),
            num_layers=1,
            num_heads=2,
            hidden_dim=16,
            intermediate_dim=32,
            max_sequence_length=32,
            dropout=dropout,
        )
        model = SentimentClassifier(
            backbone,
            ("neg", "pos"),
            SentimentPreprocessor(
                BertTokenizer(SPECIAL + WORDS), sequence_length=32
            ),
            dropout=dropout,
        )
        model.precision = precision
        model.compile(
            optimizer(),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[
                keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
                BalancedAccuracy(2),
            ],
        )
    return model


def adamw(**kwargs):
    return functools.partial(LayerDecayAdamW, 3e-3, **kwargs)


def batches(model, count, batch_size=32):
    return make_dataset(
        reviews(count),
        batch_size=batch_size,
        shuffle=True,
        seed=1,  # each pass of a dataset has the order of its number
        preprocessor=model.preprocessor,
    )


def weights(model):
    return {str(i): w for i, w in enumerate(model.get_weights())}


def use(strategy, out):
    """What a user does, all of it with one model."""
    model = classifier(strategy, adamw(global_clipnorm=0.1))
    cycle = OneCycle(3e-3)
    fitted = model.fit(
        batches(model, 128), epochs=3, callbacks=[cycle], verbose=0
    )
    np.savez(out + ".divisible.npz", **weights(model))
    model.optimizer.learning_rate = 3e-3  # 1cycle leaves next to none
    # The last batch is divided into 3 and 2, and into 1 and none.
    for name, count in (("five_over", 37), ("one_over", 33)):
        model.fit(batches(model, count), epochs=2, verbose=0)
        np.savez(f"{out}.{name}.npz", **weights(model))
    evaluated = model.evaluate(
        batches(model, 37, 16), verbose=0, return_dict=True
    )

    state = ModelState(model)
    model.reset_metrics()
    state.restore()
    restored = {k: float(v) for k, v in model.get_metrics_result().items()}

    return {
        "history": fitted.history,
        "evaluated": evaluated,
        "restored": restored,
        "proba": model.predict_proba(["a good film", "bad"]).tolist(),
        "dropped": dropped(strategy),
    }


def dropped(strategy):
    """The logits of the same text on each replica, with dropout on."""
    model = classifier(strategy, keras.optimizers.SGD, dropout=0.5)
    x = model.preprocessor(tf.constant(["a good film"]))
    logits = strategy.run(tf.function(lambda: model(x, training=True)))
    return [
        each.numpy().tolist()
        for each in strategy.experimental_local_results(logits)
    ]


def fits(strategy, out):
    """Fits that each differ in one thing."""

    def fit(name, optimizer, precision="float32", **arguments):
        model = classifier(strategy, optimizer, precision=precision)
        model.fit(batches(model, 160), epochs=2, verbose=0, **arguments)
        np.savez(f"{out}.{name}.npz", **weights(model))

    fit(
        "accumulation",
        adamw(gradient_accumulation_steps=2, global_clipnorm=0.1),
        callbacks=[OneCycle(3e-3)],
    )
    fit(
        "averages",
        adamw(use_ema=True, ema_momentum=0.9),
        callbacks=[AveragedWeights(), BestWeights("loss")],
    )
    fit(
        "overwriting",
        adamw(use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3),
    )
    fit("class_weight", adamw(), class_weight={0: 1.0, 1: 3.0})
    fit("stock", functools.partial(keras.optimizers.AdamW, 3e-3))
    fit("bfloat16", adamw(), precision="bfloat16")

    model = classifier(strategy, adamw(global_clipnorm=0.1))
    before = weights(model)
    curve = find_lr(model, batches(model, 160), num_steps=20, end_lr=0.1)
    after = weights(model)
    x = batches(model, 37, 16).map(lambda x, y: x)
    return {
        "lr_losses": curve.losses.tolist(),
        "untouched": all(np.array_equal(before[k], after[k]) for k in before),
        "predicted": model.predict(x, verbose=0).tolist(),
    }


class Steps(keras.callbacks.Callback):
    """Says how far it is, and leaves time to be killed."""

    def on_train_batch_end(self, batch, logs=None):
        print("step", self.model.optimizer.iterations.numpy(), flush=True)
        time.sleep(0.3)


def checkpointed(strategy, directory, out):
    """A run that goes on where the last one was killed."""
    model = classifier(strategy, adamw(global_clipnorm=0.1), dropout=0.1)
    data = reviews(150)
    planned = TokenBatches(
        TokenizedReviews.of(data, model.preprocessor),
        data.label_ids,
        model.preprocessor,
        batch_size=32,
        max_tokens=None,
        shuffle=True,
        seed=1,
    )
    checkpoints = Checkpoints(directory, every_steps=1)
    callbacks = [OneCycle(3e-3), Steps()]
    checkpoints.set_callbacks(callbacks)
    # Metrics have their variables once they have seen a batch.
    model.test_on_batch(*next(planned.epoch(0)))
    fitted = model.fit(
        token_dataset(planned, lambda: checkpoints.position),
        epochs=2,
        initial_epoch=checkpoints.initial_epoch,
        callbacks=[*callbacks, checkpoints],
        verbose=0,
    )
    np.savez(out + ".npz", **weights(model))
    return fitted.history


def main():
    task, out, *rest = sys.argv[1:]
    if "TF_CONFIG" in os.environ:
        strategies = {"workers": tf.distribute.MultiWorkerMirroredStrategy()}
    else:
        [cpu] = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(
            cpu, 2 * [tf.config.LogicalDeviceConfiguration()]
        )
        strategies = {
            "one": tf.distribute.get_strategy(),
            "mirrored": tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
        }
    results = {}
    for name in rest[1:] or strategies:
        strategy, path = strategies[name], f"{out}.{name}"
        if task == "use":
            results[name] = use(strategy, path)
        elif task == "fits":
            results[name] = fits(strategy, path)
        else:
            results[name] = checkpointed(strategy, rest[0], path)
    with open(out + ".json", "w", encoding="utf-8") as file:
        json.dump(results, file)


if __name__ == "__main__":
    main()
