"""Order, halves and attempts, with functions in place of a server."""

import asyncio
import random
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerassent.client._chunks import Limits, chunks
from kerassent.client._deadline import Deadline
from kerassent.client._failure import Failure, Remedy
from kerassent.client._requests import Requests
from kerassent.client._waiting import Blocking, OnEventLoop, iterate, run
from kerassent.errors import (
    DeadlineExceeded,
    Overloaded,
    ServingError,
    TextTooLong,
)


def requests_of(waiting, **changes):
    arguments = {
        "waiting": waiting,
        "limits": Limits(4),
        "timeout": 5.0,
        "retry": True,
        "max_in_flight": 3,
    }
    return Requests(**arguments | changes)


def failure(remedy, error_class=ServingError):
    return Failure(error_class("No."), remedy)


def answers(requests, ask, texts, timeout=None):
    """All answers, blocking or in an event loop, as `requests` waits."""
    made = chunks(texts, requests.limits)
    if isinstance(requests.waiting, Blocking):
        return list(iterate(requests.in_order(ask, made, timeout)))

    async def collect():
        asked = requests.in_order(ask, made, timeout)
        return [answer async for answer in asked]

    return asyncio.run(collect())


@pytest.fixture(params=[Blocking, OnEventLoop])
def waiting(request):
    made = request.param()
    yield made
    made.close()


@settings(max_examples=30, deadline=None)
@given(
    data=st.data(),
    num_texts=st.integers(0, 40),
    max_texts=st.integers(1, 9),
    takes_texts=st.integers(1, 9),
    takes_bytes=st.integers(40, 300),
    max_in_flight=st.integers(1, 5),
    on_loop=st.booleans(),
)
def test_every_text_is_answered_once_in_its_place(
    data, num_texts, max_texts, takes_texts, takes_bytes, max_in_flight, on_loop
):
    sizes = data.draw(
        st.lists(st.integers(3, 20), min_size=num_texts, max_size=num_texts)
    )
    texts = [
        str(place).encode().ljust(size, b"x")
        for place, size in enumerate(sizes)
    ]
    seed = data.draw(st.integers(0, 1000))
    spread = random.Random(seed)
    under_way, most = set(), []

    async def ask(asked, deadline):
        under_way.add(id(asked))
        most.append(len(under_way))
        await made.sleep(spread.uniform(0, 2e-3))
        under_way.discard(id(asked))
        if len(asked) > takes_texts:
            raise failure(Remedy.FEWER_TEXTS)
        if sum(map(len, asked)) > takes_bytes:
            raise failure(Remedy.FEWER_BYTES)
        return list(asked)

    made = OnEventLoop() if on_loop else Blocking()
    requests = requests_of(
        made, limits=Limits(max_texts), max_in_flight=max_in_flight
    )
    parts = answers(requests, ask, texts)
    made.close()
    assert [text for part in parts for text in part] == texts
    assert max(most, default=0) <= max_in_flight


def test_halved_requests_teach_the_limit(waiting):
    sizes = []

    async def ask(texts, deadline):
        sizes.append(len(texts))
        if len(texts) > 3:
            raise failure(Remedy.FEWER_TEXTS)
        return len(texts)

    requests = requests_of(waiting, limits=Limits(8), max_in_flight=1)
    assert answers(requests, ask, [b""] * 20) == [2] * 10
    # The first one of 8, and the one that was gathered before it failed.
    assert sizes[:3] == [8, 4, 2]
    assert sizes.count(8) <= 2
    assert requests.limits.max_texts == 2


def test_single_text_that_is_too_large_is_told(waiting):
    async def ask(texts, deadline):
        if b"large" in texts:
            raise failure(Remedy.FEWER_BYTES)
        return len(texts)

    with pytest.raises(TextTooLong, match="^No. The text has 5 bytes.$"):
        answers(requests_of(waiting), ask, [b"a", b"large", b"b"])


def test_server_that_takes_no_text_does_not_blame_the_text(waiting):
    async def ask(texts, deadline):
        raise failure(Remedy.FEWER_TEXTS)

    with pytest.raises(ServingError, match="^No.$") as caught:
        answers(requests_of(waiting), ask, [b"a", b"b"])
    assert type(caught.value) is ServingError


@pytest.mark.parametrize("remedy", [Remedy.RETRY, Remedy.RETRY_IF_KNOWN])
def test_what_is_temporary_is_tried_again(waiting, remedy):
    tried = []

    async def ask(texts, deadline):
        tried.append(deadline.left())
        if len(tried) == 2:
            raise failure(remedy)
        return texts[0]

    requests = requests_of(waiting)
    assert answers(requests, ask, [b"a"]) == [b"a"]
    assert answers(requests, ask, [b"b"]) == [b"b"]
    assert len(tried) == 3
    # The pause is a part of the same five seconds.
    assert 0.05 <= tried[1] - tried[2] < 1


