"""Canonical JSON values: what hyperparameters and results are made of.

The canonical text is ASCII JSON. Ints stay ints and floats round-trip to the bit.
JSON has no non-finite numbers, so they are objects of one key,
``{"$number": "NaN"}``; a real key that begins with ``$`` gains one more ``$``,
so that no value of a user's can be mistaken for one.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import math
import operator
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, Final, TypeAlias

from attrs import frozen

from sweepstake.errors import InvalidInputError, shown
from sweepstake.plaintext import with_article
from sweepstake.slices import SLICE, count_marks, let_go, read_json, write_json
from sweepstake.turns import give_way

__all__ = [
    "EMPTY",
    "MAX_CONTAINERS",
    "MAX_DEPTH",
    "MAX_INT_DIGITS",
    "MAX_TEXT",
    "JsonItem",
    "JsonObject",
    "JsonValue",
    "fingerprint",
    "parse_json",
    "plain",
    "revived",
]

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

#: How deep values may nest.
MAX_DEPTH: Final = 64
#: The largest canonical text of one object, in characters (which are bytes: it is ASCII).
MAX_TEXT: Final = 8 * 1024 * 1024
#: The most lists and objects in a text that is parsed; brackets within its strings are counted as well.
MAX_CONTAINERS: Final = 1_000_000
#: The most decimal digits of an int.
MAX_INT_DIGITS: Final = 4300

_INT_LIMIT: Final = 10**MAX_INT_DIGITS
_NUMBER_KEY: Final = "$number"
_ONLY_TEXT: Final = frozenset({str})
_PLAIN: Final = frozenset({str, float, int, bool, type(None)})
_NUMBERS: Final = frozenset({float, int, bool})
_SHORT: Final = 2000
#: How often a mapping that changes while it is read is read again.
_TRIES: Final = 10
#: How many items one call looks at.
_FEW: Final = 256
_LARGE_TEXT: Final = 1024 * 1024
_NON_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

# Canonical text has no white space to look for, around which `json.loads` spends half its time.
_decode = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # which `raw_decode` calls
_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"), check_circular=False).encode


@frozen
class JsonObject:
    """An immutable JSON object, held as its canonical text."""

    text: str

    @classmethod
    def of(cls, value: Mapping[str, Any], path: str = "", *, escaped: bool = False) -> JsonObject:
        """Take a user's mapping; numpy scalars and arrays are accepted.

        Args:
            value: the mapping.
            path: stands in front of the place that an error names.
            escaped: it comes from JSON, and ``$number`` objects and ``$$`` keys in it are encoded already.

        Raises:
            InvalidInputError: something in it is not a JSON value; the error names the place.
        """
        if type(value) is dict:
            value = value if escaped else value.copy()  # somebody may write into a user's meanwhile
        elif isinstance(value, Mapping):
            value = _as_dict(value, path)
        else:
            raise InvalidInputError.at(path, f"must be an object (a dict), not {type(value).__name__}")
        if not value:
            return EMPTY
        if (flat := _flat_text(value)) is not None:
            return cls(flat)
        return cls(_written(_normal_mapping(value, path, 1, escaped), path))

    @classmethod
    def from_wire(cls, value: Mapping[str, Any], path: str = "") -> JsonObject:
        """Take a mapping parsed from JSON in which ``$number`` objects and ``$$`` keys are already encoded."""
        return cls.of(value, path, escaped=True)

    def decode(self) -> dict[str, Any]:
        """Return a new dict of plain Python values."""
        if self.text == "{}":
            return {}
        tree = self.wire()
        return revived(tree) if '"$' in self.text else tree

    def wire(self) -> dict[str, Any]:
        """Return a new dict in which non-finite numbers and ``$`` keys stay encoded."""
        tree: dict[str, Any] = _decode(self.text, 0)[0] if len(self.text) <= SLICE else read_json(self.text)
        return tree

    def canonical(self) -> str:
        """Return the text with sorted keys: equal for equal values in any key order (1, 1.0 and true differ)."""
        tree = self.wire()
        text = write_json(tree, sort_keys=True)
        if len(self.text) > SLICE:
            let_go(tree)
        return text

    def digest(self) -> str:
        """Return the SHA-256 of `canonical()` in hexadecimal."""
        return hashlib.sha256(self.canonical().encode("ascii")).hexdigest()


#: The object that holds nothing.
EMPTY: Final = JsonObject("{}")


@frozen
class JsonItem:
    """An immutable JSON value of any kind, held as its canonical text: one member of an object."""

    text: str

    @classmethod
    def of(cls, value: object, path: str = "") -> JsonItem:
        """Take a user's value, or raise InvalidInputError naming the place."""
        return cls(_written(_normal(value, path, 1, escaped=False), path))

    @classmethod
    def from_wire(cls, value: object, path: str = "") -> JsonItem:
        """Take a value parsed from JSON in which ``$number`` objects and ``$$`` keys are already encoded."""
        return cls(_written(_normal(value, path, 1, escaped=True), path))

    def decode(self) -> Any:
        """Return a new plain Python value."""
        return revived(read_json(self.text))


