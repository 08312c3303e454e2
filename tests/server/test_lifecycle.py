"""Versions that come, fail and go, as a client sees them."""

import contextlib
import gc
import os
import shutil
import threading
import time
import weakref

import pytest
import tensorflow as tf

from kerassent.server.lifecycle import LifecycleOptions, ServedModels
from kerassent.server.model_config import ModelConfig, VersionPolicy
from kerassent.server.model_spec import ModelSpec
from kerassent.server.model_versions import State
from kerassent.server.status import Code, StatusError


class FakeServable:
    """What a loader returns; nothing here is about the model itself."""

    def __init__(self, name, version, path):
        self.name, self.version, self.path = name, version, path
        self.closed = False

    def close(self):
        self.closed = True


class Loader:
    """Loads at once, or fails as often as it is told."""

    def __init__(self):
        self.failures = {}
        self.tries = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, name, version, path):
        self.tries.append((name, version))
        self.gate.wait(20)
        if self.failures.get(version, 0):
            self.failures[version] -= 1
            raise StatusError(Code.INTERNAL, "broken")
        return FakeServable(name, version, path)


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def make_models(loader):
    with contextlib.ExitStack() as stack:

        def make(**options):
            options = {
                "poll_seconds": 0.02,
                "max_load_retries": 0,
                "load_retry_seconds": 0.02,
            } | options
            models = ServedModels(loader, LifecycleOptions(**options))
            stack.callback(models.close)
            return models

        yield make


def publish(base, *versions):
    for version in versions:
        (base / str(version)).mkdir(parents=True)


def config(base, name="m", **kwargs):
    return ModelConfig(name, str(base), **kwargs)


def states(models, name="m"):
    with contextlib.suppress(StatusError):
        return {
            status.version: status.state
            for status in models.list_versions(ModelSpec(name))
        }
    return {}


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def version_of(models, **spec):
    with models.use(ModelSpec(spec.pop("name", "m"), **spec)) as servable:
        return servable.version


def refusal(models, **spec):
    with pytest.raises(StatusError) as caught:
        version_of(models, **spec)
    return str(caught.value)


def test_newest_version_is_served_by_default(make_models, tmp_path):
    publish(tmp_path, 1, 3, 2)
    models = make_models()
    models.configure([config(tmp_path)])
    assert states(models) == {3: State.AVAILABLE}
    assert version_of(models) == 3
    assert refusal(models, version=2) == (
        "NOT_FOUND: Servable not found for request: Specific(m, 2)"
    )


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (VersionPolicy("all"), {1, 2, 3}),
        (VersionPolicy("latest", num_versions=2), {2, 3}),
        (VersionPolicy("specific", versions=(1, 3, 9)), {1, 3}),
    ],
)
def test_policy_chooses(make_models, tmp_path, policy, expected):
    publish(tmp_path, 1, 2, 3)
    models = make_models()
    models.configure([config(tmp_path, policy=policy)])
    wait_until(lambda: list(states(models).values()).count(30) == len(expected))
    assert set(states(models)) == expected
    assert version_of(models) == 3


def test_old_version_goes_when_the_new_one_is_ready(
    make_models, loader, tmp_path
):
    publish(tmp_path, 1)
    models = make_models()
    models.configure([config(tmp_path)])
    loader.gate.clear()
    publish(tmp_path, 2)
    wait_until(lambda: states(models).get(2) == State.LOADING)
    assert version_of(models) == 1
    loader.gate.set()
    wait_until(lambda: states(models)[1] == State.END)
    assert version_of(models) == 2
    assert states(models) == {2: State.AVAILABLE, 1: State.END}


def test_old_version_ends_after_its_last_request(make_models, tmp_path):
    publish(tmp_path, 1)
    models = make_models()
    models.configure([config(tmp_path)])
    with models.use(ModelSpec("m")) as first:
        publish(tmp_path, 2)
        wait_until(lambda: states(models).get(2) == State.AVAILABLE)
        assert version_of(models) == 2
        assert states(models)[1] == State.UNLOADING
        assert not first.closed
        assert "Specific(m, 1)" in refusal(models, version=1)
    wait_until(lambda: states(models)[1] == State.END)
    assert first.closed


