"""`kerassent-model-server` as a process."""

import os
import re
import signal
import subprocess
import sys

import pytest
import requests
import tensorflow as tf

from kerassent.server.batching_parameters import BatchingParameters
from kerassent.server.flag_options import read_options
from kerassent.server.flag_table import make_parser
from kerassent.server.flags import main
from kerassent.server.grpc_server import GrpcOptions, TlsOptions
from kerassent.server.lifecycle import LifecycleOptions
from kerassent.server.model_config import ModelConfig
from kerassent.server.models import LoadOptions
from kerassent.server.rest import RestOptions
from kerassent.server.running import ServerOptions
from kerassent.server.servable import ServableOptions
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


@pytest.mark.parametrize(
    ("flag", "meant"),
    [
        ("--model_base_pat", "--model_base_path"),
        ("--enable_batchin=true", "--enable_batching"),
        ("--rest_port=1", "--rest_api_port"),
    ],
)
def test_mistyped_flag_is_refused_with_the_one_it_may_be(capsys, flag, meant):
    with pytest.raises(SystemExit) as caught:
        main([flag, os.sep] if "=" not in flag else [flag])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert f"unrecognized arguments: {flag}" in error
    assert f"Did you mean {meant}?" in error


def test_flag_without_meaning_here_is_warned_of(capsys):
    assert main(["--enable_profiler=false", "--flush_filesystem_caches"]) == 255
    assert capsys.readouterr().err == (
        "Warning: --enable_profiler is TensorFlow Serving's and changes "
        "nothing here.\n"
        "Warning: --flush_filesystem_caches is TensorFlow Serving's and "
        "changes nothing here.\n"
        "Failed to start server. Error: INVALID_ARGUMENT: Both "
        "server_options.model_base_path and server_options.model_config_file "
        "are empty!\n"
    )


def options_of(*arguments):
    return read_options(make_parser().parse_args(arguments))


def write(path, text):
    path.write_text(text)
    return str(path)


def test_flags_reach_the_server(tmp_path):
    models = write(
        tmp_path / "models",
        'model_config_list { config { name: "m" base_path: "/m" '
        'model_platform: "tensorflow" } }',
    )
    monitoring = write(
        tmp_path / "monitoring",
        'prometheus_config { enable: true path: "/metrics" }',
    )
    tls = write(
        tmp_path / "ssl",
        'server_key: "KEY" server_cert: "CERT" custom_ca: "CA" '
        "client_verify: true",
    )
    batching = write(tmp_path / "batching", "max_batch_size { value: 9 }")
    options = options_of(
        f"--model_config_file={models}",
        "--host=0.0.0.0",
        "--port",
        "1",
        "--rest_api_port=2",
        "--rest_api_timeout_in_ms=3",
        "--rest_api_num_threads=11",
        "--rest_api_enable_cors_support",
        f"--monitoring_config_file={monitoring}",
        f"--ssl_config_file={tls}",
        "--grpc_socket_path=/socket",
        "--grpc_channel_arguments=grpc.a=4,grpc.b=c",
        "--grpc_max_threads=5",
        "--enable_grpc_healthcheck_service=true",
        "--enable_batching",
        "true",
        f"--batching_parameters_file={batching}",
        "--enable_per_model_batching_parameters=false",
        "--enable_model_warmup=false",
        "--num_request_iterations_for_warmup=6",
        "--allow_version_labels_for_unavailable_models=1",
        "--file_system_poll_wait_seconds=0",
        "--max_num_load_retries=7",
        "--load_retry_interval_micros=8000000",
        "--saved_model_tags=serve,gpu",
        "--tensorflow_session_parallelism=2",
        "--tensorflow_intra_op_parallelism=10",
    )
    assert options == ServerOptions(
        [ModelConfig("m", "/m")],
        host="0.0.0.0",  # noqa: S104
        port=1,
        rest_api_port=2,
        grpc=GrpcOptions(
            tls=TlsOptions("KEY", "CERT", custom_ca="CA", client_verify=True),
            socket_path="/socket",
            channel_arguments=(("grpc.a", 4), ("grpc.b", "c")),
            max_threads=5,
            health=True,
        ),
        rest=RestOptions(
            timeout_ms=3, cors=True, prometheus_path="/metrics", threads=11
        ),
        lifecycle=LifecycleOptions(
            poll_seconds=0,
            max_load_retries=7,
            load_retry_seconds=8.0,
            labels_for_unavailable=True,
        ),
        servables=ServableOptions(
            load=LoadOptions(
                ("serve", "gpu"), intra_op_threads=10, inter_op_threads=2
            ),
            batching=BatchingParameters(max_batch_size=9),
            warmup=False,
            warmup_iterations=6,
        ),
    )


