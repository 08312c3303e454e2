import json
import os
import pathlib
import random
import signal
import stat
import subprocess
import sys
import tempfile
import time

import pytest

from kerassent.errors import ExportError
from kerassent.saved_model.publish import (
    MAX_VERSION,
    new_directory,
    new_version,
    versions,
)

FILES = {
    "saved_model.pb": b"graph" * 20,
    "variables/variables.index": b"index" * 50,
    "variables/variables.data": bytes(range(256)) * 256,
    "assets.extra/kerassent.json": b"{}\n",
}

# Whole exports that the slow test kills. A hundred take over half an hour.
NUM_KILLED_EXPORTS = 10

# Says when it writes; publishes once a line comes.
WAITING = """
import pathlib, signal, sys
from kerassent.saved_model.publish import new_version

signal.signal(signal.SIGINT, signal.default_int_handler)
with new_version(pathlib.Path(sys.argv[1]), None) as (staging, published):
    (staging / "saved_model.pb").write_bytes(b"graph")
    print("writing", flush=True)
    sys.stdin.readline()
print(published[0].name)
"""

# Publishes in a child that it kills, again and again, while another reads.
KILLING = """
import json, os, pathlib, random, signal, sys, time
from kerassent.saved_model.publish import new_version

base_path = pathlib.Path(sys.argv[1])
files = {
    name: random.Random(name).randbytes(size)
    for name, size in json.loads(sys.argv[2]).items()
}
chance = random.Random(0)

def publish():
    with new_version(base_path, None, keep=3) as (staging, _):
        for name, content in files.items():
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_bytes(content)

def is_whole(version):
    try:
        return all((version / k).read_bytes() == v for k, v in files.items())
    except FileNotFoundError:
        return False

def read():
    seen, halves = set(), []
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    while not stop:
        for name in os.listdir(base_path):
            if not name.isdigit() or name in seen:
                continue
            seen.add(name)
            whole = is_whole(base_path / name)
            # One that is gone by now was whole until it was renamed.
            if not whole and (base_path / name).exists():
                halves.append(name)
    return {"seen": len(seen), "halves": halves}

start = time.monotonic()
for _ in range(3):
    publish()
duration = (time.monotonic() - start) / 3
pipe, out = os.pipe()
reader = os.fork()
if reader == 0:
    os.write(out, json.dumps(read()).encode())
    os._exit(0)
interrupted = 0
for _ in range(100):
    begun, begin = os.pipe()
    writer = os.fork()
    if writer == 0:
        os.write(begin, b"x")
        while True:
            publish()
    os.read(begun, 1)  # on a busy machine a process may begin late
    os.close(begun)
    os.close(begin)
    time.sleep(chance.uniform(0.0, 3 * duration))
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    interrupted += any(n.startswith(".") for n in os.listdir(base_path))
publish()
time.sleep(0.1)
os.kill(reader, signal.SIGTERM)
os.waitpid(reader, 0)
print(json.dumps({
    "interrupted": interrupted,
    "left": sorted(os.listdir(base_path)),
    "whole": [is_whole(path) for path in base_path.iterdir()],
    **json.loads(os.read(pipe, 65536)),
}))
"""


def publish(base_path, version=None, keep=None, files=FILES):
    with new_version(base_path, version, keep) as (staging, published):
        for name, content in files.items():
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_bytes(content)
    return published[0]


def names(path):
    return sorted(each.name for each in path.iterdir())


