"""How requests are merged: `BatchingParameters`, read and checked."""

import os
from dataclasses import dataclass
from typing import Any

from kerassent.server.config_files import new_message, read_text_proto
from kerassent.server.status import invalid_argument


@dataclass(frozen=True)
class BatchingParameters:
    """How requests merge; the defaults are TensorFlow Serving's.

    Args:
        max_batch_size: Rows that a request may have, and a batch unless
            `max_execution_batch_size` says less.
        batch_timeout_micros: Microseconds that a batch waits to be filled; 0
            never waits.
        max_enqueued_batches: Batches that may wait for a thread.
        num_batch_threads: Batches that run at once; the number of processors
            if 0.
        allowed_batch_sizes: Sizes that a batch is filled up to, or none.
        pad_variable_length_inputs: Pad other axes with zeros instead of
            refusing to merge.
        enable_large_batch_splitting: Split a request over several batches.
        max_execution_batch_size: Rows of a batch with splitting; 0 is
            `max_batch_size`.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = 0
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    enable_large_batch_splitting: bool = False
    max_execution_batch_size: int = 0

    @property
    def batch_threads(self) -> int:
        """Batches that run at once."""
        return self.num_batch_threads or os.cpu_count() or 1

    @property
    def execution_batch_size(self) -> int:
        """Rows that a batch has at most."""
        if self.enable_large_batch_splitting and self.max_execution_batch_size:
            return self.max_execution_batch_size
        return self.max_batch_size

    @classmethod
    def from_file(cls, path: str) -> "BatchingParameters":
        """Returns what a file such as `batching_params.pbtxt` says.

        Args:
            path: A text proto.

        Raises:
            StatusError: If it cannot be read, or contradicts itself.
        """
        message = read_text_proto(path, new_message("BatchingParameters"))
        parameters = cls._from_message(message)
        parameters.check()
        return parameters

    @classmethod
    def _from_message(cls, message: Any) -> "BatchingParameters":
        given: dict[str, Any] = {
            name: getattr(message, name).value
            for name in (
                "max_batch_size",
                "batch_timeout_micros",
                "max_enqueued_batches",
                "num_batch_threads",
                "enable_large_batch_splitting",
                "max_execution_batch_size",
            )
            if message.HasField(name)
        }
        if given.get("num_batch_threads") == 0:
            raise invalid_argument("num_batch_threads must be positive; was 0")
        return cls(
            allowed_batch_sizes=tuple(message.allowed_batch_sizes),
            pad_variable_length_inputs=message.pad_variable_length_inputs,
            **given,
        )

    def check(self) -> None:
        """Raises what TensorFlow Serving says of parameters like these.

        Raises:
            StatusError: If they are of no use.
        """
        if self.num_batch_threads < 0:
            raise invalid_argument(
                "num_batch_threads must be positive; was "
                f"{self.num_batch_threads}"
            )
        if self.max_batch_size < 1:
            raise invalid_argument(
                "input_batch_size_limit must be positive; was "
                f"{self.max_batch_size}"
            )
        if self.batch_timeout_micros < 0:
            raise invalid_argument(
                "batch_timeout_micros must be non-negative; was "
                f"{self.batch_timeout_micros}"
            )
        if self.max_enqueued_batches < 1:
            raise invalid_argument(
                "max_enqueued_batches must be positive; was "
                f"{self.max_enqueued_batches}"
            )
        if not 0 <= self.max_execution_batch_size <= self.max_batch_size:
            raise invalid_argument(
                "When enable_large_batch_splitting is true, "
                "input_batch_size_limit must be greater than or equal to "
                "max_execution_batch_size."
            )
        sizes = self.allowed_batch_sizes
        if not sizes:
            return
        if any(a >= b for a, b in zip(sizes, sizes[1:], strict=False)):
            raise invalid_argument(
                "allowed_batch_sizes entries must be monotonically increasing"
            )
        limit = self.execution_batch_size
        if sizes[-1] != limit:
            name = (
                "max_execution_batch_size"
                if limit != self.max_batch_size
                else "max_batch_size"
            )
            raise invalid_argument(
                f"Last entry in allowed_batch_sizes must match {name}; last "
                f"entry was {sizes[-1]}; expected {limit}"
            )
