"""What a run directory says about itself, and which run may be resumed."""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
from typing import Any

from kerassent import contract
from kerassent.version import __version__
from kerassent.whole_file import written_whole

_SETTINGS = pathlib.Path(contract.CHECKPOINTS, "settings.json")


def partial_of(run: pathlib.Path) -> pathlib.Path:
    """Returns where a run is written until it is whole.

    Args:
        run: The run directory to be.
    """
    return run.with_name(run.name + ".partial")


def check_output(run: pathlib.Path, *, resume: bool) -> None:
    """Raises if a run must not be written here; cheap, so ask early.

    Args:
        run: The run directory to be.
        resume: Whether a run of ours may be there.

    Raises:
        FileExistsError: Something is there, or an unfinished run is.
    """
    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        if not resume:
            raise FileExistsError(
                f"{run} is there already. Choose another output directory, or "
                "remove this one first."
            )
        if not (run / _SETTINGS).is_file():
            raise FileExistsError(
                f"{run} is there already, and no run of `train`: it cannot be "
                "gone on with. Choose another output directory."
            )
    partial = partial_of(run)
    if partial.exists() and not resume:
        raise FileExistsError(
            f"An unfinished run is there: {partial}. Go on with it by "
            "`resume=True` (`--resume`), or remove it."
        )


def read_settings(directory: pathlib.Path) -> dict[str, Any]:
    """Returns what a run was begun with, `{}` if none was.

    Args:
        directory: A run directory, or what is to be one.

    Raises:
        ValueError: The file is damaged.
    """
    path = directory / _SETTINGS
    if not path.is_file():
        return {}
    try:
        settings: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged: {error}. Without it the run cannot be gone "
            "on with. Remove the directory to begin anew."
        ) from error
    return settings


def write_settings(directory: pathlib.Path, settings: dict[str, Any]) -> None:
    """Keeps what a run is begun with.

    Args:
        directory: What is to be a run directory.
        settings: What `read_settings` will return.
    """
    path = directory / _SETTINGS
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, settings)


def check_same(
    directory: pathlib.Path, begun: dict[str, Any], asked: dict[str, Any]
) -> None:
    """Raises if a run would be gone on with under other conditions.

    Args:
        directory: The run's, for the message.
        begun: The settings that it was begun with.
        asked: Those that it is to be gone on with.

    Raises:
        ValueError: They differ; the message says where.
    """
    asked = json.loads(_as_json(asked))  # tuples are lists in `begun`
    differences = [
        f"{name}: {_shown(begun.get(name))}, now {_shown(asked.get(name))}"
        for name in dict.fromkeys([*begun, *asked])
        if begun.get(name) != asked.get(name)
    ]
    if differences:
        raise ValueError(
            f"{directory} was begun with other data or settings, so it cannot "
            f"be gone on with ({'; '.join(differences)}). Resume with what it "
            "was begun with, or choose another output."
        )


def read_info(run: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns what `train` recorded in a run directory.

    Args:
        run: The run directory.

    Raises:
        OSError: There is no record.
        ValueError: It is damaged.
    """
    path = pathlib.Path(run, contract.TRAIN_INFO)
    try:
        info = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(info, dict):
        raise _damaged(path, "it holds no JSON object")
    return info


def _damaged(path: pathlib.Path, why: str) -> ValueError:
    return ValueError(
        f"{path} is damaged: {why}. Copy the run again, or train again."
    )


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes JSON beside, and renames it.

    Args:
        path: The file.
        content: What JSON can hold.
    """
    with written_whole(path) as beside:
        beside.write_text(_as_json(content) + "\n", encoding="utf-8")


def versions() -> dict[str, str]:
    """Returns the versions of what decides a run's result."""
    packages = ("tensorflow", "keras", "keras-nlp", "numpy")
    return {
        "kerassent": __version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }


def machine() -> dict[str, Any]:
    """Returns what of this machine decides a run's speed."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": num_cores(),
    }


def num_cores() -> int:
    """Returns how many processors this machine lets this process use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def now() -> str:
    """Returns the time, in UTC, as ISO 8601 has it."""
    return datetime.datetime.now(datetime.UTC).isoformat("T", "seconds")


def _processor() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    names = (line for line in lines if line.startswith("model name"))
    return next(names, "").partition(":")[2].strip() or platform.processor()


def _as_json(content: Any) -> str:
    def plain(value: Any) -> Any:
        return value.item() if hasattr(value, "item") else os.fspath(value)

    return json.dumps(content, indent=2, default=plain)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:56]} …"
