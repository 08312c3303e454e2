import json
from dataclasses import asdict, dataclass

import pytest

from kerassent.plain_data import from_plain


@dataclass(frozen=True)
class Part:
    name: str
    share: float | None


@dataclass(frozen=True)
class Whole:
    count: int
    right: bool
    parts: tuple[Part, ...]
    bounds: tuple[float, float]
    versions: dict[str, str | int | None]
    matrix: tuple[tuple[int, ...], ...]


WHOLE = Whole(
    count=3,
    right=True,
    parts=(Part("a", 0.5), Part("b", None)),
    bounds=(0.0, 1.0),
    versions={"one": "1", "two": 2, "none": None},
    matrix=((1, 2), ()),
)


def test_what_went_through_json_comes_back_equal():
    found = from_plain(Whole, json.loads(json.dumps(asdict(WHOLE))))
    assert found == WHOLE
    assert type(found.bounds) is tuple
    assert type(found.parts[0]) is Part
    assert type(from_plain(Part, {"name": "", "share": 1}).share) is float


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 3.5}, r"Whole\.count must be int\. Received: 3\.5"),
        ({"count": True}, r"Whole\.count must be int\. Received: True"),
        ({"right": 1}, r"Whole\.right must be bool"),
        ({"parts": {}}, r"Whole\.parts must be a list\. Received: \{\}"),
        ({"parts": [3]}, r"Whole\.parts\[0\] must be an object"),
        (
            {"parts": [{"name": "a", "share": "b"}]},
            r"Whole\.parts\[0\]\.share must be float \| None\. Received: 'b'",
        ),
        ({"bounds": [0.0]}, r"Whole\.bounds must be a list of 2"),
        ({"matrix": [[1], ["x"]]}, r"Whole\.matrix\[1\]\[0\] must be int"),
        ({"versions": []}, r"Whole\.versions must be an object"),
        ({"more": 1}, r"missing \[\], unknown \['more'\]"),
        ({"count": "x" * 100}, r"Received: 'x{55} …$"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        from_plain(Whole, asdict(WHOLE) | change)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match=r"missing \['right', 'parts', "):
        from_plain(Whole, {"count": 1})
    with pytest.raises(ValueError, match="Whole must be an object"):
        from_plain(Whole, None)
