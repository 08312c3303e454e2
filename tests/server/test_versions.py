import re

import pytest

from kerassent.errors import ServingError
from kerassent.server.versions import check_base_path, find_versions


def make(base, *names):
    for name in names:
        (base / name).mkdir()
    return str(base)


def test_children_with_a_number_for_a_name_are_versions(tmp_path):
    base = make(tmp_path, "9", "00010", "2", "tmp-11", "-12", "v13", "١٤")
    (tmp_path / "15").write_text("a file counts, as in TensorFlow Serving")
    (tmp_path / str(2**63)).mkdir()
    assert find_versions(base) == {
        9: f"{base}/9",
        10: f"{base}/00010",
        2: f"{base}/2",
        15: f"{base}/15",
    }


def test_of_two_names_of_one_number_the_shorter_counts(tmp_path):
    base = make(tmp_path, "007", "7", "07")
    assert find_versions(base) == {7: f"{base}/7"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "has no numbered version directory. It is empty."),
        (["a", "b"], "has no numbered version directory. It holds 'a', 'b'."),
    ],
)
def test_base_path_without_versions_is_refused(tmp_path, names, message):
    with pytest.raises(ServingError, match=re.escape(message)):
        check_base_path(make(tmp_path, *names))


def test_missing_base_path_is_refused(tmp_path):
    with pytest.raises(ServingError, match="There is no directory '.*nope'"):
        check_base_path(str(tmp_path / "nope"))


def test_version_directory_itself_is_refused_with_its_parent(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    fix = re.escape(f"is one SavedModel, not a directory of numbered versions. "
                    f"Pass its parent, {str(tmp_path)!r}.")  # fmt: skip
    with pytest.raises(ServingError, match=fix):
        check_base_path(str(tmp_path / "1"))


def test_saved_model_without_a_version_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    fix = re.escape(f"Move it into a numbered directory below and pass this "
                    f"path again: {str(tmp_path / '1')!r}.")  # fmt: skip
    with pytest.raises(ServingError, match=fix):
        check_base_path(str(tmp_path))
