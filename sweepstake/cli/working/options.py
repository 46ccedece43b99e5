"""Options by which `sweepstake run` and `worker` are told how to run what they run."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import click
from attrs import frozen

from sweepstake.cli.moments import span
from sweepstake.cli.renamed import Renamed
from sweepstake.client.attempt.preempting import HOOK_SECONDS
from sweepstake.plaintext import printable
from sweepstake.worker.attempt import Plan
from sweepstake.worker.terminal import Terminal

__all__ = ["CommandBehindDashes", "How", "Seconds", "command_options", "concurrency_option", "max_jobs_option"]

C = TypeVar("C", bound=Callable[..., Any])


class Seconds(click.FloatRange):
    """A number of seconds that a timer can take, up to 30 years, or a span such as 90s, 20m or 12h."""

    def __init__(self, *, above_zero: bool = False) -> None:
        super().__init__(0, 10**9, min_open=above_zero)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; NaN is none."""
        seconds = span(value) if isinstance(value, str) else None
        number = float(super().convert(value if seconds is None else seconds, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return number


def command_options(command: C) -> C:
    """Add what says how a command is run for a job."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="Do not tell of each job."),
        click.option(
            "--grace",
            type=Seconds(),
            default=HOOK_SECONDS,
            show_default=True,
            help="Seconds a command has to end after SIGTERM before its whole process group is killed.",
        ),
        click.option(
            "--timeout",
            type=Seconds(above_zero=True),
            help="Seconds an attempt may run before it is ended and CRASHED; the experiment's own if that is shorter.",
        ),
        click.option("--allow-empty-results", is_flag=True, help="Let a command succeed without results."),
    ):
        command = option(command)
    return command


concurrency_option = click.option(
    "--concurrency",
    "--workers",
    cls=Renamed,
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Jobs to run side by side.",
)
max_jobs_option = click.option("--max-jobs", type=click.IntRange(1), help="End after so many jobs.")


class CommandBehindDashes(click.Command):
    """A command of ours that takes any number of arguments, and a command of the user's behind ``--``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set what stands behind ``--`` aside as `command`, and parse the rest."""
        end = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:end])
        ctx.params["command"] = tuple(args[end + 1 :])
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what the usage line names."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


@frozen(kw_only=True)
class How:
    """How what is run is run: what `command_options` say.

    Attributes:
        shown: whether the output of commands is passed through.
    """

    allow_empty_results: bool
    timeout: float | None
    grace: float
    quiet: bool
    shown: bool = True

    @property
    def tell(self) -> Callable[[str], None]:
        """What takes a line for people."""
        return _silent if self.quiet else _tell

    def plan(self, *, several: bool, allow_empty: bool = False) -> Plan:
        """Return it for a worker, of several jobs side by side, or one."""
        return Plan(
            allow_empty=self.allow_empty_results or allow_empty,
            grace=self.grace,
            timeout=self.timeout,
            terminal=Terminal({1: sys.stdout.buffer, 2: sys.stderr.buffer} if self.shown else {}, several=several),
        )


def _tell(line: str) -> None:
    with suppress(OSError, ValueError):  # when nobody reads any more, as after SIGHUP, the jobs go on in silence
        click.echo(f"[sweepstake] {printable(line)}", err=True)


def _silent(line: str) -> None:
    del line
