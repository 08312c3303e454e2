"""The client: texts to a served model over gRPC or REST, predictions back.

Importing it is cheap: `requests`, or `grpc` and `google.protobuf`, come in when
a client for that protocol is made. TensorFlow never does.
"""

from kerassent.client._async_client import AsyncClient
from kerassent.client._client import Client
from kerassent.client._status import ModelVersionStatus

__all__ = ["AsyncClient", "Client", "ModelVersionStatus"]
