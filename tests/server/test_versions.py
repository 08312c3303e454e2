import re

import pytest

from kerassent.errors import ServingError
from kerassent.server.versions import find_newest_version


def make(base, *names):
    for name in names:
        (base / name).mkdir()
    return str(base)


def test_highest_number_is_the_newest_version(tmp_path):
    base = make(tmp_path, "9", "00010", "2", "tmp-11", "-12", "v13", "١٤")
    assert find_newest_version(base) == (10, f"{base}/00010")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "has no numbered version directory. It is empty."),
        (["a", "b"], "has no numbered version directory. It holds 'a', 'b'."),
    ],
)
def test_base_path_without_versions_is_refused(tmp_path, names, message):
    with pytest.raises(ServingError, match=re.escape(message)):
        find_newest_version(make(tmp_path, *names))


def test_missing_base_path_is_refused(tmp_path):
    with pytest.raises(ServingError, match="There is no directory '.*nope'"):
        find_newest_version(str(tmp_path / "nope"))


def test_version_directory_itself_is_refused_with_its_parent(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    fix = re.escape(f"is one SavedModel, not a directory of numbered versions. "
                    f"Pass its parent, {str(tmp_path)!r}.")  # fmt: skip
    with pytest.raises(ServingError, match=fix):
        find_newest_version(str(tmp_path / "1"))


def test_saved_model_without_a_version_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    fix = re.escape(f"Move it into a numbered directory below and pass this "
                    f"path again: {str(tmp_path / '1')!r}.")  # fmt: skip
    with pytest.raises(ServingError, match=fix):
        find_newest_version(str(tmp_path))
