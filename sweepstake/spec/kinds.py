"""What a field of a spec may hold: how it is read from a file, taken from Python, written, and described to editors."""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final, Generic, SupportsIndex, TypeVar, overload

from attrs import field, frozen

from sweepstake.errors import shown
from sweepstake.plaintext import with_article
from sweepstake.spec.scalars import MAX_DURATION, NULLS, memory_bytes, parse_duration
from sweepstake.spec.tree import Faults, Found, ListNode, Node, Scalar, described

__all__ = [
    "COUNT",
    "DURATION",
    "FLAG",
    "HOST_PATH",
    "ITEMS",
    "MEMORY",
    "MOUNT_PATH",
    "NUMBER",
    "START_TIMEOUT",
    "TEXT",
    "TEXTS",
    "TEXTS_OR_ONE",
    "VARIABLE",
    "FrozenList",
    "Kind",
    "choice_of",
    "list_of",
    "problems_of",
]

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

#: The longest time that replicas wait for each other.
_MAX_START: Final = 48 * 3600 * 10**9
_COUNT_LIMIT: Final = 2**53
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class FrozenList(tuple[T, ...], Generic[T]):
    """A list that cannot be changed: equal to a list or tuple of the same items, and added to as either."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Compare with a tuple, or with a list as if it were one."""
        return tuple.__eq__(self, tuple(other) if isinstance(other, list) else other)

    def __ne__(self, other: object) -> bool:
        """Compare as `==` does."""
        return not self == other

    __hash__ = tuple.__hash__

    def __add__(self, other: Iterable[Any]) -> FrozenList[T]:
        """Return the items of both."""
        return FrozenList((*self, *other))

    def __radd__(self, other: Iterable[Any]) -> FrozenList[T]:
        """Return the items of both."""
        return FrozenList((*other, *self))

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> FrozenList[T]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> T | FrozenList[T]:
        """Return an item, or some of them as such a list."""
        if isinstance(index, slice):
            return FrozenList(tuple.__getitem__(self, index))
        return tuple.__getitem__(self, index)

    def __repr__(self) -> str:
        """Return what a list would."""
        return repr(list(self))


def _same(value: Any) -> Any:
    return value


@frozen
class Kind:
    """What a field may hold.

    Attributes:
        schema: the same as JSON Schema.
        read: make a Python value of a node that is not null, or raise `Faults`.
        take: return a Python value as it is kept, or raise `ValueError` or `Faults` with what is wrong with it.
        write: return what is kept as JSON.
    """

    schema: Mapping[str, Any] = field(hash=False)
    read: Callable[[Node], Any]
    take: Callable[[Any], Any]
    write: Callable[[Any], Any] = _same


def _scalar(node: Node, wanted: str) -> Scalar:
    if type(node) is Scalar:
        return node
    raise Faults.at(node, f"must be {wanted}, not {described(node)}")


# Texts


def _read_text(node: Node) -> str:
    """Return a scalar as it was written, whatever YAML would take it for."""
    return node.text if type(node) is Scalar else _scalar(node, "a text").text


def _take_text(value: Any) -> str:
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("holds a NUL character, which no text of a spec may")
        if not value.isascii() and _SURROGATE.search(value):
            raise ValueError("holds a lone surrogate, which is not text")
        return str(value) if isinstance(value, StrEnum) else value
    if isinstance(value, bool | int | float):
        return str(value)
    raise ValueError(f"must be a text, not {_kind(value)}")


def _kind(value: object) -> str:
    return "None" if value is None else with_article(type(value).__name__)


#: In files many texts are written as numbers and truth values, which YAML's readers hand to editors as such.
_TEXT_SCHEMA: Final = {"type": ["string", "number", "boolean"]}


def _take_variable(value: Any) -> str:
    name = _take_text(value)
    if not name or "=" in name:
        raise ValueError(f"must be the name of a variable, without '=', is {name!r}")
    return name


def _take_mount_path(value: Any) -> str:
    path = _take_text(value)
    if not path.startswith("/"):
        raise ValueError(f"must be an absolute path such as '/data', is {path!r:.200}")
    return path


def _take_host_path(value: Any) -> str:
    path = _take_mount_path(value)
    if posixpath.normpath("/" + path.lstrip("/")) == "/":
        raise ValueError(f"must not be the whole file system, is {path!r}")
    return path


def _take_memory(value: Any) -> str:
    text = _take_text(value)
    memory_bytes(text)
    return text


TEXT: Final = Kind(_TEXT_SCHEMA, _read_text, _take_text)
VARIABLE: Final = Kind({**_TEXT_SCHEMA, "pattern": "^[^=]+$"}, _read_text, _take_variable)
MOUNT_PATH: Final = Kind({"type": "string", "pattern": "^/"}, _read_text, _take_mount_path)
HOST_PATH: Final = Kind({"type": "string", "pattern": "^/"}, _read_text, _take_host_path)
MEMORY: Final = Kind(
    {"type": "string", "pattern": r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*([bB]|[kKmMgGtT]([iI][bB])?)\s*$"},
    _read_text,
    _take_memory,
)


# Numbers and truth


def _read_flag(node: Node) -> bool:
    value = _scalar(node, "true or false").value
    if isinstance(value, bool):
        return value
    raise Faults.at(node, f"must be true or false, not {described(node)}")


def _take_flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"must be True or False, not {shown(value)}")


def _read_number(node: Node) -> int | float:
    value = _scalar(node, "a number").value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise Faults.at(node, f"must be a number, not {described(node)}")


