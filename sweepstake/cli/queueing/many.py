"""`sweepstake retry` and `sweepstake prune`: one thing is done to many jobs, and what became of each is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import click
from attrs import frozen

from sweepstake.cli.naming import EXPERIMENT, JOB, find_jobs
from sweepstake.cli.output import as_json, format_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.client import Experiment, Job
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import UnsafeUpdateError
from sweepstake.plaintext import counted, printable
from sweepstake.view.progress import watched

__all__ = ["named", "prune", "retry"]

#: Up to so many jobs are named when something was done to them.
_FEW: Final = 10
#: From so many jobs on, a progress bar is shown to whoever watches.
_MANY: Final = 100


@frozen
class _Verb:
    """What is done to a job.

    Attributes:
        act: does it; it raises UnsafeUpdateError where the job does not allow it.
        reached: the status of a job to which nothing has to be done.
        doing: for people, as in "Retrying".
        done: for programs, as in "retried".
        told: what became of a job, for people, as in "queued again".
    """

    act: Callable[[Job], None]
    reached: JobStatus
    doing: str
    done: str
    told: str


_RETRY: Final = _Verb(act=Job.retry, reached=JobStatus.QUEUED, doing="Retrying", done="retried", told="queued again")
_PRUNE: Final = _Verb(act=Job.prune, reached=JobStatus.PRUNED, doing="Pruning", done="pruned", told="pruned")


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("jobs", type=JOB, nargs=-1, metavar="[JOB]...")
@click.option("--crashed", is_flag=True, help="All jobs that are CRASHED.")
@click.option("--lost", is_flag=True, help="All jobs that are CRASHED because their workers were lost.")
@click.option(
    "--pruned", is_flag=True, help="All jobs that are PRUNED, be it that they were stopped; also beside --crashed."
)
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
    pruned: bool,
    format_: str,
) -> None:
    """Queue CRASHED or PRUNED jobs again.

    They stay the same jobs, with their attempts; their budgets begin anew.

    A job that is RUNNING without heartbeats, because Schedy's client claimed it, is queued again as well. What is DONE
    or held by a living worker is refused, and the exit code is 1 then.
    """
    if (crashed and lost) or bool(jobs) is (crashed or lost or pruned):
        raise click.UsageError("Name the jobs, or say --crashed or --lost, or --pruned.")
    found = target.experiment(experiment)
    chosen = find_jobs(found, jobs)
    if crashed or lost:
        chosen = _crashed(found, lost=lost)
    if pruned:  # after those for which they may wait
        chosen += found.all_jobs(status=JobStatus.PRUNED)
    context.exit(_do_to_each(found, chosen, _RETRY, format_))


def _crashed(experiment: Experiment, *, lost: bool) -> list[Job]:
    jobs = experiment.all_jobs(status=JobStatus.CRASHED)
    return [job for job in jobs if not lost or _lost_its_lease(job)]


def _lost_its_lease(job: Job) -> bool:
    attempts = job.attempts()
    return bool(attempts) and attempts[-1].outcome is Outcome.LEASE_LOST


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
    context.exit(_do_to_each(found, find_jobs(found, jobs), _PRUNE, format_))


def _do_to_each(experiment: Experiment, jobs: Sequence[Job], verb: _Verb, format_: str) -> int:
    """Do it to each job, say what became of them, and return the exit code: 1 if one was refused."""
    done: list[str] = []
    unchanged: list[str] = []
    refused: dict[str, str] = {}
    with watched(verb.doing, len(jobs), least=_MANY) as advance:
        for job in jobs:
            if job.status == verb.reached:
                unchanged.append(job.job_id)
            else:
                try:
                    verb.act(job)
                except UnsafeUpdateError as error:
                    refused[job.job_id] = str(error)
                else:
                    done.append(job.job_id)
            advance(1)
    if format_ == "json":
        as_json({verb.done: done, "unchanged": unchanged, "refused": refused})
    else:
        click.echo(printable(f"{counted(len(done), 'job')} of {experiment.name} {verb.told}{named(done)}."))
        for job_id in unchanged:
            click.echo(printable(f"{job_id} is {verb.reached} already."))
        for message in refused.values():
            click.echo(f"Refused: {printable(message)}", err=True)
    return 1 if refused else 0


def named(ids: Sequence[str]) -> str:
    """Return what follows a count of jobs to say which they are; nothing if they are too many to read."""
    return f": {', '.join(ids)}" if 0 < len(ids) <= _FEW else ""
