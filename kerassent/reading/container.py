"""Whether a file is an xlsx that can be unpacked safely.

An xlsx is a zip of XML files.
"""

import mmap
import zipfile
from pathlib import Path
from typing import BinaryIO

from kerassent.errors import DataError

# What a file may unpack to. Reviews compress to a third, numbers and repeated
# words to a twentieth; a bomb reaches a thousandth.
_MAX_BYTES = 2 << 30
_MAX_RATIO = 100
_SMALL_BYTES = 64 << 20

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def check_container(file: BinaryIO, path: Path) -> None:
    """Checks that a file is a zip of a size that can be read safely.

    Args:
        file: The file, opened at its beginning.
        path: Its path.

    Raises:
        DataError: It is something else, damaged, or would unpack to too much.
    """
    start = file.read(8)
    if start == _OLE:
        raise DataError(_ole_message(file, path.name))
    if not start.startswith(b"PK"):
        raise DataError(
            f"{path.name} is not an xlsx file: it begins with {start!r}. If "
            "it is a text file, give it its own ending, such as .csv."
            if start
            else f"{path.name} is not an xlsx file: it is empty."
        )
    try:
        with zipfile.ZipFile(file) as archive:
            # zipfile unpacks no member beyond the size that is said here.
            size = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise DataError(
            f"{path.name} is truncated or damaged: {error}. Copy or download "
            "it again."
        ) from error
    ratio = size / path.stat().st_size
    if size > _MAX_BYTES or (size > _SMALL_BYTES and ratio > _MAX_RATIO):
        raise DataError(
            f"{path.name} would unpack to {size / 2**20:,.0f} MiB, "
            f"{ratio:,.0f} times its size. At most {_MAX_BYTES >> 20:,} MiB "
            f"are read, and above {_SMALL_BYTES >> 20} MiB at most "
            f"{_MAX_RATIO} times. Save it as csv and pass `stream=True`."
        )


def _ole_message(file: BinaryIO, name: str) -> str:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        encrypted = content.find("EncryptedPackage".encode("utf-16-le")) >= 0
    if encrypted:
        return (
            f"{name} is protected by a password. Save it without one in "
            "Excel (File, Info, Protect Workbook, Encrypt with Password)."
        )
    return (
        f"{name} is not an xlsx file but one of Excel 97 to 2003 (.xls). Open "
        "it in Excel or LibreOffice and save it as .xlsx."
    )
