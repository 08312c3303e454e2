"""Virtual environments with other TensorFlow releases, and code run in them.

Standard library only. `record_ops.py` and `check_tf_versions.py` share them.
"""

import json
import os
import pathlib
import subprocess
import sys
import venv
from typing import Any

# What is installed for a release. TensorFlow Serving 2.16 to 2.19 link Text
# 2.12.1, which fits no TensorFlow but its own; Text 2.21.0 cannot be imported.
# Text's ops want symbols that tensorflow-cpu 2.19.0 does not have.
RELEASES = {
    "2.12.1": ("tensorflow==2.12.1", "tensorflow-text==2.12.1"),
    "2.16.1": ("tensorflow-cpu==2.16.1",),
    "2.17.0": ("tensorflow-cpu==2.17.0",),
    "2.18.0": ("tensorflow-cpu==2.18.0",),
    "2.19.0": ("tensorflow==2.19.0", "tensorflow-text==2.19.0"),
    "2.20.0": ("tensorflow==2.20.0", "tensorflow-text==2.20.0"),
    "2.21.0": ("tensorflow==2.21.0", "tensorflow-text==2.21.1"),
}


def run(python: pathlib.Path, program: str, *arguments: object) -> Any:
    """Runs a program in an environment, under a Turkish locale.

    Args:
        python: The environment's Python.
        program: Its text. It must not need what is not installed there.
        *arguments: Its `sys.argv[1:]`.

    Returns:
        What it printed last, read as JSON.
    """
    done = subprocess.run(
        [python, "-c", program, *map(str, arguments)],
        env=os.environ
        | {
            "CUDA_VISIBLE_DEVICES": "-1",
            "LC_ALL": "tr_TR.UTF-8",  # where "I" is not the capital of "i"
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def environment(cache: pathlib.Path, release: str) -> pathlib.Path:
    """Returns the Python of a release's environment, made if need be.

    Args:
        cache: The directory of the environments.
        release: One of `RELEASES`.
    """
    directory = cache / release
    python = directory / "bin" / "python"
    if not (directory / "installed").exists():
        print(f"Installing TensorFlow {release}", file=sys.stderr)
        venv.create(directory, with_pip=True, clear=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *RELEASES[release]],
            stdout=sys.stderr,
            check=True,
        )
        (directory / "installed").touch()
    return python
