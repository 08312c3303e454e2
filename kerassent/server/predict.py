"""Predict, the same for both protocols: TensorFlow Serving's predict_util."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from kerassent.contract import PREDICT_SIGNATURE
from kerassent.server.status import Code, StatusError, invalid_argument
from kerassent.server.tensors import Array, decode_tensor

if TYPE_CHECKING:
    from tensorflow.core.framework.tensor_pb2 import TensorProto


class Runnable(Protocol):
    """A version that can be asked: a `Servable`."""

    name: str
    version: int
    signatures: Mapping[str, Any]

    def run(
        self,
        feeds: Mapping[str, Array],
        fetches: Sequence[str],
        *,
        timeout_ms: int | None = None,
        api: str = "Predict",
    ) -> list[Array]:
        """Returns the fetched tensors' values."""


def _joined(names: Iterable[str]) -> str:
    return ",".join(sorted(names))


def _check_input_count(signature: Any, inputs: Mapping[str, Any]) -> None:
    sent, required = set(inputs), set(signature.inputs)
    if len(sent) == len(required) or (
        len(sent) < len(required) and signature.defaults
    ):
        return
    raise invalid_argument(
        f"input size does not match signature: {len(sent)}!={len(required)} "
        f"len({{{_joined(sent)}}}) != len({{{_joined(required)}}}). "
        f"Sent extra: {{{_joined(sent - required)}}}. "
        f"Missing but required: {{{_joined(required - sent)}}}."
    )


def _read_inputs(
    signature: Any, inputs: "Mapping[str, Array | TensorProto]"
) -> dict[str, Array]:
    """Returns the arrays to feed, by tensor name."""
    feeds = {}
    for alias in sorted(signature.inputs):
        feed_name = signature.inputs[alias].name
        if alias in inputs:
            value = inputs[alias]
        elif alias in signature.defaults:
            value = signature.defaults[alias]
        else:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {feed_name}) not "
                "found in request and no default value provided. Inputs "
                f"expected to be in the request {{{_joined(inputs)}}}, or "
                f"default input alias set: {_joined(signature.defaults)}"
            )
        if not isinstance(value, np.ndarray):
            try:
                value = decode_tensor(value)
            except ValueError as error:
                raise invalid_argument(
                    f"tensor parsing error: {alias}"
                ) from error
        feeds[feed_name] = value
    used = set(inputs) & set(signature.inputs)
    if len(used) != len(inputs):
        raise invalid_argument(
            "Inputs contains invalid name. Used request inputs: "
            f"{_joined(used)}, request input: {_joined(inputs)}"
        )
    return feeds


def _choose_outputs(signature: Any, output_filter: Sequence[str]) -> list[str]:
    seen: list[str] = []
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs "
                f"expected to be in the set {{{_joined(signature.outputs)}}}."
            )
        if alias in seen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        seen.append(alias)
    return seen or sorted(signature.outputs)


def predict(
    model: Runnable,
    inputs: "Mapping[str, Array | TensorProto]",
    *,
    signature_name: str = "",
    output_filter: Sequence[str] = (),
    timeout_ms: int | None = None,
) -> dict[str, Array]:
    """Returns a signature's outputs by alias.

    Args:
        model: The version to run.
        inputs: Tensors by input alias, as they came or already decoded.
        signature_name: Empty means `serving_default`.
        output_filter: The aliases to return; empty means all.
        timeout_ms: Milliseconds until DEADLINE_EXCEEDED, or `None`.

    Raises:
        StatusError: With TensorFlow Serving's code and message.
    """
    signature_name = signature_name or PREDICT_SIGNATURE
    signature = model.signatures.get(signature_name)
    if signature is None:
        raise StatusError(
            Code.FAILED_PRECONDITION,
            f'Serving signature key "{signature_name}" not found.',
        )
    _check_input_count(signature, inputs)
    feeds = _read_inputs(signature, inputs)
    aliases = _choose_outputs(signature, output_filter)
    values = model.run(
        feeds,
        [signature.outputs[alias].name for alias in aliases],
        timeout_ms=timeout_ms,
    )
    return dict(zip(aliases, values, strict=True))
