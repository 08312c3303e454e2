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


def run(cache: pathlib.Path, release: str, code: str, *args: object) -> Any:
    """Runs code in a release's environment, which is made if need be.

    Args:
        cache: The directory of the environments.
        release: One of `RELEASES`.
        code: A Python program.
        *args: Its `sys.argv[1:]`.

    Returns:
        What it printed last, read as JSON.
    """
    done = subprocess.run(
        [_python(cache, release), "-c", code, *map(str, args)],
        env=os.environ
        | {
            "CUDA_VISIBLE_DEVICES": "-1",
            "PYTHONPATH": "",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _python(cache: pathlib.Path, release: str) -> pathlib.Path:
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
