import pytest

from kerassent.client import _errors
from kerassent.client._address import parse_url
from kerassent.client._target import Target
from kerassent.errors import (
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    ServerUnavailable,
    ServingError,
)

GRPC = Target(parse_url("grpc://localhost"), "sentiment")
REST = Target(parse_url("http://localhost"), "sentiment", version=5)


def test_nothing_answers_says_how_to_start_a_server():
    assert str(_errors.nothing_answers(GRPC)) == (
        "Nothing answers at localhost:8500 (gRPC). Start one with "
        "`kerassent serve models/sentiment`, or check `--url`."
    )


@pytest.mark.parametrize(
    ("text", "error_class", "expected", "message"),
    [
        (
            "The batch scheduling queue to which this task was submitted is "
            "full; max enqueued batches: 10",
            ServerUnavailable,
            Overloaded,
            "Try again later, or send fewer requests at a time.",
        ),
        (
            "Model labels does not init yet.stable",
            ServerUnavailable,
            ServerUnavailable,
            "Try again in a moment.",
        ),
        (
            "SERVER: Received message larger than max (9 vs. 8)",
            Overloaded,
            InvalidRequest,
            "Send fewer or shorter texts at once.",
        ),
        (
            "Run() timeout exceeded while waiting in batching queue",
            Overloaded,
            Overloaded,
            "Try again later",
        ),
        (
            "Servable not found for request: Specific(sentiment, 5)",
            ModelNotFound,
            ModelNotFound,
            "`Client.status()`, without `version` and `version_label`, lists",
        ),
        (
            "the queue is never full",
            InvalidRequest,
            InvalidRequest,
            "signature 'serving_default' and the input 'text'",
        ),
        (
            "Unrecognized servable version label: best",
            InvalidRequest,
            InvalidRequest,
            "The server's model configuration sets the labels.",
        ),
        ("", DeadlineExceeded, DeadlineExceeded, "'(no message)'"),
    ],
)
def test_server_text_and_code_decide_the_class(
    text, error_class, expected, message
):
    error = _errors.server_error(REST, error_class, code="CODE", text=text)
    assert type(error) is expected
    assert str(error).startswith(
        "Asked for the model 'sentiment', version 5, localhost:8501 (REST) "
        f"answered CODE: '{text}"
    ) or (not text)
    assert message in str(error)
    assert (error.model_name, error.url) == (
        "sentiment",
        "http://localhost:8501",
    )


def test_missing_op_is_named_and_is_not_a_missing_model():
    error = _errors.server_error(
        GRPC,
        ModelNotFound,
        code="NOT_FOUND",
        text="Op type not registered 'TFText>RoundRobinTrim' in binary "
        "running on host. Make sure …",
    )
    assert type(error) is ServingError
    assert "needs the op 'TFText>RoundRobinTrim'" in str(error)
    assert "newer TensorFlow Serving" in str(error)
    assert "`kerassent export`" in str(error)


def test_long_server_text_is_cut():
    error = _errors.server_error(
        GRPC, InvalidRequest, code="X", text="a" * 5000
    )
    assert "a" * 1000 + "…" in str(error)
    assert "a" * 1001 not in str(error)


def test_wrong_protocol_names_the_other_url():
    assert "`http://localhost:8500`, or the gRPC port (often 8500)" in str(
        _errors.wrong_protocol(GRPC)
    )
    assert "`grpc://localhost:8501`, or the HTTP port (often 8501)" in str(
        _errors.wrong_protocol(REST)
    )
