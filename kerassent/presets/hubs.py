"""Downloads from Kaggle and Hugging Face, with the hubs' own clients."""

import errno
import functools
import pathlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from kerassent.presets.directory import CONFIG_FILE, PRESET_FILES

# Seconds. Kaggle's client has no limit of its own, so a network that swallows
# packets would hold it for ever.
_ANSWER_TIMEOUT = 15.0
_DOWNLOAD_TIMEOUT = 3600.0

_MAX_REASON_LENGTH = 300

_T = TypeVar("_T")


class Unavailable(Exception):
    """A place did not give what was asked of it; says why in one line."""


def download_kaggle(handle: str) -> pathlib.Path:
    """Returns the local directory of a preset on Kaggle.

    The files are the ones that keras-nlp's `from_preset` downloads, in the
    same place; what is there already is not fetched again.

    Args:
        handle: `"owner/model/keras/variation"`, or with `"/version"`.

    Raises:
        Unavailable: Kaggle can't be reached or refuses.
    """
    directory = pathlib.Path()
    for file in PRESET_FILES:
        small = file == CONFIG_FILE
        path = _within(
            _ANSWER_TIMEOUT if small else _DOWNLOAD_TIMEOUT,
            "Kaggle",
            functools.partial(_kaggle_file, handle, file),
        )
        if small:
            directory = path.parent
    return directory


def _kaggle_file(handle: str, file: str) -> pathlib.Path:
    import kagglehub

    return pathlib.Path(kagglehub.model_download(handle, path=file))


def is_on_disk(handle: str) -> bool:
    """Returns whether Kaggle's client has all of a preset already.

    Args:
        handle: As in `download_kaggle`, with the version.
    """
    try:
        from kagglehub.cache import Cache
        from kagglehub.handle import parse_model_handle
    except ImportError:
        return False
    parsed = parse_model_handle(handle)
    return all(Cache().load_from_cache(parsed, file) for file in PRESET_FILES)


def download_hugging_face(
    repository: str, files: Sequence[str], *, revision: str | None = None
) -> pathlib.Path:
    """Returns a local directory with files of a Hugging Face repository.

    What the client has in its cache is used when the hub can't be reached.

    Args:
        repository: `"owner/name"`.
        files: Names or glob patterns; those that don't exist are left out.
        revision: A branch, tag or commit; `None` for the default branch.

    Raises:
        Unavailable: The hub can't be reached or refuses.
    """
    return _within(
        _DOWNLOAD_TIMEOUT,
        "Hugging Face",
        functools.partial(_hugging_face_files, repository, files, revision),
    )


def _hugging_face_files(
    repository: str, files: Sequence[str], revision: str | None
) -> pathlib.Path:
    import huggingface_hub

    fetch = functools.partial(
        huggingface_hub.snapshot_download,
        repository,
        revision=revision,
        allow_patterns=list(files),
    )
    # Asked for a commit, `snapshot_download` would try for half a minute to
    # reach a hub that can't be reached. This question is put only once.
    try:
        huggingface_hub.HfApi().model_info(
            repository, revision=revision, timeout=_ANSWER_TIMEOUT
        )
    except Exception as error:
        refusal = error
    else:
        return pathlib.Path(fetch())
    try:
        return pathlib.Path(fetch(local_files_only=True))
    except huggingface_hub.errors.LocalEntryNotFoundError:
        pass
    raise refusal


def _within(seconds: float, hub: str, call: Callable[[], _T]) -> _T:
    """Returns `call()`, or gives up on it after a time.

    Args:
        seconds: How long to wait.
        hub: The hub's name for messages.
        call: Runs in a daemon thread, which is left behind at the time limit
            and does not keep the program from ending.

    Raises:
        Unavailable: `call` raised something, or took too long.
    """
    values: list[_T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            values.append(call())
        # The clients raise their own, their HTTP libraries' and the system's
        # errors; each of them means that there is nothing to be had.
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, name=f"{hub} download", daemon=True)
    thread.start()
    thread.join(seconds)
    if values:
        return values[0]
    if errors:
        raise Unavailable(_reason(hub, errors[0])) from errors[0]
    raise Unavailable(f"{hub} gave no answer for {seconds:g} s")


def _reason(hub: str, error: Exception) -> str:
    for cause in _chain(error):
        if _is_network_error(cause):
            return f"{hub} can't be reached ({cause})"
    first_line = (str(error).strip().splitlines() or ["no message"])[0]
    reason = f"{hub} refused ({type(error).__name__}: {first_line})"
    return reason[:_MAX_REASON_LENGTH]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_network_error(error: BaseException) -> bool:
    if isinstance(error, (socket.gaierror, ConnectionError, TimeoutError)):
        return True
    return isinstance(error, OSError) and error.errno in (
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
    )
