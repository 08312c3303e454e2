"""Templates to pages: whatever is put into them is shown, never obeyed."""

import base64
import hashlib
import os
import pathlib
import re
from typing import Any, Final

import jinja2
import markupsafe

from kerassent.highlighting import highlight_style
from kerassent.html_report.wording import percent
from kerassent.version import __version__
from kerassent.whole_file import written_whole

# What no page may hold.
_UNSHOWABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def render(template: str, context: dict[str, Any], package: str) -> str:
    """Returns a page with the style sheet in it.

    Args:
        template: Its name; it may import `charts.html`.
        context: What is put into it; all of it is escaped.
        package: The package whose `templates` has it.
    """
    loaders = [
        jinja2.PackageLoader(name)
        for name in dict.fromkeys((package, __package__, "kerassent"))
    ]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = environment.get_template("report.css").render() + highlight_style()
    digest = hashlib.sha256(style.encode()).digest()
    page = environment.get_template(template).render(
        context,
        # The style sheet is the package's own, never a user's.
        style=markupsafe.Markup(style),  # noqa: S704
        style_hash=f"sha256-{base64.b64encode(digest).decode()}",
        version=__version__,
        percent=percent,
    )
    # A lone half of a character has no place in UTF-8.
    page = page.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return _UNSHOWABLE.sub("\ufffd", page)


def check_page_path(path: str | os.PathLike[str]) -> None:
    """Raises if no page can be written there; cheap, so ask early.

    Args:
        path: The file to be.

    Raises:
        FileNotFoundError: There is no such directory.
        IsADirectoryError: It is a directory.
    """
    file = pathlib.Path(path)
    if file.is_dir():
        raise IsADirectoryError(
            f"{os.fspath(path)!r} is a directory. Give a file's name in it, "
            "such as 'report.html'."
        )
    if not file.parent.is_dir():
        raise FileNotFoundError(
            f"There is no directory {os.fspath(file.parent)!r} to write "
            f"{file.name!r} to. Make it first."
        )


def write_page(page: str, path: str | os.PathLike[str]) -> None:
    """Writes a page beside, and renames it.

    Args:
        page: What `render` returned.
        path: The file.

    Raises:
        OSError: As in `check_page_path`.
    """
    check_page_path(path)
    with written_whole(path) as beside:
        beside.write_text(page, encoding="utf-8")
