"""What is asked after Ctrl-C in a command that waits: shall allocations end as well?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

import click

from sweepstake.batch.cancelling import cancel_batches, wait_ended
from sweepstake.batch.packing import backends_of
from sweepstake.batch.settling import settle
from sweepstake.cli.output import say
from sweepstake.cli.target import Target
from sweepstake.client import Experiment
from sweepstake.domain.batches.records import BatchRecord
from sweepstake.plaintext import counted

__all__ = ["INTERRUPTED", "all_of_them", "ask_to_end", "tell_running"]

#: Exit code of shells for a command that SIGINT ended.
INTERRUPTED: Final = 130


def all_of_them(record: BatchRecord) -> bool:
    """Mean every batch."""
    del record
    return True


def ask_to_end(
    target: Target, experiment: str, found: Experiment, mine: Callable[[BatchRecord], bool] = all_of_them
) -> None:
    """Ask whether the allocations shall end as well; where nobody can answer, leave them, and say how it is done.

    Args:
        target: the store.
        experiment: as somebody called it.
        found: the experiment.
        mine: tells which of its batches are meant.
    """
    up = [record for record, _ in settle(found, backends_of(found)) if mine(record)]
    if not up:
        say("No allocation is left; jobs of workers that were killed are free once their leases are over.", err=True)
        return
    them = counted(len(up), "allocation")
    if sys.stdin.isatty() and click.confirm(f"\nEnd {them} as well?"):
        cancel_batches(found, up, backends_of(found))
        say(f"{them} ended.")
        tell_running(target, experiment, wait_ended(found, up, backends_of(found)))
        return
    called = target.called(experiment)
    say(f"Not ended: {them}. `sweepstake batch cancel {called}` does that, and `batch keep` goes on.", err=True)


def tell_running(target: Target, experiment: str, running: int) -> None:
    """Say which jobs still run though their allocations were ended."""
    if running:
        jobs = counted(running, "job runs", "jobs run")
        say(f"{jobs} still; `sweepstake list {target.called(experiment)} --status RUNNING` shows by whom.", err=True)
