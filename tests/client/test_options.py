import numpy as np
import pytest

from kerassent.client._options import (
    checked_count,
    checked_headers,
    checked_timeout,
)


def test_timeout_is_seconds_as_float():
    assert checked_timeout(5) == 5.0
    assert type(checked_timeout(5)) is float
    assert checked_timeout(np.float64(0.5)) == 0.5


@pytest.mark.parametrize("timeout", [0, -1, 86401, float("inf"), float("nan")])
def test_timeout_out_of_range_is_refused(timeout):
    with pytest.raises(ValueError, match=f"Received: {timeout!r}"):
        checked_timeout(timeout)


@pytest.mark.parametrize("timeout", [None, "5", True])
def test_timeout_of_another_type_is_refused(timeout):
    with pytest.raises(TypeError, match=f"Received: {timeout!r} of type"):
        checked_timeout(timeout)


def test_headers_are_copied():
    headers = {"X-Team": "reviews"}
    assert checked_headers(headers) == headers
    assert checked_headers(headers) is not headers
    assert checked_headers(None) == {}


@pytest.mark.parametrize(
    ("headers", "error", "message"),
    [
        ([("a", "b")], TypeError, "mapping of names to values. .* type list"),
        ({"a": 1}, TypeError, "the header 'a' with a value of type int"),
        ({b"a": "b"}, TypeError, "the header b'a'"),
        ({"a b": "c"}, ValueError, "Received: 'a b'"),
        ({"": "c"}, ValueError, "Received: ''"),
        ({"trace-bin": "c"}, ValueError, "no '-bin' at its end"),
        ({"X-BIN": "c"}, ValueError, "no '-bin' at its end"),
        ({"ſ": "c"}, ValueError, "Received: 'ſ'"),
        ({"a": "s3cret\r\nb: c"}, ValueError, "another value for 'a'"),
        ({"a": "s3crét"}, ValueError, "printable ASCII in a value"),
        ({"a": " s3cret"}, ValueError, "no space around it"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused(headers, error, message):
    with pytest.raises(error, match=message) as caught:
        checked_headers(headers)
    assert "s3cr" not in str(caught.value)


def test_count_of_one_or_more_is_kept():
    assert checked_count("max_in_flight", 1) == 1


@pytest.mark.parametrize(
    ("count", "error", "message"),
    [
        (0, ValueError, "`max_in_flight` must be 1 or more. Received: 0"),
        (1.0, TypeError, "must be an integer. Received: 1.0 of type float"),
        (True, TypeError, "must be an integer. Received: True"),
    ],
)
def test_count_of_another_kind_is_refused(count, error, message):
    with pytest.raises(error, match=message):
        checked_count("max_in_flight", count)
