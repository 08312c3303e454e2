"""What the server says of its models: GetModelMetadata and GetModelStatus."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kerassent.server.models import ModelSpec, ServedModels
from kerassent.server.status import invalid_argument

if TYPE_CHECKING:
    from tensorflow_serving.apis.get_model_metadata_pb2 import (
        GetModelMetadataResponse,
    )
    from tensorflow_serving.apis.get_model_status_pb2 import (
        GetModelStatusResponse,
    )

SIGNATURE_DEF: Final = "signature_def"


def get_model_metadata(
    models: ServedModels, spec: ModelSpec, metadata_fields: Sequence[str]
) -> "GetModelMetadataResponse":
    """Returns the signatures of the version that a request is for.

    Args:
        models: The loaded versions.
        spec: Which of them.
        metadata_fields: Must be `["signature_def"]`.

    Raises:
        StatusError: With TensorFlow Serving's code and message.
    """
    from tensorflow_serving.apis import get_model_metadata_pb2 as pb

    if not metadata_fields:
        raise invalid_argument(
            "GetModelMetadataRequest must specify at least one metadata_field"
        )
    for field in metadata_fields:
        if field != SIGNATURE_DEF:
            raise invalid_argument(f"Metadata field {field} is not supported")
    model = models.find(spec)
    signatures = pb.SignatureDefMap()
    for name, signature in model.signatures.items():
        signatures.signature_def[name].CopyFrom(signature)
    response = pb.GetModelMetadataResponse()
    response.model_spec.name = model.name
    response.model_spec.version.value = model.version
    response.metadata[SIGNATURE_DEF].Pack(signatures)
    return response


def get_model_status(
    models: ServedModels, spec: ModelSpec
) -> "GetModelStatusResponse":
    """Returns the state of a model's versions, newest first.

    Args:
        models: The loaded versions.
        spec: Which model, and perhaps which version.

    Raises:
        StatusError: With TensorFlow Serving's code and message.
    """
    from tensorflow_serving.apis import get_model_status_pb2 as pb

    response = pb.GetModelStatusResponse()
    for model in models.list_versions(spec):
        status = response.model_version_status.add(
            version=model.version, state=pb.ModelVersionStatus.AVAILABLE
        )
        # Set to its defaults, so that JSON shows it.
        status.status.SetInParent()
    return response
