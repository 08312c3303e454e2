"""Frozen dataclasses to what JSON can hold, and back."""

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

_Made = TypeVar("_Made")


def from_plain(kind: type[_Made], data: Any) -> _Made:
    """Returns the dataclass that `dataclasses.asdict` made a dict of.

    It may have been through JSON, which makes lists of tuples. Whatever does
    not fit is an error; nothing is guessed.

    Args:
        kind: A dataclass of numbers, strings, tuples, dicts of these, optional
            ones and other such dataclasses.
        data: The dict.

    Raises:
        ValueError: It does not fit; the message says where.
    """
    made: _Made = _made(kind, data, kind.__name__)
    return made


def _made(kind: Any, data: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, data, where)
    if origin is types.UnionType or origin is typing.Union:
        if data is None and types.NoneType in arguments:
            return None
        for other in arguments:
            if other is not types.NoneType and _is_a(data, other):
                return _made(other, data, where)
        raise _misfit(where, data, str(kind))
    if origin is tuple:
        if not isinstance(data, list | tuple):
            raise _misfit(where, data, "a list")
        if arguments[-1] is Ellipsis:
            arguments = (arguments[0],) * len(data)
        if len(arguments) != len(data):
            raise _misfit(where, data, f"a list of {len(arguments)}")
        pairs = zip(arguments, data, strict=True)
        return tuple(
            _made(each, item, f"{where}[{i}]")
            for i, (each, item) in enumerate(pairs)
        )
    if origin is dict:
        if not isinstance(data, Mapping):
            raise _misfit(where, data, "an object")
        return {
            str(key): _made(arguments[1], value, f"{where}[{key!r}]")
            for key, value in data.items()
        }
    if not _is_a(data, kind):
        raise _misfit(where, data, kind.__name__)
    return float(data) if kind is float else data


def _dataclass(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, Mapping):
        raise _misfit(where, data, "an object")
    hints = typing.get_type_hints(kind)
    names = [each.name for each in fields(kind)]
    missing = [name for name in names if name not in data]
    unknown = [name for name in data if name not in names]
    if missing or unknown:
        raise ValueError(
            f"{where} is not what this version of kerassent writes: "
            f"missing {missing}, unknown {unknown}. Make it again."
        )
    return kind(
        **{
            name: _made(hints[name], data[name], f"{where}.{name}")
            for name in names
        }
    )


def _is_a(data: Any, kind: Any) -> bool:
    if kind is float:
        return isinstance(data, int | float) and not isinstance(data, bool)
    if kind is int:
        return isinstance(data, int) and not isinstance(data, bool)
    if isinstance(kind, type) and not is_dataclass(kind):
        return isinstance(data, kind)
    return isinstance(data, Mapping | list | tuple)


def _misfit(where: str, data: Any, expected: str) -> ValueError:
    shown = repr(data)
    if len(shown) > 60:
        shown = f"{shown[:56]} …"
    return ValueError(f"{where} must be {expected}. Received: {shown}")
