import pytest

from kerassent.client import _errors
from kerassent.client._address import parse_url
from kerassent.client._failure import Remedy
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
NO_OP = "Op type not registered 'A'"
REST = Target(parse_url("http://localhost"), "sentiment", version=5)


def test_nothing_answers_says_how_to_start_a_server():
    assert str(_errors.nothing_answers(GRPC).error) == (
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
            "The server takes no text so long; send a shorter one.",
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
            "`signature_name`) and the input 'text'",
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
    error = _errors.server_error(
        REST, error_class, code="CODE", text=text
    ).error
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
    ).error
    assert type(error) is ServingError
    assert "needs the op 'TFText>RoundRobinTrim'" in str(error)
    assert "newer TensorFlow Serving" in str(error)
    assert "`kerassent export`" in str(error)


def test_long_server_text_is_cut():
    error = _errors.server_error(
        GRPC, InvalidRequest, code="X", text="a" * 5000
    ).error
    assert "a" * 1000 + "…" in str(error)
    assert "a" * 1001 not in str(error)


def test_wrong_protocol_names_the_other_url():
    assert "`http://localhost:8500`, or the gRPC port (often 8500)" in str(
        _errors.wrong_protocol(GRPC).error
    )
    assert "`grpc://localhost:8501`, or the HTTP port (often 8501)" in str(
        _errors.wrong_protocol(REST).error
    )


@pytest.mark.parametrize(
    ("error_class", "code", "text", "remedy"),
    [
        (ServerUnavailable, "UNAVAILABLE", "draining", Remedy.RETRY),
        (Overloaded, "429 Too Many Requests", "", Remedy.RETRY),
        (ServerUnavailable, "503", "queue is full", Remedy.RETRY),
        (DeadlineExceeded, "504 Gateway Timeout", "", Remedy.NONE),
        (ModelNotFound, "NOT_FOUND", "", Remedy.NONE),
        (InvalidRequest, "INVALID_ARGUMENT", "expects string", Remedy.NONE),
        (ServingError, "INTERNAL", "boom", Remedy.NONE),
        (
            InvalidRequest,
            "INVALID_ARGUMENT",
            "Task size 33 is larger than maximum input batch size 32",
            Remedy.FEWER_TEXTS,
        ),
        (
            Overloaded,
            "RESOURCE_EXHAUSTED",
            "OOM when allocating tensor with shape[64,512]",
            Remedy.FEWER_TEXTS,
        ),
        (
            Overloaded,
            "RESOURCE_EXHAUSTED",
            "SERVER: Received message larger than max (9 vs. 8)",
            Remedy.FEWER_BYTES,
        ),
        (InvalidRequest, "413 Too Large", "<h1>", Remedy.FEWER_BYTES),
        (ServerUnavailable, "UNAVAILABLE", NO_OP, Remedy.NONE),
    ],
)
def test_server_text_and_code_decide_what_may_help(
    error_class, code, text, remedy
):
    failure = _errors.server_error(GRPC, error_class, code=code, text=text)
    assert failure.remedy is remedy


@pytest.mark.parametrize(
    ("failure", "remedy"),
    [
        (_errors.connection_lost(GRPC, "reset"), Remedy.RETRY),
        (_errors.nothing_answers(GRPC), Remedy.RETRY_IF_KNOWN),
        (_errors.tls_failed(GRPC, "reset"), Remedy.RETRY_IF_KNOWN),
        (_errors.proxy_failed(REST, "reset"), Remedy.RETRY_IF_KNOWN),
        (_errors.no_answer_in_time(GRPC, 1.0), Remedy.NONE),
        (_errors.wrong_protocol(GRPC), Remedy.NONE),
        (_errors.odd_answer(GRPC, "odd"), Remedy.NONE),
    ],
)
def test_what_happened_decides_what_may_help(failure, remedy):
    assert failure.remedy is remedy
