"""The client: texts to a served model over gRPC or REST, predictions back.

Importing it is cheap: `requests`, or `grpc` and the TensorFlow Serving API
(which brings TensorFlow), come in when a `Client` for that protocol is made.
"""

from kerassent.client._client import Client
from kerassent.client._status import ModelVersionStatus

__all__ = ["Client", "ModelVersionStatus"]