def test_defaults_are_tensorflow_servings():
    options = options_of("--model_base_path=/m")
    assert options.configs == [ModelConfig("default", "/m")]
    assert (options.port, options.rest_api_port) == (8500, None)
    assert options.host == "localhost"
    assert options.rest == RestOptions(timeout_ms=30_000)
    assert options.grpc == GrpcOptions(health=False)
    assert options.lifecycle == LifecycleOptions(1, 5, 60.0, False)
    assert options.servables == ServableOptions()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["--batching_parameters_file=/x"],
            "INVALID_ARGUMENT: server_options.batching_parameters_file is set "
            "without setting server_options.enable_batching to true.",
            id="batching file without batching",
        ),
        pytest.param(
            ["--enable_batching", "--batching_parameters_file=/none"],
            "NOT_FOUND: /none; No such file or directory",
            id="no such file",
        ),
        pytest.param(
            ["--max_num_load_retries=-1"],
            "INVALID_ARGUMENT: max_num_load_retries must not be negative; was "
            "-1",
            id="negative",
        ),
        pytest.param(
            ["--num_request_iterations_for_warmup=0"],
            "INVALID_ARGUMENT: num_request_iterations_for_warmup must be "
            "positive; was 0",
            id="no iterations",
        ),
        pytest.param(
            ["--grpc_channel_arguments=a"],
            "INVALID_ARGUMENT: grpc_channel_arguments has 'a', which is no "
            "key=value",
            id="no key=value",
        ),
        pytest.param(
            [
                "--tensorflow_session_parallelism=1",
                "--tensorflow_intra_op_parallelism=1",
                "--tensorflow_inter_op_parallelism=1",
            ],
            "INVALID_ARGUMENT: Either configure "
            "tensorflow_session_parallelism or "
            "tensorflow_intra_op_parallelism and "
            "tensorflow_inter_op_parallelism, not all three",
            id="three parallelisms",
        ),
    ],
)
def test_flags_that_contradict_fail(capsys, arguments, message):
    assert main(["--model_base_path=/m", *arguments]) == 255
    error = capsys.readouterr().err
    assert error == f"Failed to start server. Error: {message}\n"


def test_config_file_is_read_again(model_base_path, python_path, tmp_path):
    file = tmp_path / "models.config"

    def list_model(name):
        beside = tmp_path / "beside"
        beside.write_text(
            f'model_config_list {{ config {{ name: "{name}" base_path: '
            f'"{model_base_path}" model_platform: "tensorflow" }} }}'
        )
        beside.rename(file)

    list_model("first")
    port = free_port()
    command = [
        *COMMAND,
        "--port=0",
        f"--rest_api_port={port}",
        f"--model_config_file={file}",
        "--model_config_file_poll_wait_seconds=1",
    ]

    def status(name):
        url = f"http://127.0.0.1:{port}/v1/models/{name}"
        return requests.get(url, timeout=10).status_code

    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=python_path
    ) as process:
        try:
            while "Serving model" not in (line := process.stderr.readline()):
                assert line, "the server ended"
            assert (status("first"), status("second")) == (200, 404)
            file.write_text("no text proto")
            while "is not applied" not in (line := process.stderr.readline()):
                assert line, "the server ended"
            assert status("first") == 200
            list_model("second")
            while "Successfully loaded" not in (
                line := process.stderr.readline()
            ):
                assert line, "the server ended"
            assert status("second") == 200
        finally:
            process.terminate()
            process.communicate(timeout=30)
    assert process.returncode == 0


def test_help_and_a_mistyped_flag_are_short(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = make_parser().format_help()
    assert max(map(len, shown.splitlines())) <= 80
    assert "(default: )" not in shown
    assert "let browsers' scripts ask (default: false)" in shown
    with pytest.raises(SystemExit):
        make_parser().parse_args(["--prot=8500"])
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[1].endswith("Did you mean --port?")
