import asyncio
import inspect
import threading
import time

import grpc
import numpy as np
import pytest

from kerassent.client import AsyncClient, Client
from kerassent.errors import DeadlineExceeded, ServerUnavailable, ServingError
from tests.client.conftest import ANSWER

TEXTS = [f"text {number}" for number in range(500)]


def test_every_call_gives_what_the_client_gives(url):
    async def ask():
        async with AsyncClient(url, model_name="sentiment") as client:
            await client.wait_until_ready()
            return {
                "class_names": await client.class_names,
                "predict": await client.predict(TEXTS),
                "predict_each": [
                    row async for row in client.predict_each(iter(TEXTS))
                ],
                "predict_proba": await client.predict_proba(TEXTS),
                "outputs": await client.outputs(TEXTS),
                "classify": await client.classify(TEXTS),
                "explain": await client.explain(TEXTS),
                "status": await client.status(),
                "metadata": await client.metadata(),
            }

    answers = asyncio.run(ask())
    with Client(url, model_name="sentiment") as client:
        assert answers.pop("class_names") == client.class_names
        assert answers.pop("status") == client.status()
        assert answers.pop("metadata") == client.metadata()
        assert answers.pop("predict_each") == client.predict(TEXTS)
        for name, answer in answers.items():
            np.testing.assert_equal(answer, getattr(client, name)(TEXTS))


def test_both_clients_have_the_same_calls_and_arguments():
    def public(client_class):
        return {
            name: list(inspect.signature(member).parameters)
            for name, member in inspect.getmembers(client_class)
            if not name.startswith("_") and inspect.isfunction(member)
        }

    assert public(AsyncClient) == public(Client)
    assert inspect.signature(AsyncClient) == inspect.signature(Client)


def test_hundreds_of_calls_at_a_time(url, expected_predictions):
    async def ask():
        async with AsyncClient(url, model_name="sentiment") as client:
            calls = [client.predict([text]) for text in TEXTS]
            return [row for (row,) in await asyncio.gather(*calls)]

    assert asyncio.run(ask()) == expected_predictions(TEXTS)


def test_calls_over_grpc_take_no_threads_and_the_loop_goes_on(grpc_server):
    released = threading.Event()
    port = grpc_server(predict=lambda *_: released.wait(10))

    async def ask():
        async with AsyncClient(
            f"grpc://127.0.0.1:{port}", model_name="m", timeout=1
        ) as client:
            calls = [
                asyncio.ensure_future(client.predict(["a"])) for _ in range(100)
            ]
            await asyncio.sleep(0.3)
            threads = threading.active_count()
            ticks = 0
            while not calls[-1].done():
                await asyncio.sleep(0.01)
                ticks += 1
            errors = await asyncio.gather(*calls, return_exceptions=True)
            return threads, ticks, errors

    before = threading.active_count()
    threads, ticks, errors = asyncio.run(ask())
    released.set()
    # The test's own server has four.
    assert threads < before + 20
    assert ticks > 20
    assert {type(error) for error in errors} == {DeadlineExceeded}


def test_cancelled_call_cancels_the_request(grpc_server):
    cancelled = threading.Event()

    def predict(request, context):
        context.add_callback(cancelled.set)
        cancelled.wait(10)

    port = grpc_server(predict=predict)

    async def ask():
        async with AsyncClient(
            f"grpc://127.0.0.1:{port}", model_name="m"
        ) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.predict(["a"]), 0.5)
            began = time.monotonic()
            while not cancelled.is_set() and time.monotonic() < began + 5:
                await asyncio.sleep(0.01)

    asyncio.run(ask())
    assert cancelled.is_set()


def test_errors_and_waits_are_the_clients(url, closed_port):
    async def ask():
        scheme = url.partition(":")[0]
        async with AsyncClient(
            f"{scheme}://127.0.0.1:{closed_port}", model_name="m"
        ) as client:
            with pytest.raises(ServerUnavailable, match="Nothing answers at"):
                await client.predict(["a"])
            with pytest.raises(ServerUnavailable, match="Nothing answers at"):
                await client.wait_until_ready(timeout=0.3)
        with pytest.raises(RuntimeError, match="AsyncClient.* is closed"):
            await client.predict(["a"])

    asyncio.run(ask())


