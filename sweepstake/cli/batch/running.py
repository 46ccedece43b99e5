"""`sweepstake batch run`: batches inside an allocation that the person has."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import click

from sweepstake.batch.backends.calls import run_command
from sweepstake.batch.backends.kinds import within
from sweepstake.batch.backends.within.backend import Within
from sweepstake.batch.backends.within.held import held_here
from sweepstake.batch.cancelling import cancel_batches
from sweepstake.batch.keeping import Keeper
from sweepstake.batch.keeping import keep as keep_up
from sweepstake.batch.running import Idleness, backends_within, inside
from sweepstake.batch.settling import settle
from sweepstake.cli.batch.planning import check_search, planning_options, search_option, wishes_of
from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.output import say
from sweepstake.cli.target import Target, pass_target
from sweepstake.client import Experiment
from sweepstake.plaintext import counted
from sweepstake.view.times import spanning

__all__ = ["run"]

_ENDED_BY: Final = (signal.SIGTERM, signal.SIGHUP)


class _Ended(BaseException):
    """A signal wants the end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@planning_options
@search_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND]")
@pass_target
@click.pass_context
def run(context: click.Context, target: Target, /, experiment: str, command: Sequence[str], **settings: Any) -> None:
    """Run the queued jobs of EXPERIMENT on nodes that you have.

    Inside an allocation of salloc, flux alloc or qsub -I, they are packed as `batch plan` shows, for what it has and
    for no longer than is left of it. Each batch runs on nodes of its own, and the next begins as soon as some are free.
    It ends when nothing waits that could still run here; the allocation is left.

    \b
    Exit code:
      0      it ended as it was told, whatever became of the jobs
      128+n  signal n ended it; Ctrl-C asks before
      1      jobs are left that could not be begun, or an error of its own
      2      wrong usage
    """
    held = held_here(os.environ, run_command)
    here = within(held, target.config().environment())
    found = target.experiment(experiment)
    check_search(found, settings["jobs"])
    end = "" if held.left is None else f" for {spanning(held.left)} more"
    has = f"{counted(len(held.nodes), 'node')} of {held.cpus} cpus and {held.gpus} gpus"
    say(f"The allocation {held.jobid} of {held.scheduler} has {has}{end}.")
    keeper = inside(found, wishes_of({**settings, "backend": here.name, "time_limit": None}, command), here, say)
    code = _kept(keeper, here, found)
    if here.is_over():
        say(f"The allocation {held.jobid} is over.", err=True)
    for each in keeper.left_out:
        say(f"{each}.", err=True)
    context.exit(code if code is not None else 1 if keeper.given_up else 0)


def _kept(keeper: Keeper, here: Within, experiment: Experiment) -> int | None:
    """Run what can be run; return the exit code of shells for the signal that ended it, if one did."""
    enough, asked = Idleness(here), False
    with _signals():
        while True:
            try:
                if asked and _is_to_end(here):
                    number: int = signal.SIGINT
                    break
                if asked:
                    asked = False
                    say("Going on.")
                keep_up(keeper, here.wait, enough)
            except KeyboardInterrupt:
                asked = True
            except _Ended as ended:
                number = ended.number
                break
            else:
                return None
        _end(here, experiment)
        return 128 + number


def _is_to_end(here: Within) -> bool:
    """Ask what a Ctrl-C means; where nobody can answer, or presses it once more, it means the end."""
    if not here.is_busy() or not sys.stdin.isatty():
        return True
    try:
        return click.confirm("\nEnd what runs here, and give its jobs back?", default=True)
    except click.Abort:
        return True


def _end(here: Within, experiment: Experiment) -> None:
    told = settle(experiment, backends_within(experiment, here))
    mine = [each for each, _ in told if each.backend == here.name and here.is_mine(each.jobid)]
    if mine:
        cancel_batches(experiment, mine, lambda _: here, "ended by a person")
    say(f"{counted(len(mine), 'batch', 'batches')} ended.", err=True)


@contextmanager
def _signals() -> Iterator[None]:
    """Let signals that want the end be heard as Ctrl-C is."""

    def hear(number: int, _frame: FrameType | None) -> None:
        raise _Ended(number)

    before = {number: signal.signal(number, hear) for number in _ENDED_BY}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
