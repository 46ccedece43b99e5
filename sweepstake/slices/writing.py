"""Writing JSON."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from io import StringIO
from itertools import islice
from typing import Any, Final

from sweepstake.slices.window import SLICE
from sweepstake.turns import give_way

__all__ = ["PART", "in_parts", "write_json"]

#: The size of the parts of a long text, in bytes.
PART: Final = 256 * 1024
#: The most members of an object or items of a list that are written by one call into C.
_FEW: Final = 256
#: How many names are sorted by one call.
_SORTED_AT_ONCE: Final = 4096
#: For how many characters a value counts that is no text.
_CHARACTERS: Final = 8
#: An int from here on is written by itself, because the time it takes grows with the square of its digits.
_LONG_INT: Final = 2**512
_SCALARS: Final = frozenset({float, bool, type(None)})
#: Up to so many values are looked at one by one.
_HANDFUL: Final = 16

_Encode = Callable[[Any], str]
_Put = Callable[[str], object]


def write_json(value: Any, *, sort_keys: bool = False, allow_nan: bool = False) -> str:
    """Return plain data as compact ASCII JSON.

    Raises:
        ValueError: a number is not finite, and that is not allowed.
    """
    encode = json.JSONEncoder(
        ensure_ascii=True, allow_nan=allow_nan, sort_keys=sort_keys, separators=(",", ":"), check_circular=False
    ).encode
    out = StringIO()
    _write(value, out.write, encode, sort_keys=sort_keys)
    return out.getvalue()


def in_parts(texts: Iterable[str]) -> tuple[bytes, ...]:
    """Return ASCII texts one after the other as bytes: one piece if they are short, and parts of them if not."""
    parts = []
    few: list[str] = []
    length = 0
    for text in texts:
        for at in range(0, len(text), PART):
            few.append(text[at : at + PART])
            length += len(few[-1])
            if length >= PART:
                parts.append("".join(few).encode("ascii"))
                few, length = [], 0
                give_way()
    if few:
        parts.append("".join(few).encode("ascii"))
    return tuple(parts)


def _write(value: Any, put: _Put, encode: _Encode, *, sort_keys: bool) -> None:
    kind = type(value)
    if kind is str and len(value) > SLICE:
        put('"')
        for at in range(0, len(value), SLICE):
            put(encode(value[at : at + SLICE])[1:-1])
            give_way()
        put('"')
    elif kind not in (dict, list) or _left((value,), SLICE) >= 0:
        put(encode(value))
    elif kind is dict:
        _write_members(value, put, encode, sort_keys=sort_keys)
    else:
        _write_items(value, put, encode, sort_keys=sort_keys)


def _write_members(value: dict[str, Any], put: _Put, encode: _Encode, *, sort_keys: bool) -> None:
    mark = "{"
    names = _sorted(value) if sort_keys else iter(value)
    while few := {name: value[name] for name in islice(names, _FEW)}:
        give_way()
        if _left((few,), SLICE) >= 0:
            put(mark)
            mark = ","
            put(encode(few)[1:-1])
            continue
        for name, member in few.items():
            put(mark)
            mark = ","
            _write(name, put, encode, sort_keys=sort_keys)
            put(":")
            _write(member, put, encode, sort_keys=sort_keys)
    put("}")


def _sorted(names: Iterable[str]) -> Iterator[str]:
    """Yield names in their order; to sort a million by one call takes a second."""
    rest = iter(names)
    runs = []
    while few := list(islice(rest, _SORTED_AT_ONCE)):
        few.sort()
        runs.append(few)
        give_way()
    return heapq.merge(*runs)


def _write_items(items: list[Any], put: _Put, encode: _Encode, *, sort_keys: bool) -> None:
    mark = "["
    for at in range(0, len(items), _FEW):
        give_way()
        few = items[at : at + _FEW]
        for begin, end in _portions(few):
            put(mark)
            mark = ","
            if end > begin + 1:
                put(encode(few[begin:end])[1:-1])
            else:
                _write(few[begin], put, encode, sort_keys=sort_keys)
    put("]")


def _portions(values: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Yield where runs of values begin and end that one call may write; what is too much for one is a run by itself."""
    if _left(values, SLICE) >= 0:
        yield 0, len(values)
        return
    begin, left = 0, SLICE
    for place, each in enumerate(values):
        left = _left((each,), left)
        if left >= 0:
            continue
        if place > begin:
            yield begin, place
        begin, left = place, _left((each,), SLICE)
        if left < 0:
            yield place, place + 1
            begin, left = place + 1, SLICE
    if begin < len(values):
        yield begin, len(values)


def _left(values: Collection[Any], most: int) -> int:
    """Return what is left of so many characters when these values are written; less than 0 if they are more."""
    left = most - len(values) * _CHARACTERS
    if left < 0 or (len(values) > _HANDFUL and _are_numbers(values)):
        return left
    for each in values:
        kind = type(each)
        if kind is str:
            left -= len(each)
        elif kind is int:
            if not -_LONG_INT < each < _LONG_INT:
                return -1
        elif kind is dict:
            left = _left(each.values(), left - sum(map(len, each)))
        elif kind is list:
            left = _left(each, left)
        if left < 0:
            break
    return left


def _are_numbers(values: Collection[Any]) -> bool:
    """Tell quickly whether all are numbers and none is long, as in most lists."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return bool(min(values) > -_LONG_INT and max(values) < _LONG_INT)
    return int not in kinds and kinds <= _SCALARS