def fingerprint(value: Mapping[str, Any]) -> bytes | None:
    """Return bytes that are equal only for values of the same types, bits and order; None where there are none.

    It takes a tenth of the time of canonical text, and tells whether that has to be made.
    """
    tree: Any = value
    try:
        return marshal.dumps(tree, 2)  # later versions depend on who else refers to a value
    except ValueError:
        return None


def plain(value: object, path: str = "", *, around: int = 0) -> JsonValue:
    """Return one value of a user's as plain, encoded JSON data, or raise InvalidInputError naming the place.

    Args:
        value: the value.
        path: stands in front of the place.
        around: how many of its outermost levels are ours, and do not count as nesting.
    """
    result: JsonValue = _normal(value, path, 1 - around, escaped=False)
    return result


def revived(value: Any) -> Any:
    """Return plain, encoded data as plain Python values: what `plain` does, undone."""
    if isinstance(value, list):
        return [revived(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and _NUMBER_KEY in value:
        return _NON_FINITE[value[_NUMBER_KEY]]
    return {key.removeprefix("$"): revived(item) for key, item in value.items()}


def parse_json(text: str | bytes, path: str = "") -> Any:
    """Parse JSON text; bare ``NaN`` and ``Infinity`` tokens are read as numbers.

    Raises:
        InvalidInputError: not JSON, not UTF-8, nested too deep, of too many parts, or a number of too many digits.
    """
    if len(text) > _LARGE_TEXT and count_marks(text, "[{") > MAX_CONTAINERS:
        raise InvalidInputError.at(path, f"holds more than {MAX_CONTAINERS:,} lists and objects; send less at once")
    try:
        return read_json(text)
    except UnicodeDecodeError as error:
        raise InvalidInputError.at(path, f"is not valid UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise InvalidInputError.at(path, f"is not valid JSON: {error.msg} at position {error.pos}") from None
    except RecursionError:
        raise InvalidInputError.at(path, f"nests deeper than {MAX_DEPTH} levels") from None
    except ValueError:
        raise InvalidInputError.at(path, f"holds an integer of more than {MAX_INT_DIGITS} digits") from None


def _written(tree: Any, path: str) -> str:
    """Return the text of what is normal already, if it is not too large."""
    text = write_json(tree)
    if len(text) > MAX_TEXT:
        raise InvalidInputError.at(path, f"is too large: {len(text):,} characters of JSON, at most {MAX_TEXT:,}")
    return text


def _flat_text(value: dict[Any, Any]) -> str | None:
    """Return the canonical text of a short dict of plain values, which most are; None for any other."""
    if len(value) > _FEW or not _ONLY_TEXT.issuperset(map(type, value)):
        return None
    for each in value.values():
        kind = type(each)
        if kind not in _PLAIN or (kind is str and len(each) > _SHORT) or (kind is int and each.bit_length() > _SHORT):
            return None
    try:
        text = _encode(value)
    except ValueError:  # it is not finite, or has too many digits
        return None
    # What needs a second look: `$`, and halves of surrogate pairs.
    return None if len(text) > _SHORT or '"$' in text or "\\ud" in text else text


def _normal(value: Any, path: str, depth: int, escaped: bool) -> Any:
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _text(value, path)
    if kind is float:
        return value if math.isfinite(value) else {_NUMBER_KEY: _non_finite_name(value)}
    if kind is bool or value is None:
        return value
    if kind is int:
        return _int(value, path)
    if kind is dict:
        return _normal_mapping(_own(value, escaped), path, depth + 1, escaped)
    if kind is list or kind is tuple:
        _check_depth(depth + 1, path)
        return _normal_items(_own(value, escaped), path, depth + 1, escaped)
    return _unusual(value, path, depth, escaped)


def _own(value: Any, escaped: bool) -> Any:
    """Return what nobody else writes into: for a user's value a copy, made in one step of the interpreter."""
    if escaped and type(value) is not tuple:
        return value
    return value.copy() if type(value) is dict else list(value)


def _normal_items(value: list[Any], path: str, depth: int, escaped: bool) -> list[Any]:
    """Return the items as a list: the same list if nothing in it has to change."""
    items: list[Any] | None = None
    for at in range(0, len(value), _FEW):
        if at:
            give_way()
        few = value[at : at + _FEW]
        if _are_plain_numbers(few):
            normal = few
        else:
            normal = [_normal(item, f"{path}[{i}]", depth, escaped) for i, item in enumerate(few, at)]
            if items is None and not all(map(operator.is_, few, normal)):
                items = []
                for before in range(0, at, _FEW):
                    items += value[before : before + _FEW]
        if items is not None:
            items += normal
    return value if items is None else items


def _are_plain_numbers(values: list[Any]) -> bool:
    """Tell quickly whether all are finite numbers, as in most lists, which then stay as they are."""
    try:
        return _NUMBERS.issuperset(map(type, values)) and all(map(math.isfinite, values))
    except OverflowError:  # a large int, which is to be looked at
        return False


def _unusual(value: Any, path: str, depth: int, escaped: bool) -> Any:
    """Take subclasses of the plain types, other mappings, and what numpy makes."""
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        converted = value.tolist()
        if type(converted) is not type(value):
            return _normal(converted, path, depth, escaped)
    for base in (str, bool, int, float):
        if isinstance(value, base):
            return _normal(base(value) if base is not str else str.__str__(value), path, depth, escaped)
    if isinstance(value, Mapping):
        return _normal_mapping(_as_dict(value, path), path, depth + 1, escaped)
    if isinstance(value, (list, tuple)):
        return _normal(list(value), path, depth, escaped)
    raise InvalidInputError.at(path, f"is {_kind(value)}, which JSON cannot hold; make it numbers, text or lists")


def _as_dict(value: Mapping[Any, Any], path: str) -> dict[Any, Any]:
    for _ in range(_TRIES):
        with suppress(RuntimeError, KeyError):  # as when another thread writes into it at this moment
            return dict(value)
    try:
        return dict(value)
    except Exception as error:  # somebody else's mapping may fail in any way
        raise InvalidInputError.at(path, f"is {_kind(value)} that cannot be read: {shown(error)}") from error


def _normal_mapping(value: dict[Any, Any], path: str, depth: int, escaped: bool) -> dict[str, Any]:
    _check_depth(depth, path)
    if escaped and depth > 1 and len(value) == 1:
        name = value.get(_NUMBER_KEY)
        if isinstance(name, str) and name in _NON_FINITE:
            return {_NUMBER_KEY: name}
    result: dict[str, Any] | None = None  # until something has to change
    for place, (key, item) in enumerate(value.items()):
        name = _name(key, path, escaped)
        normal = _normal(item, f"{path}.{key}" if path else key, depth, escaped)
        if result is None and not (normal is item and name == key):
            result = dict(islice(value.items(), place))
        if result is None:
            continue
        if name in result:
            raise InvalidInputError.at(path, f"holds the key {shown(name)} in two spellings; send one of them")
        result[name] = normal
    return value if result is None else result


def _name(key: Any, path: str, escaped: bool) -> str:
    """Return a key as it is encoded."""
    if not isinstance(key, str):
        raise InvalidInputError.at(path, f"has the key {shown(key)}, {_kind(key)}; keys must be text")
    name = str.__str__(key)
    if not name.isascii():
        _text(name, f"{path}.{key}" if path else key)
    return "$" + name if name.startswith("$") and not (escaped and name.startswith("$$")) else name


def _check_depth(depth: int, path: str) -> None:
    if depth > MAX_DEPTH:
        raise InvalidInputError.at(path[:200], f"nests deeper than {MAX_DEPTH} levels")


def _text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError.at(
            path.encode("ascii", "backslashreplace").decode(),
            f"holds a lone surrogate at position {error.start}, which is not text",
        ) from None
    return value


def _int(value: int, path: str) -> int:
    if -_INT_LIMIT < value < _INT_LIMIT:
        return value
    raise InvalidInputError.at(path, f"is an integer of more than {MAX_INT_DIGITS} digits")


def _non_finite_name(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _kind(value: object) -> str:
    return with_article(type(value).__name__)
