"""The peers' virtual environments. Standard library only."""

import argparse
import json
import pathlib
import subprocess
import sys
import venv

REQUIREMENTS = pathlib.Path(__file__).parent / "requirements"
DEFAULT = pathlib.Path("~/.cache/kerassent/peers").expanduser()


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Adds what says where they are."""
    parser.add_argument(
        "--peers",
        type=pathlib.Path,
        default=DEFAULT,
        help="where the peers' virtual environments are, or are to be",
    )


def python_of(name: str, home: pathlib.Path) -> str:
    """Returns a peer's interpreter; installs the peer if it is not there.

    Args:
        name: That of a file in `requirements`.
        home: The directory of the virtual environments.
    """
    wanted = (REQUIREMENTS / f"{name}.txt").read_text("utf-8")
    python = home / name / "bin" / "python"
    installed = home / name / "installed.txt"
    if not installed.exists() or installed.read_text("utf-8") != wanted:
        print(f"Installing {name} into {home / name}", flush=True)
        venv.create(home / name, with_pip=True, clear=True)
        subprocess.run(
            [
                *(python, "-m", "pip", "install", "--quiet"),
                *("-r", REQUIREMENTS / f"{name}.txt"),
            ],
            check=True,
            stdout=sys.stderr,
        )
        installed.write_text(wanted, "utf-8")
    return str(python)


def versions(name: str, home: pathlib.Path) -> dict[str, str]:
    """Returns the versions of what a peer's requirements name.

    Args:
        name: As in `python_of`.
        home: As in `python_of`.
    """
    if not (home / name / "installed.txt").exists():
        return {}
    named = [
        line.partition("==")[0]
        for line in (home / name / "installed.txt").read_text().splitlines()
        if "==" in line
    ]
    program = (
        "import importlib.metadata as m, json, sys; "
        "print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    )
    found = subprocess.run(
        [home / name / "bin" / "python", "-c", program, *named],
        check=True,
        capture_output=True,
        text=True,
    )
    installed: dict[str, str] = json.loads(found.stdout)
    return installed
