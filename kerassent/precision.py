"""Which precision a processor computes fast in."""

import pathlib
from typing import Literal, get_args

import tensorflow as tf

from kerassent.errors import listed
from kerassent.forward import Precision

PrecisionChoice = Literal["auto", Precision]

# With the former oneDNN multiplies bfloat16 at five times float32's speed
# (tools/bench/train.py), with the latter at twice.
_BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}
_CPU_INFO = pathlib.Path("/proc/cpuinfo")


def resolve_precision(choice: PrecisionChoice) -> Precision:
    """Returns the choice, or for `"auto"` what this machine is best at.

    That is bfloat16 where the processor multiplies it natively, and float32
    elsewhere: bfloat16 that is emulated is slower than float32.

    Args:
        choice: `"auto"` or a precision.

    Raises:
        ValueError: It is neither.
    """
    if choice not in (known := ("auto", *get_args(Precision))):
        raise ValueError(
            f"`precision` must be one of {listed(known)}. Received: {choice!r}"
        )
    if choice != "auto":
        return choice
    return "bfloat16" if _multiplies_bfloat16() else "float32"


def _multiplies_bfloat16() -> bool:
    devices = tf.config.list_physical_devices("GPU")
    if devices:
        details = tf.config.experimental.get_device_details(devices[0])
        # NVIDIA's Ampere and later.
        return bool(details.get("compute_capability", (0,))[0] >= 8)
    try:
        lines = _CPU_INFO.read_text("utf-8").splitlines()
    except OSError:  # not Linux
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not _BFLOAT16_FLAGS.isdisjoint(flags.split())
