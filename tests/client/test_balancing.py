"""Names with several addresses, gateways with a path."""

import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass

import grpc
import pytest
from tensorflow_serving.apis import get_model_status_pb2

from kerassent.client import Client
from kerassent.client._address import Address
from kerassent.client._connection import Deadline
from kerassent.client._failure import Failure
from kerassent.client._grpc import GrpcTransport
from kerassent.client._target import Target
from kerassent.client._tls import TlsFiles
from kerassent.client._waiting import Blocking, run
from kerassent.errors import ServingError
from tests.client.conftest import Proxy


class NameServer:
    """Answers every question for IPv4 addresses with the same ones.

    Reference: RFC 1035.
    """

    def __init__(self, addresses):
        self.addresses = addresses
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._answer, daemon=True).start()

    def close(self):
        self._socket.close()

    def _answer(self):
        while True:
            try:
                question, client = self._socket.recvfrom(512)
            except OSError:
                return
            end = question.index(b"\0", 12) + 5
            asks_ipv4 = question[end - 4 : end - 2] == b"\0\1"
            addresses = self.addresses if asks_ipv4 else []
            answer = question[:2] + b"\x81\x80\0\1"
            answer += struct.pack(">HHH", len(addresses), 0, 0)
            answer += question[12:end]
            for address in addresses:
                # The question's name, an address, for one second.
                answer += b"\xc0\x0c\0\1\0\1" + struct.pack(">IH", 1, 4)
                answer += socket.inet_aton(address)
            self._socket.sendto(answer, client)


@dataclass(frozen=True)
class NamedAddress(Address):
    """An address whose name a certain name server knows."""

    name_server: int = 53

    @property
    def grpc_target(self):
        return f"dns://127.0.0.1:{self.name_server}/{self.netloc}"


TWO_ADDRESSES = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems have one loopback address"
)


def status(version):
    response = get_model_status_pb2.GetModelStatusResponse()
    response.model_version_status.add(version=version, state=30)
    return lambda *_: response


@TWO_ADDRESSES
def test_requests_go_in_turn_to_all_addresses_of_a_name(grpc_server):
    port = grpc_server(status=status(1), address="127.0.0.1:0")
    grpc_server(status=status(2), address=f"127.0.0.2:{port}")
    name_server = NameServer(["127.0.0.1", "127.0.0.2"])
    address = NamedAddress(
        "grpc", f"model.example:{port}", name_server=name_server.port
    )
    transport = GrpcTransport(
        Target(address, "m"), headers={}, tls=TlsFiles(), waiting=Blocking()
    )

    def versions(count):
        asked = [
            run(transport.status(deadline=Deadline.after(5.0)))
            for _ in range(count)
        ]
        return [statuses[0].version for statuses in asked]

    versions(2)  # Until both are connected.
    time.sleep(0.2)
    asked = versions(10)
    assert sorted(asked) == [1] * 5 + [2] * 5
    assert all(a != b for a, b in zip(asked, asked[1:], strict=False))
    transport.close()
    name_server.close()


@TWO_ADDRESSES
def test_name_is_looked_up_again_where_an_address_is_lost(grpc_server):
    proxy = Proxy(grpc_server(status=status(1)))
    grpc_server(status=status(2), address=f"127.0.0.2:{proxy.port}")
    name_server = NameServer(["127.0.0.1"])
    address = NamedAddress(
        "grpc", f"model.example:{proxy.port}", name_server=name_server.port
    )
    transport = GrpcTransport(
        Target(address, "m"), headers={}, tls=TlsFiles(), waiting=Blocking()
    )

    def version():
        asked = transport.status(deadline=Deadline.after(1.0))
        try:
            return run(asked)[0].version
        except Failure:
            return None

    assert version() == 1
    name_server.addresses = ["127.0.0.2"]
    assert version() == 1
    proxy.close()
    lost = time.monotonic()
    while version() != 2:
        # gRPC alone asks a name server every 30 seconds.
        assert time.monotonic() < lost + 15
        time.sleep(0.1)
    transport.close()
    name_server.close()


def test_path_of_the_url_comes_before_the_method():
    methods = []

    class Recorder(grpc.GenericRpcHandler):
        def service(self, details):
            methods.append(details.method)

    from concurrent.futures import ThreadPoolExecutor

    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers([Recorder()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Client(f"grpc://127.0.0.1:{port}/models/é/", model_name="m") as client:
        for ask in (client.status, client.metadata):
            with pytest.raises(ServingError, match="UNIMPLEMENTED"):
                ask()
        with pytest.raises(ServingError, match="UNIMPLEMENTED"):
            client.predict(["a"])
    server.stop(None).wait()
    assert methods == [
        "/models/%C3%A9/tensorflow.serving.ModelService/GetModelStatus",
        "/models/%C3%A9/tensorflow.serving.PredictionService/GetModelMetadata",
        "/models/%C3%A9/tensorflow.serving.PredictionService/Predict",
    ]


def test_rest_takes_the_next_address_where_one_refuses(
    http_server, monkeypatch
):
    body = b'{"model_version_status": []}'
    server = http_server(200, body)
    lookup = socket.getaddrinfo

    def two_addresses(host, port, *args, **kwargs):
        if host != "model.example":
            return lookup(host, port, *args, **kwargs)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("127.0.0.9", "127.0.0.1")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    monkeypatch.setenv("NO_PROXY", "*")
    with Client(
        f"http://model.example:{server.port}", model_name="m"
    ) as client:
        assert client.status() == []
