import certifi
import pytest
from tensorflow_serving.apis import get_model_status_pb2

from kerassent.client import Client, ModelVersionStatus
from kerassent.client._address import parse_url
from kerassent.client._tls import TlsFiles, checked_tls_files
from kerassent.errors import ServerUnavailable

NO_FILES = {"ca_cert": None, "client_cert": None, "client_key": None}
STATUS = b'{"model_version_status": [{"version": "1", "state": "AVAILABLE"}]}'


@pytest.fixture(params=["grpcs", "https"])
def tls_url(request, mutual_tls, grpc_server, http_server):
    """A server that asks the client for a certificate, too."""
    if request.param == "grpcs":
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(version=1, state=30)
        port = grpc_server(
            status=lambda *_: response, credentials=mutual_tls["grpcs"]
        )
    else:
        port = http_server(200, STATUS, ssl_context=mutual_tls["https"]).port
    return f"{request.param}://127.0.0.1:{port}"


def test_both_ends_prove_who_they_are(tls_url, pem):
    cert, key = pem
    with Client(
        tls_url,
        model_name="m",
        ca_cert=cert,
        client_cert=str(cert),
        client_key=str(key),
    ) as client:
        assert client.status() == [ModelVersionStatus(1, "AVAILABLE", "OK", "")]


def test_ca_cert_wins_over_the_environment(tls_url, pem, monkeypatch):
    cert, key = pem
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    with Client(
        tls_url, model_name="m", ca_cert=cert, client_cert=cert, client_key=key
    ) as client:
        assert client.status()[0].version == 1


def test_unknown_authority_is_explained(tls_url):
    with (
        Client(tls_url, model_name="m") as client,
        pytest.raises(
            ServerUnavailable, match="No TLS connection to .*Check `ca_cert`"
        ),
    ):
        client.status()


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_tls_to_a_server_without_it_is_explained(
    scheme, grpc_server, http_server
):
    port = grpc_server() if scheme == "grpc" else http_server(200, STATUS).port
    with (
        Client(f"{scheme}s://127.0.0.1:{port}", model_name="m") as client,
        pytest.raises(
            ServerUnavailable,
            match=f"no TLS, use `{scheme}://127.0.0.1:{port}`",
        ),
    ):
        client.status()


def test_paths_are_kept(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\n")
    address = parse_url("https://h")
    given = NO_FILES | {"ca_cert": str(path)}
    assert checked_tls_files(address, **given) == TlsFiles(ca_cert=path)
    assert checked_tls_files(address, **NO_FILES) == TlsFiles()


@pytest.mark.parametrize(
    ("url", "secure"),
    [("grpc://h:1", "grpcs://h:1"), ("http://h:1/a", "https://h:1/a")],
)
def test_files_without_tls_are_refused(url, secure):
    with pytest.raises(
        ValueError, match=f"`ca_cert` need.* TLS. Use `{secure}`. .*{url}"
    ):
        checked_tls_files(parse_url(url), **NO_FILES | {"ca_cert": "ca.pem"})


@pytest.mark.parametrize("name", ["client_cert", "client_key"])
def test_half_a_pair_is_refused(name):
    with pytest.raises(
        ValueError, match=f"belong together. Received: .*{name}='a.pem'"
    ):
        checked_tls_files(parse_url("grpcs://h"), **NO_FILES | {name: "a.pem"})


def test_file_that_is_missing_or_not_pem_is_refused(tmp_path):
    address = parse_url("grpcs://h")
    missing = tmp_path / "missing.pem"
    with pytest.raises(
        ValueError,
        match="`ca_cert` must be the path of a PEM file. Received: "
        f"'{missing}' \\(No such file or directory\\)",
    ):
        checked_tls_files(address, **NO_FILES | {"ca_cert": missing})
    other = tmp_path / "ca.der"
    other.write_bytes(b"\x30\x82")
    with pytest.raises(ValueError, match="ca.der', which has no such line"):
        checked_tls_files(address, **NO_FILES | {"ca_cert": other})
