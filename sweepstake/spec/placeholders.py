"""Placeholders such as ``{lr}`` in what a task runs, which each job of a sweep fills with its hyperparameters."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

__all__ = ["Placeholder", "escaped", "fill", "pieces", "variable_of"]

#: Braces, and a shell's ``${...}``, which is never a placeholder.
_BRACE: Final = re.compile(r"\$\{[^}]*\}?|\{\{|\{|\}")
_ENCLOSED: Final = re.compile(r"\{([^{}]+)\}")
#: What was surely meant as a placeholder, though nothing of that name is known. A shell's ``{a,b}`` and ``{1..9}``,
#: JSON and ``{}`` are not.
_NAME: Final = re.compile(r"[A-Za-z_]\w*(?:[./-]\w+)*")
_NOT_IN_VARIABLES: Final = re.compile(r"[^A-Z0-9]")


@frozen
class Placeholder:
    """Where the value of a hyperparameter goes."""

    name: str


def pieces(text: str, names: Collection[str]) -> Iterator[str | Placeholder]:
    """Yield the parts of a text: what stands there as it is, and placeholders.

    A doubled brace is a brace. Two closing braces that end two single ones, as in nested JSON, are not doubled.

    Args:
        text: an item of a command, or the value of a variable.
        names: what is known; other placeholders are yielded as well, if they look like one.
    """
    end = 0
    open_: list[str] = []
    while (brace := _BRACE.search(text, end)) is not None:
        yield text[end : brace.start()]
        mark, end = brace[0], brace.end()
        if mark == "{":
            enclosed = _ENCLOSED.match(text, brace.start())
            if enclosed and (enclosed[1] in names or _NAME.fullmatch(enclosed[1])):
                yield Placeholder(enclosed[1])
                end = enclosed.end()
                continue
            open_.append(mark)
        elif mark == "{{":
            open_.append(mark)
            mark = "{"
        elif mark == "}":
            if open_ and open_.pop() == "{":
                pass  # the end of a single one, which is text
            elif text.startswith("}", end):
                end += 1
        yield mark
    yield text[end:]


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Return a text with the values of hyperparameters in their places: texts as they are, all else as JSON.

    Raises:
        KeyError: a placeholder names none of them.
    """
    return "".join(
        piece if isinstance(piece, str) else _shown(values[piece.name]) for piece in pieces(text, values.keys())
    )


def escaped(text: str) -> str:
    """Return a text so that `fill` makes the same of it again: with its braces doubled, but for a shell's own."""
    return _BRACE.sub(lambda brace: brace[0] if brace[0][0] == "$" else brace[0] * 2, text)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def variable_of(name: str) -> str:
    """Return the environment variable in which a script finds a hyperparameter."""
    return f"SWEEPSTAKE_HP_{_NOT_IN_VARIABLES.sub('_', name.upper())}"