def run(program, *arguments, wrapper=(), **kwargs):
    done = subprocess.run(
        [*wrapper, sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **kwargs,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def waiting(tmp_path):
    """A function that starts a process which is amid writing a version."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", WAITING, tmp_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "writing\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def memory_path():
    """A directory in memory, if there is one: a disk can take long to flush."""
    memory = pathlib.Path("/dev/shm")
    in_memory = memory.is_dir() and os.access(memory, os.W_OK)
    with tempfile.TemporaryDirectory(dir=memory if in_memory else None) as path:
        yield pathlib.Path(path)


@pytest.fixture
def open_path():
    """A directory that any user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        yield pathlib.Path(path)


def test_no_tensorflow_is_imported():
    program = (
        "import sys, kerassent.saved_model.publish; "
        "print([m for m in ('tensorflow', 'keras', 'numpy') "
        "if m in sys.modules])"
    )
    assert run(program) == "[]\n"


def test_versions_are_what_tensorflow_serving_takes_for_one(tmp_path):
    for name in (
        *("007", "7", "12", "+15", "-3", " 4 ", str(2**63 - 1)),
        *(str(2**63), "1.5", "v2", "1_000", "\u0663", "1e3", "", ".writing-1"),
    ):
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "20").write_text("a file")
    assert {n: path.name for n, path in versions(tmp_path).items()} == {
        -3: "-3",
        4: " 4 ",
        7: "7",
        12: "12",
        15: "+15",
        20: "20",
        2**63 - 1: str(2**63 - 1),
    }
    assert list(versions(tmp_path)) == sorted(versions(tmp_path))
    assert versions(tmp_path / "not there") == {}


@pytest.mark.parametrize(
    "taken, expected",
    [("007", "8"), ("+9", "10"), ("-3", "1"), ("0", "1"), (str(2**63), "1")],
)
def test_the_next_number_is_above_all_that_a_server_reads(
    tmp_path, taken, expected
):
    (tmp_path / taken).mkdir()
    assert publish(tmp_path) == tmp_path / expected


def test_a_number_that_is_taken_is_refused(tmp_path):
    (tmp_path / "007").mkdir()
    (tmp_path / "5").write_text("mine")
    for version, name in ((7, "007"), (5, "5")):
        with pytest.raises(ExportError, match=f"{name} is there already. Lea"):
            publish(tmp_path, version)
    assert names(tmp_path) == ["007", "5"]


def test_an_empty_directory_is_not_written_over(tmp_path):
    (tmp_path / "3").mkdir()
    before = (tmp_path / "3").stat().st_ino
    with pytest.raises(ExportError, match="3 is there already"):
        publish(tmp_path, 3)
    assert publish(tmp_path) == tmp_path / "4"
    assert (tmp_path / "3").stat().st_ino == before
    assert names(tmp_path / "3") == []


@pytest.mark.parametrize("content", [None, "whole"])
def test_a_number_that_is_taken_meanwhile_is_passed_over(tmp_path, content):
    with new_version(tmp_path, None) as (_, published):
        (tmp_path / "1").mkdir()
        if content:
            (tmp_path / "1" / "saved_model.pb").write_text(content)
    assert published == [tmp_path / "2"]


def test_a_number_that_was_asked_for_and_is_taken_meanwhile_is_refused(
    tmp_path,
):
    with pytest.raises(ExportError, match="6 is there already"):
        with new_version(tmp_path, 6):
            publish(tmp_path, 6)
    assert names(tmp_path) == ["6"]
    assert (tmp_path / "6" / "saved_model.pb").is_file()


def test_there_is_no_number_above_the_highest(tmp_path):
    assert publish(tmp_path, MAX_VERSION).name == "9223372036854775807"
    with pytest.raises(ExportError, match="so there is no next one. Pass a"):
        publish(tmp_path)
    assert publish(tmp_path, MAX_VERSION - 1).name == "9223372036854775806"


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o027, 0o077])
def test_modes_follow_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        with new_version(tmp_path / "new", None) as (staging, published):
            private = tempfile.mkdtemp(dir=staging)
            tempfile.NamedTemporaryFile(dir=private, delete=False).close()
            (staging / "program").touch(0o777)
    finally:
        os.umask(before)
    found = {
        (path.is_dir(), stat.S_IMODE(path.stat().st_mode))
        for path in (
            tmp_path / "new",
            published[0],
            *published[0].rglob("*"),
        )
    }
    assert found == {(True, 0o777 & ~umask), (False, 0o666 & ~umask)}


def test_the_groups_bit_of_the_base_path_is_kept(tmp_path):
    tmp_path.chmod(0o2755)
    directory = publish(tmp_path)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o2755
    assert stat.S_IMODE((directory / "variables").stat().st_mode) == 0o2755


def test_all_is_on_the_disk_before_and_after_the_rename(tmp_path, monkeypatch):
    done = []
    fsync, rename = os.fsync, os.rename

    def flushed(descriptor):
        done.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def renamed(source, target):
        done.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "rename", renamed)
    with new_version(tmp_path / "a" / "b", None) as (staging, _):
        (staging / "variables").mkdir()
        (staging / "variables" / "data").write_bytes(b"weights")
        (staging / "saved_model.pb").write_bytes(b"graph")
    base_path = tmp_path / "a" / "b"
    assert done[:2] == [str(tmp_path), str(tmp_path / "a")]
    assert done[-2:] == ["rename", str(base_path)]
    staged = [os.path.relpath(each, staging) for each in done[2:-2]]
    assert sorted(staged) == [
        ".",
        "saved_model.pb",
        "variables",
        "variables/data",
    ]
    # What a directory holds goes first.
    assert staged.index("variables/data") < staged.index("variables")
    assert staged[-1] == "."


