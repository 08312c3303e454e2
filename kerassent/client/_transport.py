"""What the client needs of a protocol."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kerassent.client._status import ModelVersionStatus

# Output name -> float32, or str in an object array; in the model's shape.
Outputs = Mapping[str, npt.NDArray[Any]]

FloatArray = npt.NDArray[np.float32]


class Transport(Protocol):
    """One connection to a server, for one model; safe to share by threads.

    Each method makes one request that may take `timeout` seconds, and raises
    `ServingError` or one of its kinds.
    """

    def predict(self, texts: Sequence[bytes], *, timeout: float) -> Outputs:
        """Returns the outputs that `contract.PREDICT_OUTPUTS` names."""

    def status(self, *, timeout: float) -> list[ModelVersionStatus]:
        """Returns the state of the model's versions."""

    def metadata(self, *, timeout: float) -> dict[str, Any]:
        """Returns the model's signatures, as the REST API writes them."""

    def close(self) -> None:
        """Gives the connection back."""