def test_failed_version_leaves_the_old_one(make_models, loader, tmp_path):
    publish(tmp_path, 1)
    models = make_models(max_load_retries=2)
    models.configure([config(tmp_path)])
    loader.failures[2] = 99
    publish(tmp_path, 2)
    wait_until(lambda: states(models).get(2) == State.END)
    assert loader.tries.count(("m", 2)) == 3
    assert version_of(models) == 1
    (status, _) = models.list_versions(ModelSpec("m"))
    assert str(status.error) == "INTERNAL: broken"
    # It stays as it is until its directory has gone and come back.
    time.sleep(0.1)
    assert loader.tries.count(("m", 2)) == 3
    loader.failures.clear()
    (tmp_path / "2").rmdir()
    time.sleep(0.2)
    publish(tmp_path, 2)
    wait_until(lambda: states(models).get(2) == State.AVAILABLE)
    assert version_of(models) == 2


def test_broken_version_does_not_hold_up_a_later_one(
    make_models, loader, tmp_path
):
    publish(tmp_path, 1)
    models = make_models(max_load_retries=5, load_retry_seconds=60)
    models.configure([config(tmp_path)])
    loader.failures[2] = 99
    publish(tmp_path, 2)
    wait_until(lambda: ("m", 2) in loader.tries)
    publish(tmp_path, 3)
    wait_until(lambda: states(models).get(3) == State.AVAILABLE)
    wait_until(lambda: states(models)[2] == State.END)


def test_versions_that_come_faster_than_they_load_do_not_pile_up(
    make_models, loader, tmp_path
):
    publish(tmp_path, 1)
    models = make_models()
    models.configure([config(tmp_path)])

    def count(state):
        return list(states(models).values()).count(state)

    for version in range(2, 7):
        # The one before is loading, and wanted no more when it is ready.
        loader.gate.clear()
        publish(tmp_path, version)
        wait_until(lambda v=version: v in states(models))
        assert count(State.AVAILABLE) <= 2
        assert count(State.LOADING) <= 1
        publish(tmp_path, 10 * version)
        wait_until(lambda v=version: 10 * v in states(models))
        tries = len(loader.tries)
        loader.gate.set()
        wait_until(lambda n=tries: len(loader.tries) > n)
        shutil.rmtree(tmp_path / str(10 * version))
        wait_until(lambda: count(State.AVAILABLE) == 1)
        assert version_of(models) > 0
    wait_until(lambda: states(models)[6] == State.AVAILABLE)
    assert version_of(models) == 6


def test_of_superseded_versions_only_the_newest_answers(
    make_models, loader, tmp_path
):
    publish(tmp_path, 1, 2)
    models = make_models()
    models.configure([config(tmp_path, policy=VersionPolicy("all"))])
    wait_until(lambda: list(states(models).values()) == [30, 30])
    loader.gate.clear()
    publish(tmp_path, 3)
    # Only 3 is wanted now, and it is not ready: 1 need not wait for it.
    models.configure([config(tmp_path)])
    wait_until(lambda: states(models)[1] == State.END)
    assert states(models)[3] == State.LOADING
    assert version_of(models) == 2
    loader.gate.set()
    wait_until(lambda: states(models)[2] == State.END)
    assert version_of(models) == 3


def test_load_is_tried_again(make_models, loader, tmp_path):
    publish(tmp_path, 1)
    loader.failures[1] = 2
    models = make_models(max_load_retries=2)
    models.configure([config(tmp_path)])
    assert version_of(models) == 1
    assert len(loader.tries) == 3


def test_first_load_that_fails_is_told(make_models, loader, tmp_path):
    publish(tmp_path, 1)
    loader.failures[1] = 99
    with pytest.raises(StatusError) as caught:
        make_models().configure([config(tmp_path)])
    assert str(caught.value) == (
        "UNKNOWN: 1 servable(s) did not become available: {{name: m "
        "version: 1} due to error: INTERNAL: broken, }"
    )


def test_last_version_that_goes_is_unloaded(make_models, tmp_path):
    publish(tmp_path, 1)
    models = make_models()
    models.configure([config(tmp_path)])
    (tmp_path / "1").rmdir()
    wait_until(lambda: states(models) == {1: State.END})
    assert refusal(models) == (
        "NOT_FOUND: Servable not found for request: Latest(m)"
    )
    publish(tmp_path, 1)
    wait_until(lambda: states(models) == {1: State.AVAILABLE})


def test_base_path_that_goes_changes_nothing(make_models, tmp_path):
    base = tmp_path / "base"
    publish(base, 1)
    models = make_models()
    models.configure([config(base)])
    base.rename(tmp_path / "elsewhere")
    time.sleep(0.15)
    assert version_of(models) == 1


def test_versions_that_come_later_are_waited_for(make_models, tmp_path):
    base = tmp_path / "later"
    models = make_models()
    timer = threading.Timer(0.2, publish, (base, 4))
    timer.start()
    models.configure([config(base)])
    assert version_of(models) == 4
    timer.join()


