"""What the server says of its models: GetModelMetadata and GetModelStatus."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kerassent.server.lifecycle import ServedModels
from kerassent.server.model_spec import ModelSpec
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
    signatures = pb.SignatureDefMap()
    response = pb.GetModelMetadataResponse()
    with models.use(spec) as servable:
        for name, signature in servable.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
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
    if not spec.name:
        raise invalid_argument("ModelSpec has no name specified.")
    for version in models.list_versions(spec):
        status = response.model_version_status.add(
            version=version.version, state=version.state
        )
        # Set even to its defaults, so that JSON shows it.
        status.status.SetInParent()
        if version.error is not None:
            status.status.error_code = version.error.code
            status.status.error_message = version.error.message
    return response
