"""Which versions are due to be loaded or unloaded."""

import pytest

from kerassent.server.model_config import ModelConfig
from kerassent.server.model_versions import Model, State, Version

READY, LOADING, NEW, END = (
    State.AVAILABLE,
    State.LOADING,
    State.START,
    State.END,
)


def model(aspired=None, others=None):
    """A model with versions in these states, by number."""
    made = Model(ModelConfig("m", "/m"))
    for states, wanted in ((others or {}, False), (aspired or {}, True)):
        for number, state in states.items():
            version = Version(number, f"/m/{number}")
            version.state = state
            if not wanted:
                version.drop()
            made.versions.append(version)
    return made


def numbers(versions):
    return {version.number for version in versions}


# By the names of TensorFlow Serving's own tests of its policy.
@pytest.mark.parametrize(
    ("aspired", "others", "load", "unload"),
    [
        pytest.param({2: NEW}, {}, {2}, set(), id="LoadsNewAspired"),
        pytest.param(
            {3: READY, 4: NEW}, {1: READY}, {4}, {1}, id="UnloadsNonAspired"
        ),
        pytest.param({}, {1: READY}, set(), {1}, id="UnloadsWhenNoAspired"),
        pytest.param({2: READY}, {1: END}, set(), set(), id="NoActionWhenNone"),
        pytest.param(
            {2: LOADING}, {1: READY}, set(), set(), id="OtherNotReady"
        ),
        pytest.param({2: END}, {1: READY}, set(), set(), id="OtherInError"),
        pytest.param(
            {2: READY, 3: LOADING}, {1: READY}, set(), {1}, id="EvenIfLoading"
        ),
        pytest.param(
            {2: READY, 3: END}, {1: READY}, set(), {1}, id="EvenIfError"
        ),
        pytest.param(
            {5: LOADING},
            {1: READY, 3: READY, 2: READY},
            set(),
            {1, 2},
            id="NoAspiredReady",
        ),
    ],
)
def test_availability_is_preserved(aspired, others, load, unload):
    made = model(aspired, others)
    assert numbers(made.due_to_load()) == load
    assert numbers(made.due_to_unload()) == unload


def test_nothing_begins_while_one_loads_that_nobody_wants():
    made = model({3: NEW}, {2: LOADING})
    assert made.due_to_load() == []
    made.versions[0].state = READY
    assert numbers(made.due_to_load()) == {3}


def test_path_that_changes_makes_another_version():
    made = model({1: READY})
    made.aspire({1: "/elsewhere/1"})
    old, new = made.versions
    assert (old.aspired, new.aspired) == (False, True)
    assert old.dropped.is_set()
    assert made.newest() is old
    new.state = READY
    assert made.newest() is new
    assert made.newest(1) is new
    assert made.newest(2) is None
