"""`sweepstake retry`: jobs are queued again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from sweepstake.cli.looking.finding import find_jobs
from sweepstake.cli.naming import EXPERIMENT, JOB
from sweepstake.cli.output import format_option
from sweepstake.cli.queueing.many import Verb, do_to_each
from sweepstake.cli.target import Target, pass_target
from sweepstake.client import Experiment, Job
from sweepstake.domain.status import JobStatus, Outcome

__all__ = ["retry"]

_RETRY: Final = Verb(act=Job.retry, reached=JobStatus.QUEUED, doing="Retrying", done="retried", told="queued again")


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("jobs", type=JOB, nargs=-1, metavar="[JOB]...")
@click.option("--crashed", is_flag=True, help="All jobs that are CRASHED.")
@click.option("--lost", is_flag=True, help="All jobs that are CRASHED because their workers were lost.")
@format_option
@pass_target
@click.pass_context
def retry(
    context: click.Context,
    target: Target,
    experiment: str,
    jobs: Sequence[str],
    crashed: bool,
    lost: bool,
    format_: str,
) -> None:
    """Queue CRASHED or PRUNED jobs again.

    They stay the same jobs, with their attempts; their budgets begin anew.

    A job that is RUNNING without heartbeats, because Schedy's client claimed it, is queued again as well. What is DONE
    or held by a living worker is refused, and the exit code is 1 then.
    """
    if [bool(jobs), crashed, lost].count(True) != 1:
        raise click.UsageError("Name the jobs, or say --crashed or --lost.")
    found = target.experiment(experiment)
    chosen = find_jobs(found, jobs) if jobs else _crashed(found, lost=lost)
    context.exit(do_to_each(found, chosen, _RETRY, format_))


def _crashed(experiment: Experiment, *, lost: bool) -> list[Job]:
    jobs = experiment.all_jobs(status=JobStatus.CRASHED)
    return [job for job in jobs if not lost or _lost_its_lease(job)]


def _lost_its_lease(job: Job) -> bool:
    attempts = job.attempts()
    return bool(attempts) and attempts[-1].outcome is Outcome.LEASE_LOST
