from hypothesis import given
from hypothesis import strategies as st

from kerassent.client._chunks import Chunk, Limits, chunks
from kerassent.client._failure import Remedy

AROUND = Chunk(0, [b""]).num_bytes


@given(
    st.lists(st.binary(max_size=40)),
    st.integers(1, 5),
    st.integers(1, 150),
)
def test_chunks_are_all_texts_in_order_within_the_limits(
    texts, max_texts, max_bytes
):
    made = list(chunks(iter(texts), Limits(max_texts, max_bytes)))
    assert [text for chunk in made for text in chunk.texts] == texts
    start = 0
    for chunk in made:
        assert chunk.start == start
        start += len(chunk.texts)
        assert 1 <= len(chunk.texts) <= max_texts
        assert chunk.num_bytes <= max_bytes or len(chunk.texts) == 1
    for chunk, following in zip(made, made[1:], strict=False):
        # Neither of two limits would have let one more text in.
        assert (
            len(chunk.texts) == max_texts
            or chunk.num_bytes + Chunk(0, following.texts[:1]).num_bytes
            > max_bytes
        )


def test_texts_are_read_no_further_than_needed():
    def texts():
        for number in range(7):
            read.append(number)
            yield b""

    read = []
    made = chunks(texts(), Limits(3))
    assert next(made).texts == [b""] * 3
    assert read == [0, 1, 2, 3]


def test_fewer_texts_may_be_asked_for():
    sizes = [
        len(chunk.texts) for chunk in chunks([b""] * 7, Limits(4), max_texts=3)
    ]
    assert sizes == [3, 3, 1]
    limits = Limits(2)
    assert len(next(chunks([b""] * 7, limits, max_texts=3)).texts) == 2


def test_halves_are_the_whole():
    first, second = Chunk(10, [b"a", b"b", b"c"]).halves()
    assert first == Chunk(10, [b"a"])
    assert second == Chunk(11, [b"b", b"c"])


def test_what_was_refused_lowers_the_limit_that_it_broke():
    limits = Limits(64, 1000)
    refused = Chunk(0, [b"a" * (100 - AROUND)] * 5)
    limits.lower(refused, Remedy.FEWER_BYTES)
    assert (limits.max_texts, limits.max_bytes) == (64, 250)
    limits.lower(refused, Remedy.FEWER_TEXTS)
    assert (limits.max_texts, limits.max_bytes) == (2, 250)
    # Another thread's chunk, made under the old limit.
    limits.lower(Chunk(0, [b""] * 64), Remedy.FEWER_TEXTS)
    limits.lower(Chunk(0, [bytes(1000)] * 2), Remedy.FEWER_BYTES)
    assert (limits.max_texts, limits.max_bytes) == (2, 250)


def test_limit_of_the_moment_counts():
    limits = Limits(4)
    made = chunks([b""] * 9, limits)
    assert len(next(made).texts) == 4
    limits.lower(Chunk(0, [b""] * 4), Remedy.FEWER_TEXTS)
    assert [len(chunk.texts) for chunk in made] == [2, 2, 1]
