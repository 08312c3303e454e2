import logging
import os
import subprocess
import sys
import threading
import time

import pytest

from kerassent.errors import PresetError
from kerassent.presets import cache, find_preset
from kerassent.presets.directory import PRESET_FILES


def write_files(preset, text="x"):
    for name in PRESET_FILES:
        (preset / name).parent.mkdir(parents=True, exist_ok=True)
        (preset / name).write_text(text)


class Builder:
    """Builds an entry slowly and counts how often."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.calls = 0

    def __call__(self, preset, scratch):
        self.calls += 1
        write_files(preset, str(self.calls))
        (scratch / "download").write_text("large")
        time.sleep(self.seconds)


def directories(home):
    return sorted(p.name for p in (home / "presets").iterdir() if p.is_dir())


def in_threads(count, call):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(call()))
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_entry_is_built_once_and_found_again(kerassent_home):
    build = Builder()
    assert not cache.is_cached("entry")
    first = cache.cached("entry", build)
    assert first == kerassent_home / "presets" / "entry"
    assert cache.cached("entry", build) == first
    assert cache.is_cached("entry")
    assert build.calls == 1
    assert directories(kerassent_home) == ["entry"]


def test_failed_build_leaves_nothing_and_is_tried_again(kerassent_home):
    def fail(preset, scratch):
        write_files(preset)
        raise PresetError("no such weights")

    with pytest.raises(PresetError, match="no such weights"):
        cache.cached("entry", fail)
    assert directories(kerassent_home) == []
    cache.cached("entry", Builder())
    assert directories(kerassent_home) == ["entry"]


def test_threads_at_once_build_once(kerassent_home, caplog):
    build = Builder(seconds=0.5)
    with caplog.at_level(logging.INFO, "kerassent"):
        results = in_threads(4, lambda: cache.cached("entry", build))
    assert results == [kerassent_home / "presets" / "entry"] * 4
    assert build.calls == 1
    assert "Waiting for another process" in caplog.text


def test_without_locks_the_first_to_finish_wins(kerassent_home, monkeypatch):
    monkeypatch.setattr(cache, "_acquire", lambda file: False)
    build = Builder(seconds=0.5)
    results = in_threads(4, lambda: cache.cached("entry", build))
    assert results == [kerassent_home / "presets" / "entry"] * 4
    assert directories(kerassent_home) == ["entry"]


def test_remains_of_a_killed_process_are_removed(kerassent_home):
    remains = kerassent_home / "presets" / ".entry.1-abcd.partial"
    write_files(remains / "preset")
    build = Builder()
    cache.cached("entry", build)
    assert build.calls == 1
    assert directories(kerassent_home) == ["entry"]


def test_entry_that_lost_a_file_is_built_again(kerassent_home):
    build = Builder()
    entry = cache.cached("entry", build)
    (entry / "model.weights.h5").unlink()
    assert not cache.is_cached("entry")
    assert cache.cached("entry", build) == entry
    assert (entry / "model.weights.h5").read_text() == "2"
    assert directories(kerassent_home) == ["entry"]


def test_cache_that_cannot_be_written_says_which_variable(
    tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERASSENT_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(
        PresetError, match=r"home/presets' cannot be written.*KERASSENT_HOME"
    ):
        cache.cached("entry", Builder())


def test_home_is_the_users_cache_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("KERASSENT_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_dir() == tmp_path / "xdg" / "kerassent"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.cache_dir() == tmp_path / ".cache" / "kerassent"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_dir() == tmp_path / ".cache" / "kerassent"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache.cache_dir() == tmp_path / "Library" / "Caches" / "kerassent"


def test_home_in_the_users_directory_may_be_written_with_a_tilde(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERASSENT_HOME", "~/kept")
    assert cache.cache_dir() == tmp_path / "kept"


CONVERT = """
import logging, pathlib, sys, time
import keras_nlp
from kerassent.presets import find_preset

logging.basicConfig(level="ERROR")
logging.getLogger("kerassent").setLevel("INFO")
source, me, go = sys.argv[1:]
pathlib.Path(me).touch()
for _ in range(600):
    if pathlib.Path(go).exists():
        break
    time.sleep(0.1)
print(find_preset(source))
"""


def test_two_processes_at_once_convert_once(
    tmp_path, write_checkpoint, kerassent_home, repository, caplog
):
    write_checkpoint(tmp_path / "checkpoint")
    ready, go = tmp_path / "ready", tmp_path / "go"
    other = subprocess.Popen(
        [sys.executable, "-c", CONVERT, tmp_path / "checkpoint", ready, go],
        env=os.environ | {"PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not ready.exists() and other.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    go.touch()
    with caplog.at_level(logging.INFO, "kerassent"):
        found = find_preset(tmp_path / "checkpoint")
    output, talk = other.communicate(timeout=120)
    assert other.returncode == 0, talk
    assert output.strip() == str(found)
    assert directories(kerassent_home) == [found.name]
    assert (talk + caplog.text).count("Converting the checkpoint") == 1
