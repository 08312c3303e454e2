"""Model configuration: what a file may say, and what is refused."""

import pytest

from kerassent.server.model_config import (
    ModelConfig,
    VersionPolicy,
    read_config_file,
)
from kerassent.server.status import StatusError


def read(tmp_path, text):
    path = tmp_path / "models.config"
    path.write_text(text)
    return read_config_file(str(path))


def listed(*models):
    configs = "".join(f"config {{ {model} }}" for model in models)
    return f"model_config_list {{ {configs} }}"


PLAIN = 'name: "m" base_path: "/m" model_platform: "tensorflow" '


def test_everything_is_read(tmp_path):
    configs = read(
        tmp_path,
        listed(
            PLAIN,
            'name: "a" base_path: "/a" model_type: TENSORFLOW '
            "model_version_policy { all {} }",
            'name: "b" base_path: "/b" model_platform: "tensorflow" '
            "model_version_policy { latest { num_versions: 3 } }",
            'name: "l" base_path: "/l" model_platform: "tensorflow" '
            "model_version_policy { latest {} }",
            'name: "c" base_path: "/c" model_platform: "tensorflow" '
            "model_version_policy { specific { versions: 4 versions: 2 } } "
            'version_labels { key: "stable" value: 2 } '
            'version_labels { key: "canary" value: 4 }',
        ),
    )
    assert configs == [
        ModelConfig("m", "/m"),
        ModelConfig("a", "/a", policy=VersionPolicy("all")),
        ModelConfig("b", "/b", policy=VersionPolicy(num_versions=3)),
        ModelConfig("l", "/l", policy=VersionPolicy(num_versions=1)),
        ModelConfig(
            "c",
            "/c",
            policy=VersionPolicy("specific", versions=(4, 2)),
            labels={"stable": 2, "canary": 4},
        ),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "ModelServerConfig type not set.", id="empty"),
        pytest.param(
            "custom_model_config {}",
            "Custom model config is not supported by this server",
            id="custom",
        ),
        pytest.param(
            listed(PLAIN, PLAIN),
            "Illegal to list model m multiple times in config list",
            id="same name twice",
        ),
        pytest.param(
            listed('name: "m" base_path: "/m"'),
            "Illegal setting neither ModelServerConfig::model_type "
            "(deprecated) nor ModelServerConfig::model_platform, model name "
            "is m",
            id="no platform",
        ),
        pytest.param(
            listed(PLAIN + "model_type: TENSORFLOW"),
            "Illegal setting both ModelServerConfig::model_type (deprecated) "
            "and ModelServerConfig::model_platform.",
            id="type and platform",
        ),
        pytest.param(
            listed('name: "m" base_path: "/m" model_platform: "p"'),
            "Model m requests unsupported platform p",
            id="unknown platform",
        ),
        pytest.param(
            listed('name: "m" base_path: "a/m" model_platform: "tensorflow"'),
            "Expected model m to have an absolute path or URI; got "
            "base_path()=a/m",
            id="relative path",
        ),
        pytest.param(
            listed(
                'name: "m" base_path: "s3://m" model_platform: "tensorflow"'
            ),
            "Model m has the base_path s3://m. This server reads local "
            "directories only",
            id="remote path",
        ),
        pytest.param(
            listed('name: "m" model_platform: "tensorflow"'),
            "Invalid configuration: model m has no base_path",
            id="no path",
        ),
        pytest.param(
            listed(PLAIN + "model_version_policy { specific {} }"),
            "No specific versions specified.",
            id="no specific versions",
        ),
    ],
)
def test_file_is_refused(tmp_path, text, message):
    with pytest.raises(StatusError) as caught:
        read(tmp_path, text)
    assert str(caught.value) == f"INVALID_ARGUMENT: {message}"


def test_syntax_error_names_file_and_place(tmp_path):
    with pytest.raises(StatusError) as caught:
        read(tmp_path, "model_config_list {\n  confg {}\n}")
    assert f"Invalid protobuf file: '{tmp_path}/models.config'" in str(
        caught.value
    )
    assert "2:3" in str(caught.value)
