"""A request ends at its deadline, whatever the server does, or when closed."""

import asyncio
import gzip
import threading
import time

import pytest

from kerassent.client import AsyncClient, Client
from kerassent.errors import DeadlineExceeded, ServerUnavailable
from tests.client.conftest import ANSWER

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(ANSWER)

# What is sent at once; what comes byte by byte never comes to its end.
STAGES = {
    "the status line": (b"HTTP/1.1 200 ", b"O"),
    "a header": (b"HTTP/1.1 200 OK\r\nX-Header: ", b"x"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"a:\r\n"),
    "the body": (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b" "),
    "a body without an end": (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "the size of a chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=",
        b"x",
    ),
    "small chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\n \r\n",
    ),
    "what is compressed": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
        b"Content-Length: 9999\r\n\r\n" + gzip.compress(b" ")[:-8],
        b"",
    ),
}


def in_thread(function):
    """A handler that leaves the server free to take the next connection."""

    def handle(connection):
        threading.Thread(
            target=function, args=[connection], daemon=True
        ).start()

    return handle


def question(connection):
    """Reads a request; its body ends the JSON object."""
    received = b""
    while not received.endswith(b"}"):
        piece = connection.recv(65536)
        if not piece:
            return b""
        received += piece
    return received


@pytest.mark.parametrize("stage", STAGES)
def test_rest_answer_that_drips_ends_at_the_deadline(stage, raw_server):
    first, then = STAGES[stage]
    drips = [True]
    hung_up = threading.Event()

    @in_thread
    def drip(connection):
        question(connection)
        if not drips:
            connection.sendall(HEAD + b"\r\n" + ANSWER)
            return
        try:
            connection.sendall(first)
            for _ in range(200):
                connection.sendall(then or b"\0")
                time.sleep(0.05)
        except OSError:
            hung_up.set()

    with Client(
        f"http://127.0.0.1:{raw_server(drip)}", model_name="m", timeout=0.5
    ) as client:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="within `timeout=0.5`"):
            client.predict(["a"])
        assert 0.4 < time.monotonic() - began < 2
        # The connection is not kept: another answer would be taken from it.
        assert hung_up.wait(5)
        drips.clear()
        assert client.predict(["a"])[0].label == "pos"


def test_drip_that_ends_in_silence_ends_at_the_deadline(raw_server):
    @in_thread
    def drip(connection):
        question(connection)
        connection.sendall(HEAD)
        for _ in range(16):
            connection.sendall(b"a:\r\n")
            time.sleep(0.05)
        connection.recv(1)

    with Client(
        f"http://127.0.0.1:{raw_server(drip)}", model_name="m", timeout=1.0
    ) as client:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="within `timeout=1`"):
            client.predict(["a"])
        # Not one second after the last byte.
        assert time.monotonic() - began < 1.6


def test_each_request_on_a_connection_has_its_own_deadline(raw_server):
    connections = []

    @in_thread
    def serve(connection):
        connections.append(connection)
        while question(connection):
            time.sleep(0.4)
            connection.sendall(HEAD + b"\r\n" + ANSWER)

    with Client(
        f"http://127.0.0.1:{raw_server(serve)}", model_name="m", timeout=1.0
    ) as client:
        for _ in range(4):
            assert client.predict(["a"])[0].label == "pos"
    assert len(connections) == 1


@pytest.mark.parametrize("scheme", ["grpcs", "https"])
def test_silence_before_tls_ends_at_the_deadline(scheme, raw_server):
    port = raw_server(lambda connection: None)
    with Client(
        f"{scheme}://127.0.0.1:{port}", model_name="m", timeout=0.5
    ) as client:
        began = time.monotonic()
        with pytest.raises((DeadlineExceeded, ServerUnavailable)):
            client.predict(["a"])
        assert time.monotonic() - began < 3


@pytest.fixture
def waiting_server(grpc_server):
    """A gRPC server whose model waits until its request is cancelled."""
    seen = {"asked": threading.Event(), "cancelled": threading.Event()}

    def predict(request, context):
        seen["left"] = context.time_remaining()
        context.add_callback(seen["cancelled"].set)
        seen["asked"].set()
        seen["cancelled"].wait(10)

    seen["url"] = f"grpc://127.0.0.1:{grpc_server(predict=predict)}"
    return seen


def test_grpc_server_knows_the_deadline_and_is_told_that_it_is_over(
    waiting_server,
):
    with Client(waiting_server["url"], model_name="m", timeout=0.8) as client:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="within `timeout=0.8`"):
            client.predict(["a"])
        assert 0.7 < time.monotonic() - began < 3
        assert waiting_server["cancelled"].wait(5)
    assert 0 < waiting_server["left"] <= 0.8


def test_calls_own_timeout_is_the_deadline_that_the_server_knows(
    waiting_server,
):
    with (
        Client(waiting_server["url"], model_name="m") as client,
        pytest.raises(DeadlineExceeded),
    ):
        client.predict(["a"], timeout=0.5)
    assert 0 < waiting_server["left"] <= 0.5


def test_closing_a_client_cancels_what_is_under_way(waiting_server):
    client = Client(waiting_server["url"], model_name="m", timeout=30)

    def close():
        waiting_server["asked"].wait(10)
        client.close()

    closing = threading.Thread(target=close)
    closing.start()
    began = time.monotonic()
    with pytest.raises(ServerUnavailable, match="the client was closed"):
        client.predict(["a"])
    closing.join()
    assert waiting_server["cancelled"].wait(5)
    assert time.monotonic() - began < 8


def test_closing_an_async_client_cancels_what_is_under_way(waiting_server):
    async def ask():
        client = AsyncClient(waiting_server["url"], model_name="m", timeout=30)
        call = asyncio.ensure_future(client.predict(["a"]))
        while not waiting_server["asked"].is_set():
            await asyncio.sleep(0.01)
        await client.close()
        with pytest.raises(ServerUnavailable, match="the client was closed"):
            await asyncio.wait_for(call, 8)

    asyncio.run(ask())
    assert waiting_server["cancelled"].wait(5)
