"""The client's errors: one place for their texts, whatever the protocol.

Each function returns the failure, for the transport to raise from its own
error: what the caller is told, and what may help without telling anyone.
"""

import re
from typing import Final

from kerassent.client._failure import Failure, Remedy
from kerassent.client._target import Target
from kerassent.contract import GRPC_PORT, REST_PORT, TEXT
from kerassent.errors import (
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    ServerUnavailable,
    ServingError,
)

_MISSING_OP: Final = re.compile(r"Op type not registered '([^']+)'")
_FULL_QUEUE: Final = re.compile(r"queue\b.*\bfull", re.DOTALL)
_NO_LABEL: Final = "Unrecognized servable version label"
_TOO_LARGE: Final = "larger than max ("  # gRPC's own, not a busy server
_TOO_MANY: Final = re.compile(
    r"(task|batch) size \d+ is (larger|greater) than|OOM when allocating",
    re.IGNORECASE,
)

# Texts can come back in an error, and a text can be megabytes.
_MAX_SERVER_TEXT: Final = 1000

_ADVICE: Final[dict[type[ServingError], str]] = {
    ServingError: "The server's log may say more.",
    ServerUnavailable: "Try again in a moment.",
    DeadlineExceeded: "Send fewer texts at once, or raise `timeout`.",
    Overloaded: "Try again later, or send fewer requests at a time.",
    ModelNotFound: (
        "`Client.status()`, without `version` and `version_label`, lists the "
        "versions; the name is the one the server was given "
        "(`--model-name`)."
    ),
    InvalidRequest: (
        "Expected a model with the signature that was asked for "
        f"(`signature_name`) and the input '{TEXT}', as `kerassent export` "
        "writes it; `Client.metadata()` lists what it has."
    ),
}


def server_error(
    target: Target,
    error_class: type[ServingError],
    *,
    code: str,
    text: str,
    pause: float = 0.0,
) -> Failure:
    """Returns the error for what a server answered instead of a result.

    Args:
        target: What was asked.
        error_class: What the code means by itself.
        code: The server's code, as in `"NOT_FOUND"` or `"404 Not Found"`.
        text: The server's message. It decides where the code is ambiguous.
        pause: Seconds that the server asks to wait before the next attempt.
    """
    missing_op = _MISSING_OP.search(text)
    if missing_op:
        error = target.error(
            ServingError,
            f"The model {target} needs the op '{missing_op[1]}', which the "
            f"server at {target.address} was built without. Serve it with a "
            "newer TensorFlow Serving, or export it with `kerassent export`, "
            "which uses only ops that every supported version has.",
        )
        return Failure(error)
    remedy = Remedy.NONE
    if issubclass(error_class, ServerUnavailable) and _FULL_QUEUE.search(text):
        error_class = Overloaded
    if issubclass(error_class, ServerUnavailable | Overloaded):
        remedy = Remedy.RETRY
    advice = _ADVICE[error_class]
    if _TOO_LARGE in text or code.startswith("413"):
        error_class = InvalidRequest
        remedy = Remedy.FEWER_BYTES
        advice = "The server takes no text so long; send a shorter one."
    elif _TOO_MANY.search(text):
        remedy = Remedy.FEWER_TEXTS
        advice = "The server does not take even one text; see its log."
    elif _NO_LABEL in text:
        advice = "The server's model configuration sets the labels."
    if len(text) > _MAX_SERVER_TEXT:
        text = f"{text[:_MAX_SERVER_TEXT]}…"
    error = target.error(
        error_class,
        f"Asked for the model {target}, {target.address} answered {code}: "
        f"{text.strip() or '(no message)'!r}. {advice}",
    )
    return Failure(error, remedy, pause=pause)


def nothing_answers(target: Target) -> Failure:
    """Nobody listens at the address, or there is no such address."""
    error = target.error(
        ServerUnavailable,
        f"Nothing answers at {target.address}. Start one with "
        f"`kerassent serve models/{target.model_name}`, or check `--url`.",
    )
    return Failure(error, Remedy.RETRY_IF_KNOWN)


def connection_lost(target: Target, why: object) -> Failure:
    """The server was there and went away before it answered."""
    error = target.error(
        ServerUnavailable,
        f"The connection to {target.address} was lost before the answer came "
        f"({why}). Try again; if that does not help, see the server's log.",
    )
    return Failure(error, Remedy.RETRY)


def proxy_failed(target: Target, why: object) -> Failure:
    """A proxy from the environment stands between, and does not work."""
    error = target.error(
        ServerUnavailable,
        f"The proxy on the way to {target.address} does not work ({why}). "
        "Check HTTP_PROXY and HTTPS_PROXY, or add the host to NO_PROXY.",
    )
    return Failure(error, Remedy.RETRY_IF_KNOWN)


def tls_failed(target: Target, why: object) -> Failure:
    """The two ends could not agree on an encrypted connection."""
    plain = "grpc" if target.address.is_grpc else "http"
    error = target.error(
        ServerUnavailable,
        f"No TLS connection to {target.address} ({why}). Check `ca_cert`, "
        "`client_cert` and `client_key`; if the server has no TLS, use "
        f"`{plain}://{target.address.netloc}`.",
    )
    return Failure(error, Remedy.RETRY_IF_KNOWN)


def no_answer_in_time(target: Target, timeout: float) -> Failure:
    """The client gave up waiting."""
    error = target.error(
        DeadlineExceeded,
        f"{target.address} gave no answer within `timeout={timeout:.4g}` "
        "seconds. Raise `timeout`, or send fewer texts at once.",
    )
    return Failure(error)


def no_turn_in_time(target: Target, timeout: float, most: int) -> Failure:
    """The client gave up before it asked."""
    error = target.error(
        DeadlineExceeded,
        f"{target.address} was not asked within `timeout={timeout:.4g}` "
        f"seconds: {most} requests of this client were under way, the most "
        "over REST. Raise `timeout`, make fewer calls at a time, or use gRPC.",
    )
    return Failure(error)


def wrong_protocol(target: Target) -> Failure:
    """Somebody answers, in the other protocol."""
    address = target.address
    if address.is_grpc:
        spoken, other = "gRPC", "REST"
        fixed, port = f"http://{address.netloc}", GRPC_PORT
    else:
        spoken, other = "HTTP", "gRPC"
        fixed, port = f"grpc://{address.netloc}", REST_PORT
    error = target.error(
        ServingError,
        f"{address} answers, but does not speak {spoken}. If this is the "
        f"server's {other} port, use `{fixed}`, or the {spoken} port (often "
        f"{port}).",
    )
    return Failure(error)


def odd_answer(target: Target, why: object) -> Failure:
    """Somebody answers something that TensorFlow Serving would not."""
    error = target.error(
        ServingError,
        f"{target.address} did not answer as TensorFlow Serving does: {why}. "
        "Check host, port and path.",
    )
    return Failure(error)
