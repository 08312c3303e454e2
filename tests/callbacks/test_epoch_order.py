import keras
import numpy as np
import tensorflow as tf

from kerassent.callbacks.epoch_order import EpochOrder


def test_a_dataset_is_told_the_epoch_that_fit_is_at():
    order, asked = EpochOrder(), []

    def batches():
        asked.append(next(order))
        for _ in range(3):
            yield np.zeros((2, 1), "float32"), np.zeros((2, 1), "float32")

    spec = tf.TensorSpec([2, 1], tf.float32)
    dataset = tf.data.Dataset.from_generator(
        batches, output_signature=(spec, spec)
    ).apply(tf.data.experimental.assert_cardinality(3))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    settings = {"shuffle": False, "verbose": 0}
    model.fit(dataset, epochs=2, **settings)  # as a finder's
    model.fit(dataset, epochs=2, callbacks=[order], **settings)
    model.fit(dataset, epochs=5, initial_epoch=3, callbacks=[order], **settings)
    assert asked == [0, 1, 0, 1, 3, 4]