def test_processes_at_once_get_a_number_each(tmp_path, waiting):
    first, second = waiting(), waiting()
    # Neither the start of the second nor a third sweeps what is written.
    assert publish(tmp_path).name == "1"
    assert len([n for n in names(tmp_path) if n.startswith(".")]) == 2
    for process in (first, second):
        process.stdin.write("\n")
        process.stdin.flush()
    found = {process.communicate()[0].strip() for process in (first, second)}
    assert found == {"2", "3"}
    assert names(tmp_path) == ["1", "2", "3"]


def test_what_a_killed_process_left_goes_with_the_next_export(
    tmp_path, waiting
):
    alive, killed = waiting(), waiting()
    killed.kill()
    killed.wait()
    others = [
        ".writing-00000000-0000-0000-0000-000000000000-0123456789abcdef",
        ".writing-unlocked-0123456789abcdef",
        ".writing-notes",
        ".removing-notes",
    ]
    for name in (*others, ".removing-4-0123456789abcdef"):
        (tmp_path / name / "variables").mkdir(parents=True)
    assert len(names(tmp_path)) == 7
    publish(tmp_path)
    assert len(names(tmp_path)) == 6
    alive.communicate("\n")
    assert names(tmp_path) == sorted([*others, "1", "2"])


@pytest.mark.parametrize(
    "signum, code", [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)]
)
def test_a_signal_leaves_nothing(tmp_path, waiting, signum, code):
    process = waiting()
    assert len(names(tmp_path)) == 1
    process.send_signal(signum)
    process.communicate()
    assert process.returncode == code
    assert names(tmp_path) == []


def test_handlers_of_signals_stay_as_they_were(tmp_path):
    def mine(signum, frame):
        raise NotImplementedError

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    publish(tmp_path)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signal.signal(signal.SIGTERM, mine)
    try:
        with new_version(tmp_path, None):
            assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_killed_at_any_moment_no_reader_sees_a_half(memory_path):
    sizes = {name: len(content) for name, content in FILES.items()}
    found = json.loads(run(KILLING, memory_path, json.dumps(sizes)))
    assert found["halves"] == []
    # The kills did come amid the writing, and versions were seen.
    assert found["interrupted"] > 0
    assert found["seen"] > 0
    assert len(found["left"]) == 3
    assert found["whole"] == [True] * 3


@pytest.mark.parametrize("error", [KeyError("mine"), OSError("no number")])
def test_an_error_amid_writing_is_what_is_raised(tmp_path, error):
    with pytest.raises(type(error)) as raised:
        with new_version(tmp_path / "a" / "b", None) as (staging, _):
            (staging / "variables").mkdir()
            raise error
    assert raised.value is error
    assert names(tmp_path) == []


def test_an_error_is_not_hidden_by_one_of_cleaning_up(tmp_path):
    with pytest.raises(KeyError, match="mine"):
        with new_version(tmp_path, None) as (staging, _):
            staging.rmdir()  # so that it can't be removed any more
            raise KeyError("mine")


def test_what_others_put_into_a_new_base_path_stays(tmp_path):
    base_path = tmp_path / "a" / "b"
    with pytest.raises(KeyError):
        with new_version(base_path, None):
            (base_path / "notes.txt").write_text("mine")
            raise KeyError
    assert names(base_path) == ["notes.txt"]


def test_a_full_device_is_said(tmp_path):
    with pytest.raises(
        ExportError,
        match=r"The export to .*new failed: \[Errno 28\] No space left on "
        r"device. The disk is full. Expected room for .* Nothing was publ",
    ):
        with new_version(tmp_path / "new", None) as (staging, _):
            (staging / "variables").symlink_to("/dev/full")
            (staging / "variables").write_bytes(b"weights")
    assert names(tmp_path) == []


def test_a_full_device_is_known_by_its_words_too(tmp_path):
    """TensorFlow's errors have no number."""
    with pytest.raises(ExportError, match="x; No space left on device. The d"):
        with new_version(tmp_path, None):
            raise RuntimeError("x; No space left on device")
    assert names(tmp_path) == []


def test_a_file_that_may_not_grow_is_said(tmp_path):
    program = """
import pathlib, resource, sys
from kerassent.errors import ExportError
from kerassent.saved_model.publish import new_version

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with new_version(pathlib.Path(sys.argv[1]), None) as (staging, _):
        (staging / "saved_model.pb").write_bytes(bytes(1001))
except ExportError as error:
    print(error)
"""
    assert "File too large" in (said := run(program, tmp_path))
    assert "raise the limit (`ulimit -f`)" in said
    assert names(tmp_path) == []


