"""`sweepstake prune`: jobs that are not worth it are stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from sweepstake.cli.looking.finding import find_jobs
from sweepstake.cli.naming import EXPERIMENT, JOB
from sweepstake.cli.output import format_option
from sweepstake.cli.queueing.many import Verb, do_to_each
from sweepstake.cli.target import Target, pass_target
from sweepstake.client import Job
from sweepstake.domain.status import JobStatus

__all__ = ["prune"]

_PRUNE: Final = Verb(act=Job.prune, reached=JobStatus.PRUNED, doing="Pruning", done="pruned", told="pruned")


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("jobs", type=JOB, nargs=-1, required=True, metavar="JOB...")
@format_option
@pass_target
@click.pass_context
def prune(context: click.Context, target: Target, experiment: str, jobs: Sequence[str], format_: str) -> None:
    """Stop jobs that are not worth it.

    Those that wait never run, and workers of those that run are told to stop. What is DONE or CRASHED is refused, and
    the exit code is 1 then.
    """
    found = target.experiment(experiment)
    context.exit(do_to_each(found, find_jobs(found, jobs), _PRUNE, format_))
