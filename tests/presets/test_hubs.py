import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kerassent.errors import PresetError
from kerassent.presets import find_preset, hubs, list_presets
from kerassent.presets.directory import PRESET_FILES

HANDLE = "keras/distil_bert/keras/distil_bert_base_en/3"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """Sends what goes out to a port where nothing answers."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))


def put_in_kaggle_cache(handle, preset):
    from kagglehub.cache import Cache
    from kagglehub.handle import parse_model_handle

    parsed = parse_model_handle(handle)
    for name in PRESET_FILES:
        path = pathlib.Path(Cache().get_path(parsed, name))
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(preset / name, path)
        Cache().mark_as_complete(parsed, name)
    return pathlib.Path(Cache().get_path(parsed))


def test_what_kaggles_client_has_is_not_fetched(no_network, tiny_preset):
    directory = put_in_kaggle_cache(HANDLE, tiny_preset)
    assert find_preset(f"kaggle://{HANDLE}") == directory
    assert find_preset("distil_bert_base_en") == directory


def test_listed_preset_is_cached_once_it_is_whole(no_network, tiny_preset):
    directory = put_in_kaggle_cache(HANDLE, tiny_preset)
    assert [p.name for p in list_presets() if p.cached] == [
        "distil_bert_base_en"
    ]
    (directory / "model.weights.h5").unlink()
    assert not any(p.cached for p in list_presets())


@pytest.mark.parametrize(
    "name", ["distil_bert_base_en_uncased", f"kaggle://{HANDLE}"]
)
def test_kaggle_out_of_reach_says_so_and_what_else_works(no_network, name):
    start = time.monotonic()
    with pytest.raises(
        PresetError,
        match=f"preset {name!r} could not be fetched: Kaggle can't be reached "
        r"\(.*refused.*\)\. What else works: .*'minilm_l6_en_uncased'",
    ) as caught:
        find_preset(name)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - start < 30


def test_kaggle_that_never_answers_is_given_up(no_network, monkeypatch):
    monkeypatch.setattr(hubs, "_ANSWER_TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        with pytest.raises(
            PresetError, match=r"Kaggle gave no answer for 0\.5 s"
        ):
            find_preset("distil_bert_base_en")


def test_handle_that_is_none_is_refused(no_network):
    with pytest.raises(
        PresetError, match=r"Kaggle refused \(ValueError: Invalid model handle"
    ):
        find_preset("kaggle://keras/distil_bert")


FIND = """
import sys
from kerassent.errors import PresetError
from kerassent.presets import find_preset

try:
    print(find_preset(sys.argv[1]))
except PresetError as error:
    print(error)
"""


def find_in_process(name, environment, repository):
    done = subprocess.run(
        [sys.executable, "-c", FIND, name],
        env=environment | {"PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_hugging_face_out_of_reach_says_so(offline, repository):
    start = time.monotonic()
    message = find_in_process("hf://someone/tiny", offline, repository)
    assert message.startswith(
        "The preset 'hf://someone/tiny' could not be fetched: "
        "Hugging Face can't be reached ("
    )
    assert "\n" not in message
    assert time.monotonic() - start < 20


class Hub(BaseHTTPRequestHandler):
    """As much of a Hugging Face hub as its client asks for."""

    protocol_version = "HTTP/1.1"
    directory = pathlib.Path()

    def do_GET(self):
        names = sorted(p.name for p in self.directory.iterdir())
        api = "/api/models/someone/tiny"
        if self.path.startswith(f"{api}/tree/{COMMIT}"):
            files = [
                {
                    "type": "file",
                    "path": name,
                    "size": (self.directory / name).stat().st_size,
                    "oid": "0" * 40,
                }
                for name in names
            ]
            self.answer(json.dumps(files).encode())
            return
        if self.path.startswith(api):
            siblings = [{"rfilename": name} for name in names]
            info = {"id": "someone/tiny", "sha": COMMIT, "siblings": siblings}
            self.answer(json.dumps(info).encode())
            return
        prefix = f"/someone/tiny/resolve/{COMMIT}/"
        name = self.path.removeprefix(prefix)
        if not self.path.startswith(prefix) or name not in names:
            self.answer(b"{}", 404)
            return
        self.answer((self.directory / name).read_bytes())

    do_HEAD = do_GET

    def answer(self, body, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", f'"{hash(body)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(tmp_path):
    Hub.directory = tmp_path / "repository"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_checkpoint_on_hugging_face_is_fetched_and_converted(
    hub, tmp_path, write_checkpoint, repository, kerassent_home
):
    write_checkpoint(Hub.directory)
    (Hub.directory / "pytorch_model.bin").write_bytes(b"never fetched")
    environment = os.environ | {
        "HF_ENDPOINT": hub,
        "HF_HOME": str(tmp_path / "hugging-face"),
    }
    found = pathlib.Path(
        find_in_process("hf://someone/tiny", environment, repository)
    )
    assert found.parent == kerassent_home / "presets"
    # The same checkpoint in a directory is the same entry of the cache.
    assert find_preset(Hub.directory) == found
    assert not list(tmp_path.glob("hugging-face/**/pytorch_model.bin"))


def test_missing_repository_is_refused(hub, tmp_path, repository):
    Hub.directory.mkdir()
    environment = os.environ | {
        "HF_ENDPOINT": hub,
        "HF_HOME": str(tmp_path / "hugging-face"),
    }
    message = find_in_process("hf://someone/other", environment, repository)
    assert message.startswith(
        "The preset 'hf://someone/other' could not be fetched: "
        "Hugging Face refused ("
    )