def test_waiting_can_be_given_up(make_models, tmp_path):
    with pytest.raises(StatusError, match="CANCELLED: Gave up"):
        make_models().configure([config(tmp_path)], should_wait=lambda: False)


def test_poll_of_0_looks_once(make_models, tmp_path):
    publish(tmp_path, 1)
    models = make_models(poll_seconds=0)
    models.configure([config(tmp_path)])
    publish(tmp_path, 2)
    time.sleep(0.15)
    assert states(models) == {1: State.AVAILABLE}


def test_reload_serves_the_listed_models_only(make_models, tmp_path):
    for name in "ab":
        publish(tmp_path / name, 1)
    models = make_models()
    models.configure([config(tmp_path / "a", "a")])
    models.configure([config(tmp_path / "b", "b")])
    assert version_of(models, name="b") == 1
    wait_until(lambda: states(models, "a") == {1: State.END})
    assert "Latest(a)" in refusal(models, name="a")
    models.configure([config(tmp_path / "a", "a"), config(tmp_path / "b", "b")])
    wait_until(lambda: states(models, "a").get(1) == State.AVAILABLE)


def test_base_path_may_change(make_models, tmp_path):
    for name in "ab":
        publish(tmp_path / name, 1)
    models = make_models()
    models.configure([config(tmp_path / "a")])
    models.configure([config(tmp_path / "b")])

    def path():
        with models.use(ModelSpec("m")) as servable:
            return servable.path

    wait_until(lambda: path() == str(tmp_path / "b" / "1"))


def test_labels_point_to_versions(make_models, tmp_path):
    publish(tmp_path, 1, 2)
    every = VersionPolicy("all")
    models = make_models()
    assert refusal(models, label="x") == (
        "UNAVAILABLE: Model labels does not init yet.x"
    )
    models.configure([config(tmp_path, policy=every)])
    wait_until(lambda: list(states(models).values()) == [30, 30])
    models.configure(
        [config(tmp_path, policy=every, labels={"stable": 1, "canary": 2})]
    )
    assert version_of(models, label="stable") == 1
    assert version_of(models, label="canary") == 2
    assert refusal(models, label="other") == (
        "INVALID_ARGUMENT: Unrecognized servable version label: other"
    )


def test_label_of_an_unavailable_version_is_refused(make_models, tmp_path):
    publish(tmp_path, 1)
    models = make_models()
    with pytest.raises(StatusError) as caught:
        models.configure([config(tmp_path, labels={"stable": 1})])
    assert str(caught.value) == (
        "FAILED_PRECONDITION: Request to assign label to version 1 of model "
        "m, which is not currently available for inference"
    )
    assert states(models) == {}


def test_new_label_may_be_allowed_to_point_anywhere(make_models, tmp_path):
    publish(tmp_path, 1)
    models = make_models(labels_for_unavailable=True)
    models.configure([config(tmp_path, labels={"stable": 1, "next": 7})])
    assert version_of(models, label="stable") == 1
    assert "Specific(m, 7)" in refusal(models, label="next")
    # To move a label still takes a version that is there.
    with pytest.raises(StatusError, match="assign label to version 8"):
        models.configure([config(tmp_path, labels={"stable": 8})])


def test_version_that_is_renamed_is_another(make_models, tmp_path):
    publish(tmp_path, 1)
    models = make_models()
    models.configure([config(tmp_path)])
    (tmp_path / "1").rename(tmp_path / "00007")
    wait_until(lambda: states(models) == {7: State.AVAILABLE, 1: State.END})


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        pytest.param(
            [ModelConfig("a", "/a"), ModelConfig("m", "m")],
            "Expected model m to have an absolute path or URI; got "
            "base_path()=m",
            id="one relative path of two",
        ),
        pytest.param(
            [ModelConfig("m", "/a"), ModelConfig("m", "/b")],
            "Illegal to list model m multiple times in config list",
            id="same name twice",
        ),
        pytest.param(
            [ModelConfig("m", "a/b")],
            "Expected model m to have an absolute path or URI; got "
            "base_path()=a/b",
            id="relative path",
        ),
    ],
)
def test_config_is_refused(make_models, configs, message):
    with pytest.raises(StatusError) as caught:
        make_models().configure(configs)
    assert str(caught.value) == f"INVALID_ARGUMENT: {message}"


def test_ended_versions_are_not_listed_for_ever(
    make_models, tmp_path, monkeypatch
):
    monkeypatch.setattr("kerassent.server.model_versions.MAX_ENDED", 3)
    models = make_models()
    publish(tmp_path, 1)
    models.configure([config(tmp_path)])
    for version in range(2, 9):
        publish(tmp_path, version)
        wait_until(lambda v=version: states(models).get(v) == State.AVAILABLE)
        (tmp_path / str(version - 1)).rmdir()
        wait_until(lambda v=version: states(models)[v - 1] == State.END)
    assert len(states(models)) <= 5


