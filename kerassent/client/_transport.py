"""What the client needs of a protocol."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kerassent.client._deadline import Deadline
from kerassent.client._status import ModelVersionStatus
from kerassent.client._target import Target
from kerassent.client._tls import TlsFiles
from kerassent.client._waiting import Waiting

# Output name -> numbers, or str in an object array; in the model's shape.
Outputs = Mapping[str, npt.NDArray[Any]]

# Of each text, each class and its score.
Classes = list[list[tuple[str, float]]]

FloatArray = npt.NDArray[np.float32]


class Transport(Protocol):
    """One connection to a server, for one model; safe to share by threads.

    Each method makes one request, which ends at the deadline, and raises
    `Failure`.
    """

    def turn(
        self, deadline: Deadline | None
    ) -> AbstractAsyncContextManager[None]:
        """Waits until a request can be made at once; one per turn.

        Args:
            deadline: When it must have begun, or `None`.
        """

    async def predict(
        self, texts: Sequence[bytes], *, signature_name: str, deadline: Deadline
    ) -> Outputs:
        """Returns all outputs of a signature with the input `text`."""

    async def classify(
        self, texts: Sequence[bytes], *, signature_name: str, deadline: Deadline
    ) -> Classes:
        """Returns what TensorFlow Serving's Classify API says of texts."""

    async def status(self, *, deadline: Deadline) -> list[ModelVersionStatus]:
        """Returns the state of the model's versions."""

    async def metadata(self, *, deadline: Deadline) -> dict[str, Any]:
        """Returns the model's signatures, as the REST API writes them."""

    def close(self) -> None:
        """Gives the connection back."""


def connect(
    target: Target,
    *,
    headers: Mapping[str, str],
    tls: TlsFiles,
    waiting: Waiting,
) -> Transport:
    """Returns the transport for the URL, and imports no other one's."""
    if target.address.is_grpc:
        from kerassent.client._grpc import GrpcTransport

        return GrpcTransport(target, headers=headers, tls=tls, waiting=waiting)
    from kerassent.client._rest import RestTransport

    return RestTransport(target, headers=headers, tls=tls, waiting=waiting)