# In a mount namespace of its own, which some systems don't allow.
UNSHARED = ("unshare", "--user", "--map-root-user", "--mount")
ON_A_MOUNT = """
import os, pathlib, subprocess, sys
from kerassent.errors import ExportError
from kerassent.saved_model.publish import new_version

path, options = sys.argv[1:]
subprocess.run(
    ["mount", "-t", "tmpfs", "-o", options, "none", path], check=True
)
try:
    with new_version(pathlib.Path(path), None) as (staging, _):
        for number in range(9):
            (staging / str(number)).write_bytes(bytes(16384))
except ExportError as error:
    print(error)
print(os.listdir(path))
"""


def can_mount():
    try:
        return not subprocess.run(
            [*UNSHARED, "mount", "-t", "tmpfs", "none", "/mnt"],
            capture_output=True,
            check=False,
        ).returncode
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "options, said",
    [
        ("size=64k", "No space left on device. The disk is full"),
        ("ro", "The file system is read-only: choose another path"),
    ],
)
def test_a_real_file_system_that_takes_no_more(tmp_path, options, said):
    if not can_mount():
        pytest.skip("This user may not mount a file system.")
    printed = run(ON_A_MOUNT, tmp_path, options, wrapper=UNSHARED)
    assert said in printed
    assert "Nothing was published." in printed
    assert printed.splitlines()[-1] == "[]"


# As a user whom modes do bind.
AS_NOBODY = """
import logging, os, pathlib, sys
from kerassent.errors import ExportError
from kerassent.saved_model.publish import new_version, new_directory

logging.basicConfig(stream=sys.stdout, format="%(message)s")
if os.getuid() == 0:
    os.setuid(65534)
path = pathlib.Path(sys.argv[1])
"""


def test_a_directory_of_somebody_else_is_said(open_path):
    program = f"""{AS_NOBODY}
path.chmod(0o555) if os.stat(path).st_uid == os.getuid() else None
for target, write in (
    (path, lambda: new_version(path, None)),
    (path / "a" / "b", lambda: new_version(path / "a" / "b", None)),
    (path / "preset", lambda: new_directory(path / "preset")),
):
    try:
        with write():
            raise NotImplementedError
    except ExportError as error:
        print(str(error).replace(str(target), "TARGET", 1))
"""
    lines = run(program, open_path).splitlines()
    assert len(lines) == 3
    for line in lines:
        assert line.startswith("The export to TARGET failed: [Errno 13] Perm")
        assert "Expected a directory that this user may write to" in line
    assert names(open_path) == []


def test_what_cannot_be_removed_is_a_warning(open_path):
    open_path.chmod(0o777)
    program = f"""{AS_NOBODY}
locked = path / "1" / "variables"
locked.mkdir(parents=True)
(path / "1" / "saved_model.pb").touch()
(locked / "data").touch()
locked.chmod(0o500)
with new_version(path, None, keep=1) as (staging, published):
    (staging / "saved_model.pb").touch()
print(published[0].name, [n for n in os.listdir(path) if n.isdigit()])
for removing in path.glob(".removing-*"):
    (removing / "variables").chmod(0o700)
with new_version(path, None, keep=1) as (staging, published):
    (staging / "saved_model.pb").touch()
print(os.listdir(path))
"""
    warning, *rest = run(program, open_path).splitlines()
    assert "2 is published; version 1 could not be removed: [Err" in warning
    assert rest == ["2 ['2']", "['3']"]


@pytest.mark.parametrize("below", [False, True])
def test_a_file_in_the_way_is_said(tmp_path, below):
    file = tmp_path / "file"
    file.write_text("mine")
    path = file / "below" if below else file
    for write in (lambda: new_version(path, None), lambda: new_directory(path)):
        with pytest.raises(
            ExportError, match="file is (not a directory. Expected|there alr)"
        ):
            with write():
                raise NotImplementedError
    assert file.read_text() == "mine"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(
    "before, version, keep, expected",
    [
        ([], None, 1, ["1"]),
        ([1, 2, 3], None, 1, ["4"]),
        ([1, 2, 3], None, 3, ["2", "3", "4"]),
        ([1, 2], None, 5, ["1", "2", "3"]),
        ([9, 10, 11], None, 2, ["11", "12"]),
        # What was asked for just now stays.
        ([10, 11], 3, 1, ["11", "3"]),
        ([10, 11], 3, 3, ["10", "11", "3"]),
    ],
)
def test_so_many_versions_are_kept(tmp_path, before, version, keep, expected):
    for each in before:
        publish(tmp_path, each)
    publish(tmp_path, version, keep)
    assert names(tmp_path) == expected


