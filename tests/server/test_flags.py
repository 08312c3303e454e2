"""`kerassent-model-server` as a process."""

import os
import re
import signal
import subprocess
import sys

import pytest
import requests
import tensorflow as tf

from kerassent.server.flags import main
from kerassent.version import __version__

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from kerassent.server.flags import main; sys.exit(main())",
]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_server_runs_until_a_signal_and_exits_with_0(
    model_base_path, python_path, signum
):
    environment = {
        name: value
        for name, value in python_path.items()
        if name != "TF_CPP_MIN_LOG_LEVEL"
    }
    command = [
        *COMMAND,
        "--port=0",
        "--rest_api_port",
        str(free_port()),
        "--model_name=m",
        f"--model_base_path={model_base_path}",
    ]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        line = ""
        while "Serving model" not in line:
            line = process.stderr.readline()
            assert line, "the server ended"
        (url,) = re.findall(r"http://127\.0\.0\.1:[0-9]+", line)
        assert "Serving model 'm' version 12 at grpc://127.0.0.1:" in line
        answer = requests.post(
            f"{url}/v1/models/m:predict",
            data='{"instances": ["bad"]}',
            timeout=30,
        )
        assert answer.json()["predictions"][0]["label"] == "neg"
        process.send_signal(signum)
        _, rest = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in rest


def free_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def test_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == (
        f"TensorFlow ModelServer: {__version__} (kerassent embedded server)\n"
        f"TensorFlow Library: {tf.__version__}\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [],
            "INVALID_ARGUMENT: Both server_options.model_base_path and "
            "server_options.model_config_file are empty!",
        ),
        (
            ["--model_name=m", "--model_base_path=models/m"],
            "INVALID_ARGUMENT: Expected model m to have an absolute path or "
            "URI; got base_path()=models/m",
        ),
    ],
)
def test_wrong_base_path_fails_in_tensorflow_servings_words(
    capsys, arguments, message
):
    assert main(arguments) == 255
    error = capsys.readouterr().err
    assert error == f"Failed to start server. Error: {message}\n"


def test_unknown_flag_is_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--model_base", os.sep])
    assert caught.value.code == 2
    assert "unrecognized arguments: --model_base" in capsys.readouterr().err
