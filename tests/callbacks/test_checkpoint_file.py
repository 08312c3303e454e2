import json
import os
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pytest

from kerassent.callbacks.checkpoint_file import (
    read_checkpoint,
    write_checkpoint,
)

ARRAYS = {
    "weights/0": np.arange(6, dtype=np.float32).reshape(2, 3),
    "step": np.array(7),
    "nothing": np.zeros((0, 4), np.uint16),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "step-000000012.npz"


def test_what_is_written_is_read(path):
    state = {"epoch": 1, "rate": 0.1 + 0.2, "best": float("-inf")}
    write_checkpoint(path, state, ARRAYS.items())
    again, arrays = read_checkpoint(path)
    assert again == state
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_numpy_opens_it(path):
    write_checkpoint(path, {}, ARRAYS.items())
    with np.load(path, allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["weights/0"], ARRAYS["weights/0"])


def test_every_damaged_byte_of_the_data_is_noticed(path):
    write_checkpoint(path, {"epoch": 1}, ARRAYS.items())
    whole = path.read_bytes()
    expected, arrays = read_checkpoint(path)
    noticed = 0
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 0x5A]) + whole[i + 1 :])
        try:
            state, again = read_checkpoint(path)
        except ValueError as error:
            assert path.name in str(error)
            noticed += 1
            continue
        # Only what nobody reads, such as the time of a part, may be damaged.
        assert state == expected
        assert again.keys() == arrays.keys()
        assert all((again[name] == arrays[name]).all() for name in arrays)
    assert noticed > len(whole) / 2


@pytest.mark.parametrize("length", [0, 10, 300])
def test_a_file_that_was_cut_is_noticed(length, path):
    write_checkpoint(path, {"epoch": 1}, ARRAYS.items())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(
        ValueError, match="step-000000012.npz cannot be read: File"
    ):
        read_checkpoint(path)


def test_objects_are_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        content = {"format": 1, "state": {}, "arrays": ["evil"]}
        archive.writestr("state.json", json.dumps(content))
        with archive.open("evil.npy", "w") as member:
            np.lib.format.write_array(member, np.array([print]))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded when"):
        read_checkpoint(path)


def test_another_format_is_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("state.json", json.dumps({"format": 2, "state": {}}))
    with pytest.raises(ValueError, match="its format is 2, this one reads 1"):
        read_checkpoint(path)


def test_an_error_in_between_leaves_the_old_one_and_nothing_else(path):
    write_checkpoint(path, {"epoch": 1}, [])

    def broken():
        yield "first", np.zeros(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(path, {"epoch": 2}, broken())
    assert read_checkpoint(path)[0] == {"epoch": 1}
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_full_disk_leaves_the_old_one_and_nothing_else(path):
    """A limit on a file's size fails in the same place as a full disk."""
    write_checkpoint(path, {"epoch": 1}, [])
    program = """
        import pathlib, resource, signal, sys
        import numpy as np
        from kerassent.callbacks.checkpoint_file import write_checkpoint
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            write_checkpoint(
                pathlib.Path(sys.argv[1]), {}, [("a", np.zeros(100_000))]
            )
        except OSError as error:
            print(error.strerror)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "File too large\n"
    assert read_checkpoint(path)[0] == {"epoch": 1}
    assert [each.name for each in path.parent.iterdir()] == [path.name]
