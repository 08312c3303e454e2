"""What `tools/check_tf_versions.py` takes for a difference."""

import base64
import importlib
import pathlib

import numpy as np
import pytest

TOOLS = pathlib.Path(__file__).parent.parent / "tools"


@pytest.fixture
def difference(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("check_tf_versions").difference


def explained(attributions, change, words=(b"a", b"b")):
    """Returns the answers to a batch of one text."""
    attributions = np.array([attributions], np.float32)
    arrays = {
        "attributions": attributions,
        "completeness_error": attributions.sum(1) - np.float32(change),
    }
    answer = {
        name: {
            "dtype": str(array.dtype),
            "shape": list(array.shape),
            "bytes": base64.b64encode(array.tobytes()).decode(),
        }
        for name, array in arrays.items()
    }
    answer["words"] = {
        "dtype": "object",
        "shape": [1, len(words)],
        "strings": [base64.b64encode(word).decode() for word in words],
    }
    return {"explain": [answer]}


@pytest.mark.parametrize(
    "theirs, differing, at_kinks",
    [
        (explained([1.0, 2.01], 3.0), 0, 0),
        (explained([1.00001, 2.01], 3.0), 0, 0),
        # Both are off by a hundredth; they may be so from each other.
        (explained([1.02, 1.99], 3.0), 0, 1),
        (explained([1.02, 2.0], 3.0), 0, 1),
        (explained([1.03, 1.98], 3.0), 1, 0),
        (explained([1.005, 2.01], 3.02), 2, 0),
        (explained([1.0, 2.01], 3.0, (b"a", b"c")), 1, 0),
        ({"explain": ["an error"]}, 0, 0),
    ],
)
def test_what_differs(difference, theirs, differing, at_kinks):
    found = difference(explained([1.0, 2.01], 3.0), theirs, 1e-4)
    assert (found["differing"], found["at_kinks"]) == (differing, at_kinks)
    assert found["errors"] == (theirs == {"explain": ["an error"]})