def test_close_frees_all_even_while_loading(loader, tmp_path):
    publish(tmp_path, 1)
    models = ServedModels(
        loader,
        LifecycleOptions(poll_seconds=0.02, load_retry_seconds=60),
    )
    models.configure([config(tmp_path)])
    with models.use(ModelSpec("m")) as servable:
        pass
    loader.failures[2] = 99
    publish(tmp_path, 2)
    wait_until(lambda: ("m", 2) in loader.tries)
    start = time.monotonic()
    models.close()
    assert time.monotonic() - start < 10
    assert servable.closed


# --- With real models


class Constant(tf.Module):
    def __init__(self, value):
        super().__init__()
        self.value = tf.Variable(value)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def serve(self, x):
        return {"y": tf.zeros_like(x) + self.value}


def save_constant(base, version):
    """Publishes as it should be done: beside, then renamed."""
    module = Constant(float(version))
    staging = base / f"writing-{version}"
    tf.saved_model.save(
        module, str(staging), signatures={"serving_default": module.serve}
    )
    os.rename(staging, base / str(version))


def test_versions_change_under_load_without_a_failed_request(tmp_path):
    import requests

    from kerassent.server import serve

    save_constant(tmp_path, 1)
    failures, seen = [], set()
    stop = threading.Event()
    with serve(tmp_path, model_name="m", port=0, rest_api_port=0) as server:
        url = f"{server.rest_url}/v1/models/m:predict"

        def ask():
            with requests.Session() as session:
                while not stop.is_set():
                    response = session.post(
                        url, data='{"instances": [0.0]}', timeout=30
                    )
                    if response.ok:
                        seen.update(response.json()["predictions"])
                    else:
                        failures.append(response.text)

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        for version in (2, 3):
            save_constant(tmp_path, version)
            wait_until(lambda v=version: float(v) in seen)
        # One that is broken takes nothing away.
        (tmp_path / "4").mkdir()
        shutil.copy(tmp_path / "3" / "saved_model.pb", tmp_path / "4")
        models = server._models
        wait_until(lambda: states(models).get(4) == State.END)
        assert server.version == 3
        seen.clear()
        wait_until(lambda: 3.0 in seen)
        stop.set()
        for asker in askers:
            asker.join()
    assert failures == []


@pytest.fixture
def no_collector():
    """Python's collector runs only when it is called."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_version_that_goes_leaves_no_memory_behind(tmp_path, no_collector):
    from kerassent.server.models import LoadedModel

    class Heavy(tf.Module):
        def __init__(self):
            super().__init__()
            # A constant is in the graph, too.
            self.constant = tf.random.normal([4_000_000])
            self.variable = tf.Variable(self.constant)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def serve(self, x):
            return {"y": x + self.variable[0] + self.constant[0]}

    heavy = Heavy()
    tf.saved_model.save(
        heavy, str(tmp_path), signatures={"serving_default": heavy.serve}
    )

    def load_and_close():
        model = LoadedModel("m", 1, str(tmp_path))
        graph = weakref.ref(model._graph)
        model.close()
        assert graph() is None
        model.close()
        with pytest.raises(StatusError, match="CANCELLED: Session has been"):
            model.run({}, [])

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    if not os.path.exists("/proc/self/statm"):
        pytest.skip("reads /proc")
    load_and_close()
    before = resident()
    for _ in range(3):
        load_and_close()
    # Each has 32 MB at least.
    assert resident() - before < 30e6


def test_op_that_is_missing_fails_the_load_and_is_named(tmp_path):
    """Before any request, as this TensorFlow's import of a graph finds it."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    from kerassent.errors import ServingError
    from kerassent.server import serve

    class Lower(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
        def serve(self, text):
            return {"lower": tf.strings.lower(text)}

    lower = Lower()
    tf.saved_model.save(
        lower,
        str(tmp_path / "1"),
        signatures={"serving_default": lower.serve},
    )
    file = tmp_path / "1" / "saved_model.pb"
    saved = SavedModel.FromString(file.read_bytes())
    renamed = 0
    for function in saved.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if node.op == "StringLower":
                node.op = "NoSuchLower"
                renamed += 1
    assert renamed
    file.write_bytes(saved.SerializeToString())
    with pytest.raises(
        ServingError,
        match="NOT_FOUND: Op type not registered 'NoSuchLower' in binary",
    ):
        serve(tmp_path, model_name="m", port=0, rest_api_port=0)
