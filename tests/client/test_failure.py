import pytest

from kerassent.client._failure import Failure, Remedy, pause_after
from kerassent.errors import InvalidRequest, Overloaded, TextTooLong

FULL = Overloaded("Full.", model_name="m", url="grpc://h:1")


@pytest.mark.parametrize(
    ("attempts", "longest"), [(1, 0.1), (2, 0.2), (5, 1.6), (6, 2.0), (99, 2.0)]
)
def test_pauses_double_up_to_two_seconds_and_are_spread(attempts, longest):
    failure = Failure(FULL, Remedy.RETRY)
    pauses = [pause_after(attempts, failure) for _ in range(300)]
    assert longest / 2 <= min(pauses) < longest * 0.55
    assert longest * 0.95 < max(pauses) <= longest


def test_server_may_ask_for_a_longer_pause():
    assert pause_after(1, Failure(FULL, Remedy.RETRY, pause=7.0)) == 7.0
    assert pause_after(9, Failure(FULL, Remedy.RETRY, pause=0.5)) >= 1.0


def test_error_says_how_often_it_was_tried():
    failure = Failure(FULL, Remedy.RETRY)
    failure.count(1, 30.0)
    assert failure.error is FULL
    failure.count(3, 1.5)
    assert type(failure.error) is Overloaded
    assert str(failure.error) == "Full. Tried 3 times within 1.5 seconds."
    assert (failure.error.model_name, failure.error.url) == ("m", "grpc://h:1")


def test_error_of_a_text_that_is_too_long_says_its_bytes():
    refusal = InvalidRequest("No.", model_name="m", url="grpc://h:1")
    failure = Failure(refusal, Remedy.FEWER_BYTES)
    failure.blame("é".encode())
    assert type(failure.error) is TextTooLong
    assert str(failure.error) == "No. The text has 2 bytes."
    assert (failure.error.model_name, failure.error.url) == ("m", "grpc://h:1")
