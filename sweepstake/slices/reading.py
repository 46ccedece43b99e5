"""Reading JSON."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]  # the stubs do not know it
from typing import Any, Final

from sweepstake.slices.window import SLICE, Window
from sweepstake.turns import give_way, grow_old

__all__ = ["MAX_NUMBER", "count_marks", "read_json"]

#: The longest number, in characters.
MAX_NUMBER: Final = 10_000
#: How deep a long text may nest; more than any value may.
_MAX_DEPTH: Final = 200
#: How many characters of lists and objects one call reads at once.
_RUN: Final = 8192
#: A list or object with a longer text, in characters, is large: the collector of garbage is kept from it.
_LARGE: Final = 8 * SLICE
#: Within so many characters the end of a list or object is looked for, one after the other; most are small.
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


def count_marks(text: str | bytes, marks: str) -> int:
    """Return how often any of some ASCII characters stands in a text."""
    found = 0
    for at in range(0, len(text), SLICE):
        give_way()
        if isinstance(text, str):
            found += sum(text.count(mark, at, at + SLICE) for mark in marks)
        else:
            found += sum(text.count(mark, at, at + SLICE) for mark in marks.encode())
    return found


def read_json(text: str | bytes) -> Any:
    """Return what `json.loads` returns, and raise what it raises; `lineno` and `colno` of an error say nothing.

    Raises:
        JSONDecodeError: it is not JSON.
        RecursionError: it nests too deep.
        UnicodeDecodeError: it is in no encoding of Unicode.
        ValueError: a number has too many digits.
    """
    if len(text) <= SLICE:
        return json.loads(text)
    window = Window(text)
    reader = _Reader(window)
    value, at = reader.value(_skip(window, 0), 0)
    at = _skip(window, at)
    if window.part(at, at + 1):
        raise JSONDecodeError("Extra data", "", at)
    return value


class _Reader:
    """Goes into the long lists and objects of a text by itself, and leaves short ones to C."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._part = window.part
        #: Up to here no list or object is read by one call: one that began just before was too long for that.
        self._untried = 0

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        """Return the value that begins at a place, and where it ends."""
        first = self._part(at, at + 1)
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
                value, end = _scan(self._part(at, at + size), 0)
            except (StopIteration, JSONDecodeError):
                continue  # it is longer, or malformed, which whoever goes into it will find
            return value, at + end
        self._untried = at + SLICE // 4
        return None

    def _list(self, at: int, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        at, ended = self._enter(at, "]")
        checked = turn = 0
        large = at + _LARGE
        while not ended:
            if at >= turn:
                turn = at + SLICE
                give_way()
            if at >= large:
                large = sys.maxsize
                grow_old()
            at = _skip(self._window, at)
            if at >= checked:
                found, end = self._run(at)
                at, checked = (end, 0) if found else (at, end)
                items += found
            value, at = self.value(_skip(self._window, at), depth + 1)
            items.append(value)
            at, ended = self._next(at, "]")
        return items, at

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        members: dict[str, Any] = {}
        at, ended = self._enter(at, "}")
        checked = turn = 0
        large = at + _LARGE
        while not ended:
            if at >= turn:
                turn = at + SLICE
                give_way()
            if at >= large:
                large = sys.maxsize
                grow_old()
            if at >= checked and (end := self._window.end_of(_MEMBERS, at)) > at:
                found = _whole(f"{{{self._part(at, end - 1)}}}")
                at, checked = (end, 0) if found is not None else (at, end)
                members |= found or {}
            at = _skip(self._window, at)
            if self._part(at, at + 1) != '"':
                raise JSONDecodeError("Expecting property name enclosed in double quotes", "", at)
            name, at = self._string(at + 1)
            at = _skip(self._window, at)
            if self._part(at, at + 1) != ":":
                raise JSONDecodeError("Expecting ':' delimiter", "", at)
            members[name], at = self.value(_skip(self._window, at + 1), depth + 1)
            at, ended = self._next(at, "}")
        return members, at

    def _run(self, at: int) -> tuple[list[Any], int]:
        """Return the items from a place on that are read at once, and where the next begins.

        If there are none: up to where nobody has to look for more.
        """
        if self._part(at, at + 1) not in ("[", "{"):
            end = self._window.end_of(_ITEMS, at)
            found = _whole(f"[{self._part(at, end - 1)}]") if end > at else None
            return found or [], end
        few = self._part(at, at + _RUN)
        items: list[Any] = []
        begin = 0
        try:
            while True:
                item, end = _scan(few, begin)
                end = _SPACE.match(few, end).end()  # type: ignore[union-attr]  # may be empty
                if few[end] != ",":
                    break
                items.append(item)
                begin = _SPACE.match(few, end + 1).end()  # type: ignore[union-attr]  # as above
        except (StopIteration, JSONDecodeError, IndexError):
            pass  # it goes on behind these characters, or is malformed, which whoever goes into it will find
        return items, at + (begin if items else _RUN)

    def _enter(self, at: int, end: str) -> tuple[int, bool]:
        at = _skip(self._window, at)
        return (at + 1, True) if self._part(at, at + 1) == end else (at, False)

    def _next(self, at: int, end: str) -> tuple[int, bool]:
        """Return where the next item begins, or that there is none, and where to go on."""
        at = _skip(self._window, at)
        mark = self._part(at, at + 1)
        if mark not in (",", end) or not mark:
            raise JSONDecodeError("Expecting ',' delimiter", "", at)
        return at + 1, mark == end

    def _scalar(self, at: int) -> tuple[Any, int]:
        end = self._window.end_of(_NUMBER, at, MAX_NUMBER + 1)
        if end - at > MAX_NUMBER:
            raise ValueError("a number has too many digits")
        try:
            value, read = _scan(self._part(at, end), 0)
        except StopIteration:
            raise JSONDecodeError("Expecting value", "", at) from None
        return value, at + read

    def _string(self, at: int) -> tuple[str, int]:
        """Return the text behind a quote, and where it ends."""
        end = self._window.end_of(_ONE_TEXT, at)
        if self._part(end, end + 1) == '"':
            return self._piece(at, end), end + 1
        pieces = []
        begin = at - 1
        while True:
            end = self._window.end_of(_UNITS, at)
            if end == at and self._part(end, end + 1) != '"':
                raise JSONDecodeError("Unterminated string starting at", "", begin)
            pieces.append(self._piece(at, end))
            at = end
            give_way()
            if self._part(end, end + 1) == '"':
                return "".join(pieces), end + 1

    def _piece(self, at: int, end: int) -> str:
        try:
            text: str = scanstring(self._part(at, end) + '"', 0)[0]
        except JSONDecodeError as error:
            raise JSONDecodeError(error.msg, "", at + error.pos) from None
        return text


def _whole(text: str) -> Any:
    """Return what a text of a slice says, or None if it is malformed, whose place is to be found one by one."""
    try:
        return _scan(text, 0)[0]
    except (StopIteration, JSONDecodeError):
        return None


def _skip(window: Window, at: int) -> int:
    """Return the place of the next character that is no space."""
    while True:
        end = window.end_of(_SPACE, at)
        if end < at + SLICE:
            return end
        at = end