def _take_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, not {_kind(value)}")
    if not math.isfinite(value):
        raise ValueError(f"must be a finite number, is {value}")
    if value < 0:
        raise ValueError(f"must not be negative, is {value}")
    return value


def _read_whole(node: Node) -> int:
    value = _scalar(node, "a whole number").value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Faults.at(node, f"must be a whole number, not {described(node)}")


def _take_count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {shown(value)}")
    if value < 0:
        raise ValueError(f"must not be negative, is {value}")
    if value > _COUNT_LIMIT:
        raise ValueError(f"must be at most {_COUNT_LIMIT:,}")
    return int(value)


FLAG: Final = Kind({"type": "boolean"}, _read_flag, _take_flag)
NUMBER: Final = Kind({"type": "number", "minimum": 0}, _read_number, _take_number)
COUNT: Final = Kind({"type": "integer", "minimum": 0}, _read_whole, _take_count)


# Durations


def _read_duration(node: Node) -> int | str:
    scalar = _scalar(node, "a duration")
    value = scalar.value
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return scalar.text


def _take_duration(value: Any) -> int:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, timedelta):
        value = value // timedelta(microseconds=1) * 1000
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be whole nanoseconds, or a text such as '10m', not {shown(value)}")
    if value < 0:
        raise ValueError(f"must not be negative, is {value}")
    if value > MAX_DURATION:
        raise ValueError(f"must be at most 292 years, is {value}")
    return int(value)


def _take_start_timeout(value: Any) -> int:
    nanoseconds = _take_duration(value)
    if not 0 < nanoseconds <= _MAX_START:
        raise ValueError(f"must be more than 0 and at most 48 hours, is {shown(value)}")
    return nanoseconds


_DURATION_SCHEMA: Final = {"type": ["integer", "string"], "minimum": 0, "pattern": r"^\s*[0-9.]"}
DURATION: Final = Kind(_DURATION_SCHEMA, _read_duration, _take_duration)
START_TIMEOUT: Final = Kind(_DURATION_SCHEMA, _read_duration, _take_start_timeout)


# Lists and choices


def list_of(kind: Kind, wanted: str = "a list", *, one: bool = False) -> Kind:
    """Return the kind of a list.

    Args:
        kind: of its items; none of them may be null.
        wanted: what it is called where it is missing.
        one: whether a single item counts as a list of it.
    """
    array: dict[str, Any] = {"type": "array", "items": kind.schema}
    return Kind(
        {"anyOf": [array, kind.schema]} if one else array,
        lambda node: _read_list(node, kind, wanted, one=one),
        lambda value: _take_list(value, kind, wanted, one=one),
        lambda items: [kind.write(item) for item in items],
    )


def _read_list(node: Node, kind: Kind, wanted: str, *, one: bool) -> list[Any]:
    if type(node) is not ListNode:
        if one and type(node) is Scalar:
            return [kind.read(node)]
        raise Faults.at(node, f"must be {wanted}, not {described(node)}")
    found: list[Found] = []
    items: list[Any] = []
    for i, item in enumerate(node.items):
        try:
            if type(item) is Scalar and item.plain and item.text in NULLS:
                hint = "; write '' for the empty text" if "string" in kind.schema.get("type", ()) else ""
                raise Faults.at(item, f"is null{hint}")
            items.append(kind.read(item))
        except Faults as faults:
            items.append(faults.partial)
            found += faults.below(i)
    if found:
        raise Faults(found, items)
    return items


def _take_list(value: Any, kind: Kind, wanted: str, *, one: bool) -> FrozenList[Any]:
    if isinstance(value, str):
        if not one:
            raise ValueError(f"must be {wanted}, not a text")
        value = [value]
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise ValueError(f"must be {wanted}, not {_kind(value)}")
    found: list[Found] = []
    items = []
    for i, item in enumerate(value):
        try:
            items.append(kind.take(item))
        except (ValueError, Faults) as error:
            found += problems_of(error, i)
    if found:
        raise Faults(found)
    return FrozenList(items)


def problems_of(error: ValueError | Faults, step: str | int) -> list[Found]:
    """Return what was wrong with a value as the faults of the place that it was meant for."""
    return error.below(step) if isinstance(error, Faults) else [Found(str(error), None, [step])]


def _read_item(node: Node) -> str | int | float:
    """Read an argument as YAML 1.1 has it: numbers are numbers, and truth values the text that was written."""
    scalar = _scalar(node, "a text or a number")
    value = scalar.value
    if type(value) is str:
        return value
    if isinstance(value, date):
        raise Faults.at(node, f"is a date in YAML; quote it to have the text {scalar.text!r}")
    return scalar.text if isinstance(value, bool) or value is None else value


def _take_item(value: Any) -> str | int | float:
    if isinstance(value, str | bool):
        return _take_text(value)
    if isinstance(value, int | float):
        return value
    raise ValueError(f"must be a text or a number, not {_kind(value)}")


_ITEM: Final = Kind({"type": ["string", "number", "boolean"]}, _read_item, _take_item)
ITEMS: Final = list_of(_ITEM, "a list of arguments")
TEXTS: Final = list_of(TEXT, "a list of texts")
TEXTS_OR_ONE: Final = list_of(TEXT, "a list of texts", one=True)


def choice_of(words: type[E]) -> Kind:
    """Return the kind of one of an enum's words."""
    known = ", ".join(words)

    def take(value: Any) -> E:
        try:
            return words(value)
        except ValueError:
            raise ValueError(f"must be one of {known}, is {shown(value)}") from None

    return Kind({"enum": [*words]}, _read_text, take, str)
