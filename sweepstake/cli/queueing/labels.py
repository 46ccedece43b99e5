"""How a job stands in the queue as options: of the commands that make one, and of `sweepstake edit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from sweepstake.cli.moments import moment
from sweepstake.domain.vocabulary import QUEUEING, TAGS, Word

__all__ = ["as_queueing", "new_option", "queueing_options"]

C = TypeVar("C", bound=Callable[..., Any])


def queueing_options(command: C, *, change: bool = False) -> C:
    """Add an option for each word of a job's queueing to a command; with `change`, for jobs that are there."""
    options = []
    for word in QUEUEING:
        options.append(_option(word, word.change) if change else new_option(word, "job", word.default))
        if change and word is TAGS:
            options.append(click.option("--no-tags", is_flag=True, help="Take all labels away."))
    for option in reversed(options):
        command = option(command)
    return command


def new_option(word: Word, what: str, default: Any = None) -> Callable[[C], C]:
    """Make the option of a word for what is made by the command, such as a job."""
    shown = isinstance(default, int)
    return _option(word, word.help.format(what=what), default=default, show_default=shown)


def _option(word: Word, help_: str, **more: Any) -> Callable[[C], C]:
    several = isinstance(word.default, tuple)
    return click.option(
        word.flag,
        word.name,
        type=int if isinstance(word.default, int) else str,
        multiple=several,
        metavar="WHEN" if word.is_moment else None,
        help=help_,
        **({} if several else more),
    )


def as_queueing(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what these options say of a job's queueing, those that are given, with moments as Unix times."""
    return {
        word.name: moment(given[word.name], word.flag) if word.is_moment else given[word.name]
        for word in QUEUEING
        if given.get(word.name) is not None
    }
