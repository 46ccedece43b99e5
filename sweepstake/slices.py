"""JSON texts, read and written in slices: however long a text is, nobody else in the process waits for it.

The reader and the writer of the standard library are one call into C each, and hold Python's lock for as long as it
lasts: a fifth of a second for 8 MB. Here no such call sees more than a slice.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable
from io import StringIO
from itertools import islice
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]  # the stubs do not know it
from typing import Any, Final

from sweepstake.turns import give_way, sliced

__all__ = ["MAX_NUMBER", "SLICE", "decode_text", "read_json", "write_json"]

#: The longest text that one call into C reads or writes, in characters: about a millisecond.
SLICE: Final = 64 * 1024
#: How many members of an object or items of a list are written by one call into C.
_MEMBERS_OF_SLICE: Final = 256
#: The longest text that is written together with others.
_SHORT: Final = 1024
#: The longest number, in characters.
MAX_NUMBER: Final = 10_000
#: How deep a long text may nest; more than any value may.
_MAX_DEPTH: Final = 200
#: Slices in which the end of a list or object is looked for; most are small.
_TRIES: Final = (512, 8192, SLICE)

# The quantifiers are possessive (`++`, `*+`), so that no pattern ever looks at a character a second time.
_SPACE: Final = re.compile(r"[ \t\n\r]*+")
_NUMBER: Final = re.compile(r"[-+.0-9A-Za-z]*+")
_ONE_TEXT: Final = re.compile(r'(?:[^"\\]++|\\.)*+', re.DOTALL)
#: Whole units of a text: never half an escape, nor half a pair of escaped surrogates.
_UNITS: Final = re.compile(
    r"""(?:[^"\\]++
        |\\[^u]
        |\\u[dD][89abAB]..\\u[dD][c-fC-F]..
        |\\u(?![dD][89abAB])....
        |\\u[dD][89abAB]..(?=[^\\]|\\[^u]|\\u[^dD]|\\u[dD][^c-fC-F])
        )*+""",
    re.DOTALL | re.VERBOSE,
)
_SCALAR: Final = r'[ \t\n\r]*+(?:"[^"\\]*+"|[-+.0-9A-Za-z]++)[ \t\n\r]*+'
#: Items without lists and objects among them, and members of an object.
_ITEMS: Final = re.compile(rf"(?:{_SCALAR},)++")
_MEMBERS: Final = re.compile(rf'(?:[ \t\n\r]*+"[^"\\]*+"[ \t\n\r]*+:{_SCALAR},)++')

_scan: Final[Callable[[str, int], tuple[Any, int]]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # as above
_NUMBERS: Final = frozenset({float, int, bool, type(None)})


def decode_text(data: bytes) -> str:
    """Return JSON as text, of whichever encoding of Unicode it is.

    Raises:
        UnicodeDecodeError: it is of none.
    """
    decoder = codecs.getincrementaldecoder(json.detect_encoding(data[:4]))("surrogatepass")
    parts = []
    for at in range(0, len(data), SLICE):
        give_way()
        before = len(decoder.getstate()[0])  # bytes of a character that began in the slice before
        try:
            parts.append(decoder.decode(data[at : at + SLICE], final=at + SLICE >= len(data)))
        except UnicodeDecodeError as error:
            begin = at - before
            raise UnicodeDecodeError(
                error.encoding, data, begin + error.start, begin + error.end, error.reason
            ) from None
    return "".join(parts)


def read_json(text: str) -> Any:
    """Return what `json.loads` returns, and raise what it raises; `lineno` and `colno` of an error say nothing.

    Raises:
        JSONDecodeError: it is not JSON.
        RecursionError: it nests too deep.
        ValueError: a number has too many digits.
    """
    if len(text) <= SLICE:
        return json.loads(text)
    reader = _Reader(text)
    value, at = reader.value(_skip(text, 0), 0)
    at = _skip(text, at)
    if at < len(text):
        raise JSONDecodeError("Extra data", "", at)
    return value


class _Reader:
    """Goes into the long lists and objects of a text by itself, and leaves short ones to C."""

    def __init__(self, text: str) -> None:
        self._text = text
        #: Up to here no list or object is read by one call: one that began just before was too long for that.
        self._untried = 0

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        """Return the value that begins at a place, and where it ends."""
        first = self._text[at : at + 1]
        if first == '"':
            return self._string(at + 1)
        if first not in ("[", "{"):
            return self._scalar(at)
        if depth > _MAX_DEPTH:
            raise RecursionError
        short = self._short(at)
        if short is not None:
            return short
        return self._list(at + 1, depth) if first == "[" else self._object(at + 1, depth)

    def _short(self, at: int) -> tuple[Any, int] | None:
        """Return a list or object and its end, if that is near."""
        if at < self._untried:
            return None
        for size in _TRIES:
            try:
                value, end = _scan(self._text[at : at + size], 0)
            except (StopIteration, JSONDecodeError):
                continue  # it is longer, or malformed, which whoever goes into it will find
            return value, at + end
        self._untried = at + SLICE // 4
        return None

    def _list(self, at: int, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        at, ended = self._enter(at, "]")
        checked = turn = 0
        while not ended:
            if at >= turn:
                turn = at + SLICE
                give_way()
            run = _ITEMS.match(self._text, at, at + SLICE) if at >= checked else None
            if run is not None:
                found = _run(f"[{run[0][:-1]}]")
                at, checked = (run.end(), 0) if found is not None else (at, run.end())
                items += found or ()
            value, at = self.value(_skip(self._text, at), depth + 1)
            items.append(value)
            at, ended = self._next(at, "]")
        return items, at

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        members: dict[str, Any] = {}
        at, ended = self._enter(at, "}")
        checked = turn = 0
        while not ended:
            if at >= turn:
                turn = at + SLICE
                give_way()
            run = _MEMBERS.match(self._text, at, at + SLICE) if at >= checked else None
            if run is not None:
                found = _run(f"{{{run[0][:-1]}}}")
                at, checked = (run.end(), 0) if found is not None else (at, run.end())
                members |= found or {}
            at = _skip(self._text, at)
            if self._text[at : at + 1] != '"':
                raise JSONDecodeError("Expecting property name enclosed in double quotes", "", at)
            name, at = self._string(at + 1)
            at = _skip(self._text, at)
            if self._text[at : at + 1] != ":":
                raise JSONDecodeError("Expecting ':' delimiter", "", at)
            members[name], at = self.value(_skip(self._text, at + 1), depth + 1)
            at, ended = self._next(at, "}")
        return members, at

    def _enter(self, at: int, end: str) -> tuple[int, bool]:
        at = _skip(self._text, at)
        return (at + 1, True) if self._text[at : at + 1] == end else (at, False)

    def _next(self, at: int, end: str) -> tuple[int, bool]:
        """Return where the next item begins, or that there is none, and where to go on."""
        at = _skip(self._text, at)
        mark = self._text[at : at + 1]
        if mark not in (",", end) or not mark:
            raise JSONDecodeError("Expecting ',' delimiter", "", at)
        return at + 1, mark == end

    def _scalar(self, at: int) -> tuple[Any, int]:
        end = _NUMBER.match(self._text, at, at + MAX_NUMBER + 1).end()  # type: ignore[union-attr]  # may be empty
        if end - at > MAX_NUMBER:
            raise ValueError("a number has too many digits")
        try:
            value, read = _scan(self._text[at:end], 0)
        except StopIteration:
            raise JSONDecodeError("Expecting value", "", at) from None
        return value, at + read

    def _string(self, at: int) -> tuple[str, int]:
        """Return the text behind a quote, and where it ends."""
        end = _ONE_TEXT.match(self._text, at, at + SLICE).end()  # type: ignore[union-attr]  # as above
        if self._text[end : end + 1] == '"':
            return self._piece(at, end), end + 1
        pieces = []
        begin = at - 1
        while True:
            end = _UNITS.match(self._text, at, at + SLICE).end()  # type: ignore[union-attr]  # as above
            if end == at and self._text[end : end + 1] != '"':
                raise JSONDecodeError("Unterminated string starting at", "", begin)
            pieces.append(self._piece(at, end))
            at = end
            give_way()
            if self._text[end : end + 1] == '"':
                return "".join(pieces), end + 1

    def _piece(self, at: int, end: int) -> str:
        try:
            text: str = scanstring(self._text[at:end] + '"', 0)[0]
        except JSONDecodeError as error:
            raise JSONDecodeError(error.msg, "", at + error.pos) from None
        return text


def _run(text: str) -> Any:
    """Return what a text of a slice says, or None if it is malformed, whose place is to be found one by one."""
    try:
        return _scan(text, 0)[0]
    except (StopIteration, JSONDecodeError):
        return None


def _skip(text: str, at: int) -> int:
    """Return the place of the next character that is no space."""
    while True:
        end = _SPACE.match(text, at, at + SLICE).end()  # type: ignore[union-attr]  # it matches nothing, too
        if end < at + SLICE:
            return end
        at = end


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


def _write(value: Any, put: Callable[[str], object], encode: Callable[[Any], str], *, sort_keys: bool) -> None:
    kind = type(value)
    if kind is dict:
        members = sorted(value.items()) if sort_keys and len(value) > _MEMBERS_OF_SLICE else value.items()
        _write_members(members, put, encode, sort_keys=sort_keys)
    elif kind is list:
        _write_items(value, put, encode, sort_keys=sort_keys)
    elif kind is str and len(value) > SLICE:
        put('"')
        for at in range(0, len(value), SLICE):
            put(encode(value[at : at + SLICE])[1:-1])
            give_way()
        put('"')
    else:
        put(encode(value))


def _write_members(
    members: Iterable[tuple[str, Any]], put: Callable[[str], object], encode: Callable[[Any], str], *, sort_keys: bool
) -> None:
    mark = "{"
    rest = iter(members)
    while few := dict(islice(rest, _MEMBERS_OF_SLICE)):
        if _are_light(few) and _are_light(few.values()):
            put(mark)
            put(encode(few)[1:-1])
            mark = ","
            give_way()
            continue
        for name in sorted(few) if sort_keys else few:
            put(mark)
            _write(name, put, encode, sort_keys=sort_keys)
            put(":")
            _write(few[name], put, encode, sort_keys=sort_keys)
            mark = ","
    put("{}" if mark == "{" else "}")


def _write_items(
    items: list[Any], put: Callable[[str], object], encode: Callable[[Any], str], *, sort_keys: bool
) -> None:
    mark = "["
    for at in range(0, len(items), _MEMBERS_OF_SLICE):
        few = items[at : at + _MEMBERS_OF_SLICE]
        if _are_light(few):
            put(mark)
            put(encode(few)[1:-1])
            mark = ","
            give_way()
            continue
        for item in sliced(few):
            put(mark)
            _write(item, put, encode, sort_keys=sort_keys)
            mark = ","
    put("[]" if mark == "[" else "]")


def _are_light(values: Any) -> bool:
    """Tell whether these few values are numbers and short texts only."""
    return _NUMBERS.issuperset(map(type, values)) or all(
        type(each) in _NUMBERS or (type(each) is str and len(each) <= _SHORT) for each in values
    )
