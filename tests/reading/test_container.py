import struct
import zipfile

import openpyxl
import pytest

from kerassent.errors import DataError
from kerassent.reading.container import check_container
from kerassent.reading.xlsx import XlsxTable

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "reviews.xlsx"


def check(path):
    with path.open("rb") as file:
        check_container(file, path)


def bomb(path, size):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("xl/worksheets/sheet1.xml", "w") as member:
            for _ in range(size >> 20):
                member.write(bytes(1 << 20))


def test_workbook_passes(path):
    openpyxl.Workbook().save(path)
    check(path)


def test_csv_with_the_wrong_ending_is_an_error(path):
    path.write_text("text,label\n")
    with pytest.raises(
        DataError,
        match=r"^reviews\.xlsx is not an xlsx file: it begins with "
        r"b'text,lab'\. If it is a text file, give it its own ending",
    ):
        check(path)


def test_empty_file_is_an_error(path):
    path.write_bytes(b"")
    with pytest.raises(DataError, match="not an xlsx file: it is empty"):
        check(path)


def test_truncated_file_is_an_error(path):
    openpyxl.Workbook().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        DataError, match=r"^reviews\.xlsx is truncated or damaged: .* Copy or"
    ):
        check(path)


def test_old_excel_file_is_an_error(path):
    path.write_bytes(OLE + b"Workbook".ljust(600))
    with pytest.raises(
        DataError, match=r"not an xlsx file but one of Excel 97 to 2003"
    ):
        check(path)


def test_password_is_an_error(path):
    path.write_bytes(OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le"))
    with pytest.raises(
        DataError, match=r"^reviews\.xlsx is protected by a password\. Save"
    ):
        check(path)


def test_zip_bomb_is_refused(path):
    bomb(path, 128 << 20)
    with pytest.raises(
        DataError,
        match=r"^reviews\.xlsx would unpack to 128 MiB, 1,0\d\d times its "
        r"size\. At most 2,048 MiB are read, and above 64 MiB at most 100",
    ):
        check(path)


def test_small_file_may_compress_well(path):
    bomb(path, 32 << 20)
    check(path)


def test_zip_directory_that_lies_does_not_unpack_more_than_it_says(path):
    openpyxl.Workbook().save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    size = 100 << 20
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            if name.endswith("sheet1.xml"):
                content += b" " * size
            archive.writestr(name, content)
    content = path.read_bytes()
    real = struct.pack("<I", size + len(parts["xl/worksheets/sheet1.xml"]))
    assert content.count(real) == 2
    path.write_bytes(content.replace(real, struct.pack("<I", 1000)))
    check(path)
    with pytest.raises(DataError, match="may be truncated or damaged"):
        with XlsxTable(path) as table:
            list(table.rows(0, None))
