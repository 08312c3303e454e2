import keras
import numpy as np
import pytest

from kerassent.callbacks.one_cycle import OneCycle
from kerassent.optimizers import LayerDecayAdamW

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def encoder(optimizer=None):
    """An embedding, two layers, a head; each with a kernel and a bias."""
    keras.utils.set_random_seed(0)
    names = ("embedding", "transformer_layer_0", "transformer_layer_1", "head")
    layers = [keras.layers.Dense(3, name=name) for name in names]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(optimizer, "mse")
    return model


def moved(optimizer):
    """How far the first step moves each kernel and bias."""
    model = encoder(optimizer)
    before = model.get_weights()
    model.fit(X, Y, batch_size=32, verbose=0)
    return [
        np.abs(new - old).mean()
        for old, new in zip(before, model.get_weights(), strict=True)
    ]


def test_a_layer_learns_so_much_more_slowly_than_the_one_above():
    """Adam's first step is the learning rate, whatever the gradient."""
    found = moved(LayerDecayAdamW(0.01, layer_decay=0.5, weight_decay=0.0))
    kernels, biases = found[::2], found[1::2]
    expected = [0.01 * 0.5**n for n in (3, 2, 1, 0)]
    assert kernels == pytest.approx(expected, rel=1e-3)
    assert biases == pytest.approx(expected, rel=1e-3)


def test_weight_decay_spares_biases_and_shrinks_with_the_layer():
    """Without a gradient only the decay is left."""
    model = encoder(LayerDecayAdamW(0.1, layer_decay=0.5, weight_decay=0.2))
    for layer in model.layers:
        layer.bias.assign(np.ones(3))
    before = model.get_weights()
    gradients = [keras.ops.zeros_like(v) for v in model.trainable_variables]
    model.optimizer.apply(gradients, model.trainable_variables)
    left = [
        (new / old).mean()
        for old, new in zip(before, model.get_weights(), strict=True)
    ]
    assert left[1::2] == [1, 1, 1, 1]
    assert left[::2] == pytest.approx(
        [1 - 0.1 * 0.2 * 0.5**n for n in (3, 2, 1, 0)], rel=1e-5
    )


def test_without_decay_by_layer_it_is_keras_adamw():
    def weights(optimizer):
        model = encoder(optimizer)
        model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        return model.get_weights()

    keras_own = keras.optimizers.AdamW(0.01, weight_decay=0.1)
    keras_own.exclude_from_weight_decay(var_names=["bias"])
    ours = LayerDecayAdamW(0.01, layer_decay=1.0, weight_decay=0.1)
    for old, new in zip(weights(keras_own), weights(ours), strict=True):
        np.testing.assert_allclose(old, new, atol=1e-6)


def test_one_cycle_drives_it_and_a_saved_model_brings_it_back(tmp_path):
    model = encoder(LayerDecayAdamW(0.01, layer_decay=0.8))
    history = model.fit(
        X, Y, batch_size=8, verbose=0, callbacks=[OneCycle(0.1)]
    ).history
    assert history["momentum"] == [pytest.approx(0.95)]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras").optimizer
    assert isinstance(again, LayerDecayAdamW)
    assert again.get_config() == model.optimizer.get_config()
    assert again.layer_decay == 0.8
    assert int(again.iterations) == 4


def test_norms_and_the_embeddings_of_a_classifier(make_classifier):
    classifier = make_classifier()
    optimizer = LayerDecayAdamW(layer_decay=0.5)
    optimizer.build(classifier.trainable_variables)
    factors = {
        variable.path: factor
        for variable, factor in zip(
            classifier.trainable_variables, optimizer._factors, strict=True
        )
    }
    for path, factor in factors.items():
        if path.startswith("transformer_layer_"):
            layer = int(path.split("/")[0][-1])
            assert factor == 0.5 ** (2 - layer)
        else:
            below = "embedding" in path.split("/")[0]
            assert factor == (0.125 if below else 1.0), path
    assert len(set(factors.values())) == 4


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match="`layer_decay` must be above 0. Rec"):
        LayerDecayAdamW(layer_decay=0.0)
    dense = keras.layers.Dense(1, name="only")
    dense.build((None, 2))
    with pytest.raises(ValueError, match="No variable's path .*'only/kernel'"):
        LayerDecayAdamW().build(dense.trainable_variables)