def test_stream_that_is_left_early_asks_no_more(url):
    async def ask():
        read = []

        def texts():
            for text in TEXTS * 20:
                read.append(text)
                yield text

        async with AsyncClient(
            url, model_name="sentiment", max_batch_size=10
        ) as client:
            stream = client.predict_each(texts())
            await anext(stream)
            await stream.aclose()
            await asyncio.sleep(0.1)
        return len(read)

    assert asyncio.run(ask()) <= 60


def test_call_that_fails_leaves_no_task_and_no_warning(grpc_server):
    async def ask():
        def predict(request, context):
            context.abort(grpc.StatusCode.INTERNAL, "boom")

        async with AsyncClient(
            f"grpc://127.0.0.1:{grpc_server(predict=predict)}",
            model_name="m",
            max_batch_size=10,
        ) as client:
            with pytest.raises(ServingError, match="boom"):
                await client.predict(TEXTS)
            await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert asyncio.run(ask()) == 1


def test_timeout_over_rest_begins_when_a_request_does(http_server):
    def answer(body):
        time.sleep(0.8)
        return ANSWER

    async def ask():
        async with AsyncClient(
            f"http://127.0.0.1:{http_server(200, answer).port}",
            model_name="m",
            timeout=2.3,
        ) as client:
            calls = [client.predict(["a"]) for _ in range(200)]
            return await asyncio.gather(*calls)

    began = time.monotonic()
    answers = asyncio.run(ask())
    assert {row.label for (row,) in answers} == {"pos"}
    # More than three times 64 were asked: the last ones waited longer.
    assert time.monotonic() - began > 2.3


@pytest.fixture
def held_server(http_server):
    """A REST server that answers when it is released."""
    released = threading.Event()

    def answer(body):
        released.wait(20)
        return ANSWER

    made = http_server(200, answer)
    made.url = f"http://127.0.0.1:{made.port}"
    made.release = released.set
    yield made
    released.set()


async def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def test_calls_own_timeout_counts_the_wait_for_its_turn(held_server):
    async def ask():
        async with AsyncClient(held_server.url, model_name="m") as client:
            calls = [
                asyncio.ensure_future(client.predict(["a"])) for _ in range(64)
            ]
            await until(lambda: len(held_server.requests) == 64)
            with pytest.raises(
                DeadlineExceeded,
                match="was not asked within `timeout=0.3` seconds: 64 requests",
            ):
                await client.predict(["a"], timeout=0.3)
            with pytest.raises(DeadlineExceeded, match="was not asked within"):
                await client.wait_until_ready(timeout=0)
            held_server.release()
            await asyncio.gather(*calls)
            return len(held_server.requests)

    assert asyncio.run(ask()) == 64


def test_closing_tells_the_calls_that_wait_for_their_turn(held_server):
    async def ask():
        client = AsyncClient(held_server.url, model_name="m")
        calls = [
            asyncio.ensure_future(client.predict(["a"])) for _ in range(100)
        ]
        await until(lambda: len(held_server.requests) == 64)
        await client.close()
        await client.close()
        done, _ = await asyncio.wait(calls, timeout=0.5)
        assert len(done) == 36
        held_server.release()
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(ask())
    errors = [each for each in answers if isinstance(each, Exception)]
    assert {type(error) for error in errors} == {ServerUnavailable}
    assert all("the client was closed" in str(error) for error in errors)
    assert len(errors) == 36


def test_thread_of_a_cancelled_call_is_waited_for_by_the_next(held_server):
    async def ask():
        async with AsyncClient(
            held_server.url, model_name="m", timeout=5
        ) as client:
            calls = [
                asyncio.ensure_future(client.predict(["a"])) for _ in range(64)
            ]
            await until(lambda: len(held_server.requests) == 64)
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
            with pytest.raises(DeadlineExceeded, match="was not asked within"):
                await client.predict(["a"], timeout=0.3)
            held_server.release()
            # All turns came back.
            calls = [client.predict(["a"]) for _ in range(130)]
            return await asyncio.gather(*calls)

    assert len(asyncio.run(ask())) == 130


def test_client_may_be_used_in_one_event_loop_after_another(held_server):
    held_server.release()
    client = AsyncClient(held_server.url, model_name="m")

    async def ask():
        calls = [client.predict(["a"]) for _ in range(100)]
        return await asyncio.gather(*calls)

    assert len(asyncio.run(ask())) == len(asyncio.run(ask())) == 100
    asyncio.run(client.close())
