"""`serving/nginx.conf` in front of a server, by a real nginx, and another."""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import time

import pytest
import requests

import kerassent as ks

SERVING = pathlib.Path(__file__).parent.parent / "serving"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port, process):
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, "nginx has ended"
            assert time.monotonic() < deadline
            time.sleep(0.05)


@contextlib.contextmanager
def nginx(home, port):
    """Runs `home`'s nginx.conf, which listens at a port."""
    settings = f"daemon off; pid {home}/pid; error_log {home}/log;"
    process = subprocess.Popen(
        ["nginx", "-c", str(home / "nginx.conf"), "-g", settings],
        stdin=subprocess.DEVNULL,
    )
    try:
        wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def gateway(tiny_models, tmp_path_factory):
    """Its port, the directory of certificates, and what stands behind."""
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        pytest.skip("needs the commands nginx and openssl")
    home = tmp_path_factory.mktemp("gateway")
    subprocess.run(
        ["sh", str(SERVING / "make_tls.sh"), str(home / "tls")],
        check=True,
        capture_output=True,
    )
    port = free_port()
    with ks.serve(
        tiny_models, model_name="sentiment", port=0, rest_api_port=0
    ) as server:
        text = (SERVING / "nginx.conf").read_text("utf-8")
        for old, new in {
            "127.0.0.1:8500": server.grpc_url.partition("//")[2],
            "127.0.0.1:8501": server.rest_url.partition("//")[2],
            "listen 8443": f"listen 127.0.0.1:{port}",
            "/etc/serving/tls": str(home / "tls"),
        }.items():
            assert old in text
            text = text.replace(old, new)
        (home / "nginx.conf").write_text(text)
        with nginx(home, port):
            yield port, home / "tls", server


NARROW = """
events {{}}
http {{
    access_log off;
    client_max_body_size 1m;
    client_body_buffer_size 1m;
    proxy_max_temp_file_size 0;
    server {{
        listen 127.0.0.1:{grpc_port} http2;
        location / {{ grpc_pass grpc://{grpc_server}; }}
    }}
    server {{
        listen 127.0.0.1:{rest_port};
        location / {{ proxy_pass http://{rest_server}; }}
    }}
}}
"""


@pytest.fixture(scope="module")
def narrow_gateway(gateway, tmp_path_factory):
    """URLs of an nginx that takes 1 MiB, its default, without TLS."""
    server = gateway[2]
    home = tmp_path_factory.mktemp("narrow")
    ports = {"grpc": free_port(), "http": free_port()}
    text = NARROW.format(
        grpc_port=ports["grpc"],
        grpc_server=server.grpc_url.partition("//")[2],
        rest_port=ports["http"],
        rest_server=server.rest_url.partition("//")[2],
    )
    (home / "nginx.conf").write_text(text)
    with nginx(home, ports["http"]):
        yield {
            scheme: f"{scheme}://127.0.0.1:{port}"
            for scheme, port in ports.items()
        }


def certificates(tls):
    return {
        "ca_cert": tls / "ca.crt",
        "client_cert": tls / "client.crt",
        "client_key": tls / "client.key",
    }


@pytest.mark.parametrize("scheme", ["grpcs", "https"])
def test_questions_get_through_with_tls_on_both_sides(gateway, scheme):
    port, tls, server = gateway
    with ks.Client(
        f"{scheme}://localhost:{port}",
        model_name="sentiment",
        **certificates(tls),
    ) as client:
        through = client.predict_proba(["the film was good", "dull " * 5000])
    with ks.Client(server.grpc_url, model_name="sentiment") as client:
        direct = client.predict_proba(["the film was good", "dull " * 5000])
    assert abs(through - direct).max() < 1e-4


@pytest.mark.parametrize("scheme", ["grpcs", "https"])
def test_nobody_gets_in_without_a_certificate(gateway, scheme):
    port, tls, _ = gateway
    with (
        ks.Client(
            f"{scheme}://localhost:{port}",
            model_name="sentiment",
            ca_cert=tls / "ca.crt",
            retry=False,
        ) as client,
        pytest.raises(ks.errors.ServingError),
    ):
        client.predict(["the film was good"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models/sentiment", 200),
        ("/v1/models/sentiment/metadata", 200),
        ("/v1/models/sentiment/versions/1", 200),
        ("/v1/models/other", 404),
        ("/monitoring/prometheus/metrics", 404),
        ("/", 404),
    ],
)
def test_rest_is_open_for_the_model_only(gateway, path, status):
    port, tls, _ = gateway
    answer = requests.get(
        f"https://localhost:{port}{path}",
        verify=str(tls / "ca.crt"),
        cert=(str(tls / "client.crt"), str(tls / "client.key")),
        timeout=30,
    )
    assert answer.status_code == status
    # A 404 is the gate's own: the server's would be JSON.
    assert ("nginx" in answer.text) == (status == 404)


def test_orders_to_the_server_are_held_back(gateway):
    """`ModelService` could have it load another model."""
    port, tls, server = gateway
    with (
        ks.Client(
            f"grpcs://localhost:{port}",
            model_name="sentiment",
            retry=False,
            **certificates(tls),
        ) as client,
        pytest.raises(ks.errors.ServingError),
    ):
        client.status()
    with ks.Client(server.grpc_url, model_name="sentiment") as client:
        assert client.status()


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_requests_that_are_too_large_for_a_gateway_are_halved(
    narrow_gateway, gateway, scheme
):
    texts = [f"{number} " + "dull " * 10_000 for number in range(50)]
    with ks.Client(narrow_gateway[scheme], model_name="sentiment") as client:
        through = client.predict_proba(texts)
        with pytest.raises(
            ks.errors.TextTooLong, match="413.* The text has 1500000 bytes."
        ):
            client.predict(["dull", "dull " * 300_000])
    with ks.Client(gateway[2].grpc_url, model_name="sentiment") as client:
        direct = client.predict_proba(texts)
    assert abs(through - direct).max() < 1e-4
