"""Options that take names and values: ``-p lr 0.1 layers 3``, as Schedy's command has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from sweepstake.cli.queueing.scalars import read_value

__all__ = ["PairsCommand", "as_values", "triples"]


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
