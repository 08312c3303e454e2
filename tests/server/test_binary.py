"""`kerassent serve --engine`; a script stands in for an absent binary."""

import os
import subprocess
import sys

import pytest

SERVE = [
    sys.executable,
    "-c",
    "from kerassent.cli import main; main()",
    "serve",
]


@pytest.fixture
def environment(tmp_path, python_path):
    """An environment whose PATH has a script that prints its arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "tensorflow_model_server"
    script.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    script.chmod(0o755)
    return {**python_path, "PATH": f"{folder}:{os.environ['PATH']}"}


def run(environment, *arguments):
    return subprocess.run(
        [*SERVE, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_installed_binary_is_started(environment, model_base_path):
    done = run(
        environment,
        str(model_base_path),
        "--port=0",
        "--rest-api-port=0",
        "--batching",
    )
    assert done.returncode == 7
    flags = dict(line.split("=", 1) for line in done.stdout.splitlines())
    port, rest_port = flags.pop("--port"), flags.pop("--rest_api_port")
    assert flags == {
        "--model_name": "zoo",
        "--model_base_path": str(model_base_path),
        "--enable_batching": "true",
        "--enable_per_model_batching_parameters": "true",
    }
    assert f"grpc://127.0.0.1:{port}" in done.stderr
    assert f"http://127.0.0.1:{rest_port}/v1/models/zoo:predict" in done.stderr
    assert "listens on all interfaces" in done.stderr


def test_binary_cannot_choose_a_host(environment, model_base_path):
    done = run(
        environment,
        str(model_base_path),
        "--engine=tensorflow_model_server",
        "--host=127.0.0.1",
    )
    assert done.returncode == 1
    assert "always listens on all interfaces" in done.stderr


def test_binary_that_is_not_there_is_named(python_path, model_base_path):
    environment = {**python_path, "PATH": "/nowhere"}
    done = run(
        environment, str(model_base_path), "--engine=tensorflow_model_server"
    )
    assert done.returncode == 1
    assert "There is no tensorflow_model_server on the PATH" in done.stderr


def test_binary_is_not_started_without_a_model(environment, tmp_path):
    done = run(environment, str(tmp_path / "none"))
    assert done.returncode == 1
    assert "There is no directory" in done.stderr
    assert done.stdout == ""
