import pytest

from kerassent.client._address import parse_url
from kerassent.client._target import Target
from kerassent.errors import ModelNotFound

ADDRESS = parse_url("http://localhost")


def test_target_is_shown_with_what_was_asked_for():
    assert str(Target(ADDRESS, "m")) == "'m'"
    assert str(Target(ADDRESS, "m", 0)) == "'m', version 0"
    assert str(Target(ADDRESS, "m", None, "stable")) == "'m', label 'stable'"


def test_model_spec_says_all_that_decides_the_answers():
    assert Target(ADDRESS, "m").model_spec == "m"
    assert Target(ADDRESS, "m", 0, None, "s").model_spec == (
        "m, version 0, signature s"
    )
    assert Target(ADDRESS, "m", None, "a").model_spec == "m, label a"


def test_error_knows_the_model_and_the_server():
    error = Target(ADDRESS, "m").error(ModelNotFound, "gone")
    assert type(error) is ModelNotFound
    assert (str(error), error.model_name, error.url) == (
        "gone",
        "m",
        "http://localhost:8501",
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("",), ValueError, "`model_name` must be printable .*Received: ''"),
        (("a\ud800",), ValueError, "must be printable .*'a.ud800'"),
        ((None,), TypeError, "`model_name` must be a string. Received: None"),
        (("m", -1), ValueError, "Received: version=-1"),
        (("m", 2**63), ValueError, "must be from 0 to 2\\*\\*63 - 1"),
        (("m", "3"), TypeError, "must be an integer. Received: '3' of type"),
        (("m", True), TypeError, "must be an integer. Received: True"),
        (("m", None, ""), ValueError, "`version_label` must be printable"),
        (
            ("m", None, None, "a\n"),
            ValueError,
            "`signature_name` must be printable",
        ),
        (
            ("m", 1, "stable"),
            ValueError,
            "not both. Received: version=1, version_label='stable'",
        ),
    ],
)
def test_what_names_no_model_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        Target(ADDRESS, *arguments)
