import pytest

from kerassent.client import ModelVersionStatus
from kerassent.client._status import statuses_from_json

ANSWER = {
    "model_version_status": [
        {
            "version": "9007199254740993",
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        },
        {
            "version": "1",
            "state": "END",
            "status": {"error_code": "UNKNOWN", "error_message": "no weights"},
        },
    ]
}


def test_statuses_are_read_in_the_servers_order():
    assert statuses_from_json(ANSWER) == [
        ModelVersionStatus(9007199254740993, "AVAILABLE", "OK", ""),
        ModelVersionStatus(1, "END", "UNKNOWN", "no weights"),
    ]


def test_status_shows_the_error_only_where_there_is_one():
    available, ended = statuses_from_json(ANSWER)
    assert str(available) == "version 9007199254740993 is AVAILABLE"
    assert str(ended) == "version 1 is END (UNKNOWN: no weights)"


def test_missing_status_means_ok():
    entry = {"version": "1", "state": "LOADING"}
    assert statuses_from_json({"model_version_status": [entry]}) == [
        ModelVersionStatus(1, "LOADING", "OK", "")
    ]


@pytest.mark.parametrize(
    "answer",
    [{}, [], None, {"model_version_status": ["1"]}],
)
def test_another_answer_is_an_error(answer):
    with pytest.raises((AttributeError, KeyError, TypeError)):
        statuses_from_json(answer)
