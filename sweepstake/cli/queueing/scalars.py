"""Values as people write them on a command line: YAML's scalars, and lists and maps as JSON."""

from __future__ import annotations

import re
from typing import Any, Final

import click

from sweepstake.errors import InvalidInputError
from sweepstake.values import parse_json

__all__ = ["read_list", "read_value"]

#: Words of the core schema of YAML 1.2 (section 10.3.2), and the bare numbers that JSON writers know.
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "Infinity"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF", "-Infinity"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN", "NaN"), float("nan")),
}
_INT: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def read_value(text: str, what: str) -> Any:
    """Return the value that a word of the command line stands for.

    What begins with `[`, `{` or `"` is JSON. Everything else is a scalar, as the core schema of YAML 1.2 reads it:
    `3`, `.5`, `1e-4`, `true`, `null`; text in single quotes stays text, and so does every other word.

    Raises:
        click.UsageError: it begins as JSON but is not; it names `what`.
    """
    word = text.strip()
    if word.startswith(("[", "{", '"')):
        return _json(word, what)
    if len(word) > 1 and word.startswith("'") and word.endswith("'"):
        return word[1:-1].replace("''", "'")
    if word in _WORDS:
        return _WORDS[word]
    if _INT.fullmatch(word):
        sign, digits = ("-" if word.startswith("-") else ""), word.lstrip("+-").lstrip("0")
        return _json(f"{sign}{digits}" if digits else "0", what)
    if _OCTAL.fullmatch(word) or _HEXADECIMAL.fullmatch(word):
        return int(word, 0)
    return float(word) if _FLOAT.fullmatch(word) else text


def read_list(text: str, what: str) -> list[Any]:
    """Return a list: JSON in brackets, or scalars with commas between them, such as `0.1,0.2`.

    Raises:
        click.UsageError: it is neither; it names `what`.
    """
    if text.strip().startswith("["):
        found: list[Any] = _json(text, what)
        return found
    if text.strip().startswith("{"):
        raise click.UsageError(f"The value of {what} is a map, not a list; put it in brackets: [{{...}}].")
    words = text.split(",")
    if not all(word.strip() for word in words):
        raise click.UsageError(f"The values of {what} have an empty place: {text!r}; say null for no value.")
    return [read_value(word.strip(), what) for word in words]


def _json(text: str, what: str) -> Any:
    try:
        return parse_json(text)
    except InvalidInputError as error:
        raise click.UsageError(
            f"The value of {what} {error}; lists and maps are JSON, and text that begins so needs quotes: '\"text\"'."
        ) from None
