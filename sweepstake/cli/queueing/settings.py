"""The settings of an experiment as options: of those that make one, and of `sweepstake edit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click
from click.types import StringParamType

from sweepstake.cli.queueing.labels import new_option
from sweepstake.domain.vocabulary import LABELS

__all__ = ["SETTINGS", "settings_options"]

C = TypeVar("C", bound=Callable[..., Any])

#: The word that takes a limit away.
_NONE: Final = "none"


class _OrNone(StringParamType):
    """A value of another type, or the word `none`, which becomes an empty text: None is an option that is not given."""

    def __init__(self, kind: click.ParamType[Any]) -> None:
        self._kind = kind
        self.name = kind.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, or an empty text."""
        return "" if value in ("", _NONE) else self._kind.convert(value, param, ctx)


def _causes(_context: click.Context, _option: click.Parameter, causes: Sequence[str]) -> tuple[str | int, ...]:
    return tuple(int(cause) if cause.isdecimal() else cause for cause in causes)


#: Name, type, help, and whether it may be none.
_NUMBERS: Final[Sequence[tuple[str, click.ParamType[Any], str, bool]]] = (
    ("--lease", click.FLOAT, "Seconds a claim stays valid without a heartbeat (default 60).", False),
    ("--timeout", click.FLOAT, "Seconds one attempt may run.", True),
    ("--max-attempts", click.INT, "Failures after which a job stays CRASHED (default 1).", False),
    ("--max-lost", click.INT, "How often a job whose lease was lost is queued again (default 3).", False),
    ("--max-preemptions", click.INT, "How often a preempted job is queued again (default: always).", True),
    ("--retry-delay", click.FLOAT, "Seconds before a failed job is ready again, doubled each time.", False),
    ("--max-running", click.INT, "How many jobs may be RUNNING at once.", True),
    ("--max-jobs", click.INT, "How many jobs may ever be created; without it, a random search never ends.", True),
    ("--objective", click.STRING, "The result that says how good a job is.", True),
    (
        "--direction",
        click.Choice(["min", "max"]),
        "Whether a small or a large objective is better (default max).",
        False,
    ),
    ("--seed", click.INT, "Where the search's randomness starts.", False),
)
#: The names of all settings but those that jobs have as well.
SETTINGS: Final = (*(flag.removeprefix("--").replace("-", "_") for flag, *_ in _NUMBERS), "no_retry_on")


def settings_options(command: C, *, change: bool = False) -> C:
    """Add an option for each setting to a command.

    Args:
        command: what gets the options.
        change: the settings of an experiment that is there change: those that may be none can be `none`, which becomes
            an empty text, and what labels jobs as well is left to the command.
    """
    options = [
        click.option(
            flag,
            type=_OrNone(kind) if change and optional else kind,
            help=f"{text} Or none." if change and optional else text,
        )
        for flag, kind, text, optional in _NUMBERS
    ]
    also = " Those given replace all; none takes them away." if change else ""
    options.append(
        click.option(
            "--no-retry-on",
            multiple=True,
            callback=_causes,
            metavar="CAUSE",
            help="An exception's name or an exit code after which no job is tried again; may be given several "
            f"times.{also}",
        )
    )
    if not change:
        options += [new_option(word, "experiment") for word in LABELS]
    for option in reversed(options):
        command = option(command)
    return command
