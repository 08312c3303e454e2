"""Runs every check of the project, in the environment it is started with.

Run it before each commit:

    python tools/check.py            # all of it
    python tools/check.py pytest -k reviews -x

It stops at the first check that fails and exits with its code.
"""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent

# import-linter has no `python -m` form.
IMPORT_LINTER = "from importlinter.cli import lint_imports_command as c; c()"

CHECKS = {
    "ruff-check": ["-m", "ruff", "check", "."],
    "ruff-format": ["-m", "ruff", "format", "--check", "."],
    "mypy": ["-m", "mypy"],
    "import-linter": ["-c", IMPORT_LINTER],
    "pytest": ["-m", "pytest"],
}


def main(arguments: list[str]) -> int:
    """Runs the named check with what follows it, or all of them."""
    names = [arguments[0]] if arguments else list(CHECKS)
    for name in names:
        if name not in CHECKS:
            print(f"No check {name!r}; there are {', '.join(CHECKS)}.")
            return 2
        print(f"== {name}", flush=True)
        done = subprocess.run(
            [sys.executable, *CHECKS[name], *arguments[1:]],
            cwd=ROOT,
            check=False,
        )
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
