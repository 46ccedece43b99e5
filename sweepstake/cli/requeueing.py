"""`sweepstake retry` and `sweepstake edit`: jobs are queued again, or otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from sweepstake.cli.finding import find_jobs
from sweepstake.cli.many import Verb, do_to_each, named
from sweepstake.cli.moments import moment
from sweepstake.cli.naming import EXPERIMENT, JOB
from sweepstake.cli.output import as_json, format_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.client import Experiment, Job
from sweepstake.domain.queueing import UNCHANGED
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.plaintext import printable

__all__ = ["edit", "retry"]

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
    found = target.database().get_experiment(experiment)
    chosen = find_jobs(found, jobs) if jobs else _crashed(found, lost=lost)
    context.exit(do_to_each(found, chosen, _RETRY, format_))


def _crashed(experiment: Experiment, *, lost: bool) -> list[Job]:
    jobs = experiment.all_jobs(status=JobStatus.CRASHED)
    return [job for job in jobs if not lost or _lost_its_lease(job)]


def _lost_its_lease(job: Job) -> bool:
    attempts = job.attempts()
    return bool(attempts) and attempts[-1].outcome is Outcome.LEASE_LOST


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("jobs", type=JOB, nargs=-1, required=True, metavar="JOB...")
@click.option("--priority", type=int, help="Higher is claimed first.")
@click.option(
    "--not-before",
    metavar="WHEN",
    help="Do not claim it before: a span from now such as 1h, a date and time such as 2030-01-31T18:00 (local, unless "
    "it names a zone), a Unix time, or `now`.",
)
@click.option("--tag", "tags", multiple=True, help="A label; those given here replace all that the job has.")
@click.option("--no-tags", is_flag=True, help="Take all labels away.")
@click.option("--notes", help="Free text.")
@format_option
@pass_target
def edit(
    target: Target,
    experiment: str,
    jobs: Sequence[str],
    priority: int | None,
    not_before: str | None,
    tags: Sequence[str],
    no_tags: bool,
    notes: str | None,
    format_: str,
) -> None:
    """Change the priority, delay, tags or notes of jobs.

    Jobs of any status can be changed. One that runs goes on: its worker's results are not in danger.
    """
    if tags and no_tags:
        raise click.UsageError("--tag and --no-tags exclude each other.")
    if priority is None and not_before is None and not tags and not no_tags and notes is None:
        raise click.UsageError("Say what to change: --priority, --not-before, --tag, --no-tags or --notes.")
    instant = UNCHANGED if not_before is None else moment(not_before, "--not-before")
    found = target.database().get_experiment(experiment)
    chosen = find_jobs(found, jobs)
    for job in chosen:
        job.set_queueing(
            priority=UNCHANGED if priority is None else priority,
            not_before=instant,
            tags=tags if tags or no_tags else UNCHANGED,
            notes=UNCHANGED if notes is None else notes,
        )
    if format_ == "json":
        as_json([job.record for job in chosen])
    else:
        what = f"{len(chosen)} {'job' if len(chosen) == 1 else 'jobs'} of {experiment} changed"
        click.echo(printable(f"{what}{named([job.job_id for job in chosen])}."))