def test_only_saved_models_are_counted_and_removed(tmp_path):
    (tmp_path / "2023").mkdir()
    (tmp_path / "2023" / "notes.txt").write_text("mine")
    (tmp_path / "2024").mkdir()
    (tmp_path / "2025").write_text("mine")
    publish(tmp_path, 1)
    publish(tmp_path, 2022)
    assert publish(tmp_path, keep=2).name == "2026"
    assert names(tmp_path) == ["2022", "2023", "2024", "2025", "2026"]


def test_of_a_link_only_the_link_is_removed(tmp_path):
    elsewhere = publish(tmp_path / "elsewhere")
    base_path = tmp_path / "base"
    base_path.mkdir()
    (base_path / "1").symlink_to(elsewhere)
    publish(base_path, keep=1)
    assert names(base_path) == ["2"]
    assert names(elsewhere) == ["assets.extra", "saved_model.pb", "variables"]


def test_a_version_is_removed_under_another_name(tmp_path, monkeypatch):
    renamed = []
    rename = os.rename

    def spy(source, target):
        renamed.append((pathlib.Path(source).name, pathlib.Path(target).name))
        rename(source, target)

    publish(tmp_path)
    monkeypatch.setattr(os, "rename", spy)
    publish(tmp_path, keep=1)
    (_, published), (removed, called) = renamed
    assert (published, removed) == ("2", "1")
    assert called.startswith(".removing-1-")


@pytest.mark.parametrize("version", [0, -1, 2**63])
def test_a_version_out_of_range_is_refused(tmp_path, version):
    with pytest.raises(ValueError, match=f"`version` must be .*: {version}$"):
        publish(tmp_path, version)
    assert names(tmp_path) == []


@pytest.mark.parametrize("keep", [0, -1, 1.5, "2"])
def test_a_wrong_keep_is_refused(tmp_path, keep):
    with pytest.raises((TypeError, ValueError), match="`keep` must be .*1 or"):
        publish(tmp_path, None, keep)
    assert names(tmp_path) == []


def test_a_directory_is_whole_or_not_there(tmp_path):
    path = tmp_path / "new" / "preset"
    with new_directory(path) as staging:
        (staging / "config.json").write_text("{}")
        assert not path.exists()
    assert names(path) == ["config.json"]
    assert names(path.parent) == ["preset"]


def test_a_directory_that_is_taken_meanwhile_is_not_written_over(tmp_path):
    path = tmp_path / "preset"
    with pytest.raises(ExportError, match="preset is there already. Choose"):
        with new_directory(path) as staging:
            (staging / "config.json").write_text("mine")
            path.mkdir()
            (path / "config.json").write_text("yours")
    assert names(tmp_path) == ["preset"]
    assert (path / "config.json").read_text() == "yours"


@pytest.mark.slow
def test_killed_exports_leave_versions_that_answer(tiny_run, tmp_path):
    """The real export, killed at random moments; each version is loaded."""
    from kerassent.saved_model.exporting import export
    from kerassent.saved_model.loading import ExportedModel

    expected = tiny_run[0].predict_proba(["a good film", ""])
    base_path = tmp_path / "models"
    # The second time is one without what TensorFlow sets up at first.
    for _ in range(2):
        start = time.monotonic()
        export(tiny_run[0], base_path)
        duration = time.monotonic() - start
    program = """
import sys
from kerassent.classifier import SentimentClassifier
from kerassent.saved_model.exporting import export

classifier = SentimentClassifier.from_preset(sys.argv[1])
print("ready", flush=True)
for _ in range(5):
    export(classifier, sys.argv[2])
"""
    chance = random.Random(0)
    interrupted = 0
    for _ in range(NUM_KILLED_EXPORTS):
        before = set(names(base_path))
        process = subprocess.Popen(
            [sys.executable, "-c", program, tiny_run[1], base_path],
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                assert process.stdout.readline() == "ready\n"
                time.sleep(chance.uniform(0.0, 4 * duration))
            finally:
                process.kill()
        new = set(names(base_path)) - before
        interrupted += any(name.startswith(".") for name in new)
    assert interrupted > NUM_KILLED_EXPORTS / 4
    export_of = versions(base_path)
    assert len(export_of) > NUM_KILLED_EXPORTS / 4
    for directory in export_of.values():
        assert ExportedModel(directory).predict_proba(
            ["a good film", ""]
        ) == pytest.approx(expected, abs=1e-5)
