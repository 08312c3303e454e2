"""Which models are served: names, base paths, version policies, labels.

Reference:
    tensorflow_serving/config/model_server_config.proto and
    tensorflow_serving/model_servers/server_core.cc
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from kerassent.server.config_files import read_text_proto
from kerassent.server.status import invalid_argument

if TYPE_CHECKING:
    from tensorflow_serving.config.model_server_config_pb2 import (
        ModelServerConfig,
    )

PLATFORM: Final = "tensorflow"
_SCHEME: Final = "://"


@dataclass(frozen=True)
class VersionPolicy:
    """Which of the versions in a base path are served.

    Args:
        kind: `"latest"`, `"all"` or `"specific"`.
        num_versions: How many of the latest.
        versions: The specific ones.
    """

    kind: Literal["latest", "all", "specific"] = "latest"
    num_versions: int = 1
    versions: tuple[int, ...] = ()

    def choose(self, found: Mapping[int, str]) -> dict[int, str]:
        """Returns the versions to serve.

        Args:
            found: Directories by version.
        """
        if self.kind == "all":
            return dict(found)
        if self.kind == "specific":
            return {n: found[n] for n in self.versions if n in found}
        newest = sorted(found, reverse=True)[: self.num_versions]
        return {number: found[number] for number in newest}


@dataclass(frozen=True)
class ModelConfig:
    """One model.

    Args:
        name: What clients call it.
        base_path: The directory of its versions.
        policy: Which of them are served.
        labels: Versions by label.
    """

    name: str
    base_path: str
    policy: VersionPolicy = field(default_factory=VersionPolicy)
    labels: Mapping[str, int] = field(default_factory=dict)


def _policy(proto: Any) -> VersionPolicy:
    choice = proto.WhichOneof("policy_choice")
    if choice == "all":
        return VersionPolicy("all")
    if choice == "specific":
        numbers = tuple(proto.specific.versions)
        if not numbers:
            raise invalid_argument("No specific versions specified.")
        return VersionPolicy("specific", versions=numbers)
    return VersionPolicy(num_versions=proto.latest.num_versions or 1)


def _check_platform(proto: Any) -> None:
    # 1 is the deprecated enumeration's TENSORFLOW.
    if proto.model_type and proto.model_platform:
        raise invalid_argument(
            "Illegal setting both ModelServerConfig::model_type (deprecated) "
            "and ModelServerConfig::model_platform."
        )
    if not proto.model_type and not proto.model_platform:
        raise invalid_argument(
            "Illegal setting neither ModelServerConfig::model_type "
            "(deprecated) nor ModelServerConfig::model_platform, model name "
            f"is {proto.name}"
        )
    platform = proto.model_platform
    if proto.model_type:
        platform = PLATFORM if proto.model_type == 1 else str(proto.model_type)
    if platform != PLATFORM:
        raise invalid_argument(
            f"Model {proto.name} requests unsupported platform {platform}"
        )


def _check_path(name: str, base_path: str) -> None:
    if not base_path:
        raise invalid_argument(
            f"Invalid configuration: model {name} has no base_path"
        )
    if _SCHEME in base_path:
        raise invalid_argument(
            f"Model {name} has the base_path {base_path}. This server reads "
            "local directories only"
        )
    if not os.path.isabs(base_path):
        raise invalid_argument(
            f"Expected model {name} to have an absolute path or URI; got "
            f"base_path()={base_path}"
        )


def check_configs(configs: Sequence[ModelConfig]) -> None:
    """Raises unless all models can be served together.

    Args:
        configs: The models.

    Raises:
        StatusError: In TensorFlow Serving's words.
    """
    seen: set[str] = set()
    for config in configs:
        if config.name in seen:
            raise invalid_argument(
                f"Illegal to list model {config.name} multiple times in "
                "config list"
            )
        seen.add(config.name)
    for config in configs:
        _check_path(config.name, config.base_path)


def read_configs(proto: "ModelServerConfig") -> list[ModelConfig]:
    """Returns the models that a message lists.

    Args:
        proto: A `ModelServerConfig`.

    Raises:
        StatusError: If it lists none, or one that this server cannot serve.
    """
    kind = proto.WhichOneof("config")
    if kind == "custom_model_config":
        raise invalid_argument(
            "Custom model config is not supported by this server"
        )
    if kind is None:
        raise invalid_argument("ModelServerConfig type not set.")
    protos = proto.model_config_list.config
    for model in protos:
        _check_platform(model)
    configs = [
        ModelConfig(
            model.name,
            model.base_path,
            policy=_policy(model.model_version_policy),
            labels=dict(model.version_labels),
        )
        for model in protos
    ]
    check_configs(configs)
    return configs


def read_config_file(path: str) -> list[ModelConfig]:
    """Returns the models that a file lists.

    Args:
        path: A text proto, `--model_config_file`'s.

    Raises:
        StatusError: If it cannot be read, or lists what cannot be served.
    """
    from tensorflow_serving.config import model_server_config_pb2

    config = model_server_config_pb2.ModelServerConfig()
    return read_configs(read_text_proto(path, config))
