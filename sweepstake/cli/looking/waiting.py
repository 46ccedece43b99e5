"""`sweepstake wait`: until an experiment has ended, with a line for each change if they are asked for."""

from __future__ import annotations

import time

import click

from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.output import say
from sweepstake.cli.target import Target, pass_target
from sweepstake.client import Experiment
from sweepstake.domain.counts import Counts

__all__ = ["wait", "waited"]

#: The exit code of `timeout`, the command.
_TIMED_OUT = 124


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Give up after so many seconds.")
@click.option("--watch", is_flag=True, help="Print a line for each change.")
@pass_target
def wait(target: Target, experiment: str, timeout: float | None, watch: bool) -> int:
    """Wait for the end of an experiment.

    That is when no job of it runs, and none can begin. The exit code is 0 if all are DONE, 1 if not, and 124 if that
    was not before the timeout.
    """
    return waited(target.experiment(experiment), experiment, timeout, watch=watch)


def waited(experiment: Experiment, called: str, timeout: float | None, *, watch: bool) -> int:
    """Wait for the end of an experiment, print how it ended, and return the exit code that says it.

    Args:
        experiment: the experiment.
        called: what its user calls it.
        timeout: after so many seconds it is given up; None: never.
        watch: whether to print a line for each change.
    """
    try:
        counts = _watched(experiment, timeout) if watch else experiment.wait(timeout)
    except TimeoutError as error:
        say(f"Error: {called}: {error}", err=True)
        return _TIMED_OUT
    say(str(counts))
    return 0 if counts.done == counts.total else 1


def _watched(experiment: Experiment, timeout: float | None) -> Counts:
    """Print a line for each change of a job's status until an experiment has ended; return how."""
    for job in experiment.follow(timeout):
        say(f"{time.strftime('%H:%M:%S')} {job.job_id} {job.status}")
    return experiment.counts()
