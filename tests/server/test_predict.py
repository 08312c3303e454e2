"""Predict's reading of a request, apart from any graph."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from kerassent.server.predict import predict
from kerassent.server.status import StatusError


class Fake:
    """A version whose runs return what they were fed."""

    name, version = "m", 1

    def __init__(self, *, default=None):
        signature = SignatureDef()
        for alias in ("a", "b"):
            signature.inputs[alias].name = f"{alias}:0"
        signature.outputs["y"].name = "y:0"
        if default is not None:
            signature.defaults["b"].CopyFrom(tf.make_tensor_proto(default))
        self.signatures = {"serving_default": signature}
        self.feeds = None

    def run(self, feeds, fetches, *, timeout_ms=None, api="Predict"):
        self.feeds = {name: array.tolist() for name, array in feeds.items()}
        return [np.zeros(1) for _ in fetches]


def test_default_of_a_signature_stands_in_for_an_input():
    model = Fake(default=[7.0])
    predict(model, {"a": np.ones(1)})
    assert model.feeds == {"a:0": [1.0], "b:0": [7.0]}
    predict(model, {"a": np.ones(1), "b": np.zeros(1)})
    assert model.feeds == {"a:0": [1.0], "b:0": [0.0]}


@pytest.mark.parametrize(
    ("model", "aliases", "message"),
    [
        (
            Fake(),
            ["a"],
            "input size does not match signature: 1!=2 len({a}) != "
            "len({a,b}). Sent extra: {}. Missing but required: {b}.",
        ),
        (
            Fake(default=[7.0]),
            ["b"],
            "Signature input alias: a(feed name: a:0) not found in request "
            "and no default value provided. Inputs expected to be in the "
            "request {b}, or default input alias set: b",
        ),
        (
            Fake(default=[7.0]),
            ["a", "c"],
            "Inputs contains invalid name. Used request inputs: a, request "
            "input: a,c",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_refused(model, aliases, message):
    with pytest.raises(StatusError) as caught:
        predict(model, {alias: np.ones(1) for alias in aliases})
    assert str(caught.value) == f"INVALID_ARGUMENT: {message}"
    assert model.feeds is None