def test_server_that_never_answered_is_not_waited_for(waiting):
    tried = []

    async def ask(texts, deadline):
        tried.append(texts)
        raise failure(Remedy.RETRY_IF_KNOWN)

    with pytest.raises(ServingError, match="^No.$"):
        answers(requests_of(waiting), ask, [b"a"])
    assert len(tried) == 1


def test_refusal_of_a_busy_server_makes_it_known(waiting):
    failures = iter([Remedy.RETRY, Remedy.RETRY_IF_KNOWN])

    async def ask(texts, deadline):
        remedy = next(failures, None)
        if remedy:
            raise failure(remedy)
        return texts

    assert answers(requests_of(waiting), ask, [b"a"]) == [[b"a"]]


def test_attempts_end_within_the_timeout_with_the_last_reason(waiting):
    async def ask(texts, deadline):
        raise failure(Remedy.RETRY, Overloaded)

    start = time.monotonic()
    with pytest.raises(
        Overloaded, match=r"^No. Tried [2-5] times within 0.4 seconds.$"
    ):
        answers(requests_of(waiting, timeout=0.4), ask, [b"a"])
    assert 0.1 < time.monotonic() - start < 0.4


@pytest.mark.parametrize("changes", [{"retry": False}, {"closed": True}])
def test_no_second_attempt_where_it_is_not_wanted(waiting, changes):
    tried = []

    async def ask(texts, deadline):
        tried.append(texts)
        raise failure(Remedy.RETRY)

    with pytest.raises(ServingError, match="^No.$"):
        answers(requests_of(waiting, **changes), ask, [b"a"])
    assert len(tried) == 1


def test_calls_timeout_bounds_all_requests(waiting):
    lefts = []

    async def ask(texts, deadline):
        lefts.append(deadline.left())
        await waiting.sleep(min(0.1, deadline.left()))
        if not deadline.left():
            raise failure(Remedy.NONE, DeadlineExceeded)
        return texts

    start = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        answers(
            requests_of(waiting, max_in_flight=1), ask, [b""] * 80, timeout=0.35
        )
    assert 0.3 < time.monotonic() - start < 1
    assert lefts[0] == pytest.approx(0.35, abs=0.05)
    assert lefts[2] == pytest.approx(0.15, abs=0.1)


def test_requests_timeout_holds_where_the_calls_is_longer(waiting):
    async def ask(texts, deadline):
        return deadline.left()

    (left,) = answers(requests_of(waiting), ask, [b""], timeout=60.0)
    assert left == pytest.approx(5.0, abs=0.5)


def test_answers_before_a_failure_are_given_and_none_after(waiting):
    async def ask(texts, deadline):
        if texts[0] == b"8":
            raise failure(Remedy.NONE)
        return texts[0]

    requests = requests_of(waiting)
    made = chunks([str(place).encode() for place in range(40)], requests.limits)
    seen = []

    async def collect():
        async for answer in requests.in_order(ask, made, None):
            seen.append(answer)

    with pytest.raises(ServingError, match="^No.$"):
        if isinstance(waiting, Blocking):
            run(collect())
        else:
            asyncio.run(collect())
    assert seen == [b"0", b"4"]
    # Not all 40 were asked for.
    assert next(made).start < 28


def test_what_is_left_early_asks_no_more():
    tried = []

    async def ask(texts, deadline):
        tried.append(threading.current_thread())
        if len(tried) > 1:
            raise failure(Remedy.RETRY)
        return texts

    requests = requests_of(Blocking())
    made = chunks([b""] * 40, requests.limits)
    generator = iterate(requests.in_order(ask, made, None))
    next(generator)
    generator.close()
    for thread in tried:
        thread.join(timeout=3)
        assert not thread.is_alive()
    assert len(tried) < 10


def test_cancelled_call_cancels_its_requests():
    cancelled = []

    async def ask(texts, deadline):
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.append(texts)
            raise

    async def call():
        requests = requests_of(OnEventLoop())
        made = chunks([b""] * 40, requests.limits)

        async def collect():
            return [a async for a in requests.in_order(ask, made, None)]

        task = asyncio.ensure_future(collect())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # Not by the loop's own end, which cancels whatever is left.
        await asyncio.sleep(0.05)
        return len(cancelled)

    assert asyncio.run(call()) == 3


def test_one_request_runs_in_the_callers_thread():
    async def ask(texts, deadline):
        return threading.current_thread()

    (thread,) = answers(requests_of(Blocking()), ask, [b"a"] * 4)
    assert thread is threading.main_thread()


def test_deadline_counts_down_to_zero():
    deadline = Deadline.after(0.05)
    assert 0 < deadline.left() <= 0.05
    assert deadline.or_after(60.0) is deadline
    assert deadline.or_after(0.01).timeout == 0.01
    time.sleep(0.06)
    assert deadline.left() == 0.0
