"""Results that cannot be recorded: taken apart from those that can, and kept in files.

What is written can be read without running anything: JSON, and arrays as `.npy` files without pickled objects.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any, Final, TypeGuard
from uuid import UUID

from attrs import frozen

from sweepstake.domain.names import file_name
from sweepstake.folders import new_file
from sweepstake.values import EMPTY, MAX_DEPTH, MAX_TEXT, JsonObject, plain

__all__ = ["Rest", "divide", "keep"]

_AS_TEXT: Final = (Decimal, Fraction, PurePath, UUID)
_MOMENTS: Final = (datetime, date, time)


@frozen
class Rest:
    """A value that cannot be recorded, and the names that lead to it."""

    path: str
    value: Any


def divide(results: Mapping[Any, Any]) -> tuple[JsonObject, list[Rest]]:
    """Take apart what can be recorded and what cannot: values that are not JSON, and the largest if all are too large.

    An object keeps those of its members that can be recorded; a list is recorded or not as a whole, and so is a dict
    whose keys are not text.
    """
    rest: list[Rest] = []
    kept = _readable(results, "", rest, 1)
    sizes = {name: len(JsonObject.of({name: value}).text) for name, value in kept.items()}
    total = sum(sizes.values())
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if total <= MAX_TEXT:
            break
        total -= sizes[name]
        rest.append(Rest(name, kept.pop(name)))
    return JsonObject.of(kept) if kept else EMPTY, rest


def keep(folder: Path, rest: Sequence[Rest]) -> list[Path]:
    """Write each value to a file of its own in an existing folder, over any file of the same name.

    Raises:
        OSError: there is no room for them, or the folder may not be written.
    """
    return [_write(folder / file_name(each.path or "results"), each.value) for each in rest]


def _readable(values: Mapping[Any, Any], path: str, rest: list[Rest], depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in dict(values).items():
        where = _join(path, name)
        with suppress(Exception):  # a value of the user's fails as it likes when it is read
            found[name] = JsonObject.of({name: value}).decode()[name]
            continue
        with suppress(Exception):  # a mapping may refuse to be read, and the name itself may be no text
            if isinstance(name, str) and _has_names(value) and depth < MAX_DEPTH:
                inner = _readable(value, where, rest, depth + 1)
                found |= JsonObject.of({name: inner}).decode() if inner else {}
                continue
        rest.append(Rest(where, value))
    return found


def _has_names(value: object) -> TypeGuard[dict[str, Any]]:
    """Tell whether a value is an object with members; a dict of numbers and others is rather a table."""
    return isinstance(value, dict) and all(isinstance(name, str) for name in dict(value))


def _join(path: str, name: object) -> str:
    text = str.__str__(name) if isinstance(name, str) else f"[{name!r}]"
    text = text.encode("utf-8", "backslashreplace").decode()
    return f"{path}.{text}" if path else text


def _write(path: Path, value: object) -> Path:
    array = _array(value)
    if array is not None:
        with suppress(ValueError):  # an array of objects, which only pickle could hold
            target = path.with_name(f"{path.name}.npy")
            with new_file(target) as file:
                sys.modules["numpy"].save(file, array, allow_pickle=False)
            return target
        target.unlink()
    target = path.with_name(f"{path.name}.json")
    with new_file(target) as file:
        file.write(json.dumps(_tree(value, 1)).encode())
    return target


def _array(value: object) -> Any:
    """Return an array of numpy's that holds what a tensor or an array of any library does, or None."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(value, "__array__") or type(value).__module__.startswith("pandas"):
        return None
    with suppress(Exception):  # somebody else's array may fail in any way
        held = value.detach().cpu() if hasattr(value, "detach") and hasattr(value, "cpu") else value
        array = numpy.asarray(held)
        return None if array.dtype.hasobject else array
    return None


def _tree(value: Any, depth: int) -> Any:
    """Return a value as JSON data; what JSON has no word for is an object with one key that begins with `$`."""
    with suppress(Exception):  # as far as it goes by itself
        return plain(value)
    try:
        return _marked(value, depth) if depth < MAX_DEPTH else {"$repr": repr(value)}
    except Exception as error:  # noqa: BLE001 -- somebody else's code says how its values are read
        return {"$unreadable": type(value).__name__, "because": type(error).__name__}


def _marked(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return _mapping(dict(value), depth)
    if isinstance(value, (list, tuple)):
        return [_tree(item, depth + 1) for item in value]
    if isinstance(value, AbstractSet):
        return {"$set": [_tree(item, depth + 1) for item in value]}
    if isinstance(value, Enum):
        return _tree(value.value, depth + 1)
    return _scalar(value) or _object(value, depth)


def _mapping(values: dict[Any, Any], depth: int) -> Any:
    if all(isinstance(name, str) and name.isprintable() for name in values):
        return {f"${name}" if name.startswith("$") else name: _tree(item, depth + 1) for name, item in values.items()}
    return {"$map": [[_tree(name, depth + 1), _tree(item, depth + 1)] for name, item in values.items()]}


def _scalar(value: Any) -> dict[str, Any] | None:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, int):
        return {"$int": hex(value)}
    if isinstance(value, complex):
        return {"$complex": [value.real, value.imag]}
    if isinstance(value, str):
        return {"$text": value.encode("utf-8", "backslashreplace").decode()}
    if isinstance(value, _MOMENTS):
        return {"$time": value.isoformat()}
    return {"$seconds": value.total_seconds()} if isinstance(value, timedelta) else None


def _object(value: Any, depth: int) -> Any:
    if isinstance(value, _AS_TEXT):
        return str(value)
    fields = {name: getattr(value, name) for name in _fields(value)}
    if fields:
        return {"$class": type(value).__name__, "fields": _mapping(fields, depth)}
    if hasattr(value, "to_dict"):
        return _tree(value.to_dict(), depth + 1)
    if hasattr(value, "tolist"):
        return _tree(value.tolist(), depth + 1)
    return {"$repr": repr(value)}


def _fields(value: object) -> Iterator[str]:
    """Yield the fields of a dataclass or attrs record."""
    yield from getattr(value, "__dataclass_fields__", ())
    yield from (attribute.name for attribute in getattr(value, "__attrs_attrs__", ()))
