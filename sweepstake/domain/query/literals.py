"""Values as people write them in conditions: as in JSON, or as in Python.

The text comes from outside. So it is read by a scanner that never goes back, in time that grows with its length, and
nothing of it is ever run.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sweepstake.errors import InvalidInputError
from sweepstake.values import MAX_DEPTH, parse_json

__all__ = ["NotALiteralError", "read_literal", "read_number"]

_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("True", "true"), True),
    **dict.fromkeys(("False", "false"), False),
    **dict.fromkeys(("None", "null"), None),
}
#: What a backslash and a letter stand for in a Python string.
_ESCAPES: Final = {
    "\\": "\\",
    "'": "'",
    '"': '"',
    "/": "/",
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "b": "\b",
    "f": "\f",
    "a": "\a",
    "v": "\v",
    "0": "\0",
}
#: Letters that are followed by so many hexadecimal digits of a code point.
_CODES: Final = {"x": 2, "u": 4, "U": 8}
_CLOSING: Final = {"[": "]", "(": ")", "{": "}"}
_DELIMITERS: Final = frozenset("[](){},: \t\r\n\"'")


class NotALiteralError(ValueError):
    """The text is not a value of JSON or Python; says why."""


def read_literal(text: str) -> Any:
    """Return the value that the text stands for.

    Numbers (`3`, `.5`, `1.`, `1e-4`, `1_000`, `0x1f`, `inf`, `nan`), text in single or double quotes, True, False and
    None or true, false and null, and lists, tuples and dicts of these. A tuple becomes a list.

    Raises:
        NotALiteralError: it is none of these, such as a bare word.
    """
    try:
        return parse_json(text)
    except InvalidInputError:
        pass
    scanner = _Scanner(text)
    value = scanner.value(1)
    scanner.skip()
    if scanner.at < len(text):
        raise NotALiteralError(f"more follows at position {scanner.at}")
    return value


def read_number(word: str) -> int | float | None:
    """Return the number that `float` reads in a word, as an int where it is whole; None if it reads none.

    A number beyond all floats is none, unless it says that it is infinite.
    """
    try:
        return int(word)
    except ValueError:
        pass
    try:
        number = float(word)
    except ValueError:
        return None
    beyond = number in (float("inf"), float("-inf")) and "inf" not in word.lower()
    return None if beyond else number


class _Scanner:
    """Reads one value after another, from the left to the right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def value(self, depth: int) -> Any:
        """Read the next value."""
        self.skip()
        first = self._peek()
        if first in ("'", '"'):
            return self._string(first)
        if first in _CLOSING:
            if depth >= MAX_DEPTH:
                raise NotALiteralError(f"it nests deeper than {MAX_DEPTH} levels")
            self.at += 1
            return self._dict(depth) if first == "{" else self._list(_CLOSING[first], depth)
        return self._word()

    def skip(self) -> None:
        """Pass over white space."""
        while self._peek().isspace():
            self.at += 1

    def _peek(self) -> str:
        return self._text[self.at : self.at + 1]

    def _list(self, closing: str, depth: int) -> Any:
        items: list[Any] = []
        comma = False
        while not self._closes(closing):
            items.append(self.value(depth + 1))
            comma = self._comma(closing)
        return items[0] if closing == ")" and len(items) == 1 and not comma else items

    def _dict(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self._closes("}"):
            key = self.value(depth + 1)
            self.skip()
            if not isinstance(key, str) or self._peek() != ":":
                raise NotALiteralError(f"a key in quotes and a colon are expected before position {self.at}")
            self.at += 1
            found[key] = self.value(depth + 1)
            self._comma("}")
        return found

    def _closes(self, closing: str) -> bool:
        self.skip()
        if self._peek() == closing:
            self.at += 1
            return True
        if not self._peek():
            raise NotALiteralError(f"its {closing} is missing")
        return False

    def _comma(self, closing: str) -> bool:
        """Pass over the comma after an item, if there is one; else the end must follow."""
        self.skip()
        if self._peek() == ",":
            self.at += 1
            return True
        if self._peek() != closing:
            raise NotALiteralError(f"a comma or {closing} is expected at position {self.at}")
        return False

    def _string(self, quote: str) -> str:
        parts: list[str] = []
        self.at += 1
        begin = self.at
        while (character := self._peek()) != quote:
            if not character:
                raise NotALiteralError(f"its closing {quote} is missing")
            self.at += 1
            if character == "\\":
                parts += [self._text[begin : self.at - 1], self._escaped()]
                begin = self.at
        parts.append(self._text[begin : self.at])
        self.at += 1
        return "".join(parts)

    def _escaped(self) -> str:
        letter = self._peek()
        self.at += 1
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        digits = self._text[self.at : self.at + _CODES.get(letter, 0)]
        self.at += len(digits)
        try:
            character = chr(int(digits, 16))
        except (ValueError, OverflowError):
            raise NotALiteralError(f"a backslash before {letter!r} means nothing here; write two") from None
        if "\ud800" <= character <= "\udfff":
            raise NotALiteralError("half of a surrogate pair is no text")
        return character

    def _word(self) -> Any:
        begin = self.at
        while (character := self._peek()) and character not in _DELIMITERS:
            self.at += 1
        word = self._text[begin : self.at]
        if word in _WORDS:
            return _WORDS[word]
        number = _number(word)
        if number is None:
            raise NotALiteralError(f"{json.dumps(word)[:80]} is neither a number nor text in quotes")
        return number


def _number(word: str) -> int | float | None:
    if word[:3].lstrip("+-")[:2].lower() in ("0x", "0o", "0b"):
        try:
            return int(word, 0)
        except ValueError:
            return None
    return read_number(word)
