"""Names and values on the command line: ``-p lr 0.1 layers 3``; values are YAML's scalars, or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import click

from sweepstake.errors import InvalidInputError
from sweepstake.values import parse_json

__all__ = ["PairsCommand", "as_values", "read_list", "read_value", "triples"]


class PairsCommand(click.Command):
    """A command whose options of two values may be given many pairs at once.

    A value may begin with a dash, such as ``-0.5``: what follows a name is its value, whatever it looks like.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Write ``-p a 1 b 2`` as ``-p a 1 -p b 2``, which click understands."""
        names = {
            name for param in self.params if isinstance(param, click.Option) and param.nargs == 2 for name in param.opts
        }
        return super().parse_args(ctx, _repeat(args, names, ctx))


def _repeat(arguments: Sequence[str], names: set[str], ctx: click.Context) -> list[str]:
    repeated: list[str] = []
    waiting = list(reversed(arguments))
    while waiting:
        argument = waiting.pop()
        repeated.append(argument)
        if argument == "--":
            return [*repeated, *reversed(waiting)]
        if argument in names:
            repeated.pop()
            pairs = _pairs(argument, waiting, ctx)
            repeated.extend(part for name, value in pairs for part in (argument, name, value))
    return repeated


def _pairs(option: str, waiting: list[str], ctx: click.Context) -> list[tuple[str, str]]:
    pairs = []
    while waiting and not waiting[-1].startswith("-"):
        name = waiting.pop()
        if not waiting:
            raise click.BadOptionUsage(option, f"Option {option!r}: {name!r} has no value; give NAME VALUE pairs.", ctx)
        pairs.append((name, waiting.pop()))
    if not pairs:
        raise click.BadOptionUsage(option, f"Option {option!r} needs NAME VALUE pairs.", ctx)
    return pairs


def as_values(pairs: Iterable[tuple[str, str]], what: str) -> dict[str, Any]:
    """Return pairs as a dict; values are read as `read_value` does.

    Raises:
        click.UsageError: a name comes twice, or a value begins as JSON and is not.
    """
    values: dict[str, Any] = {}
    for name, text in pairs:
        if name in values:
            raise click.UsageError(f"Duplicate {what}: {name}.")
        values[name] = read_value(text, f"{what} {name}")
    return values


def triples(words: Sequence[str], what: str) -> list[tuple[str, str, str]]:
    """Return words three by three, refusing a rest and a first word that comes twice."""
    if len(words) % 3:
        raise click.UsageError(f"{what} must be given three by three; {len(words)} words are not.")
    found = [(words[i], words[i + 1], words[i + 2]) for i in range(0, len(words), 3)]
    names = [name for name, _, _ in found]
    for name in names:
        if names.count(name) > 1:
            raise click.UsageError(f"Duplicate hyperparameter: {name}.")
    return found


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
