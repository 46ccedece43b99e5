"""Doing one thing to many jobs: what became of each, told to people or to programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import click
from attrs import frozen

from sweepstake.cli.output import as_json
from sweepstake.client import Experiment, Job
from sweepstake.domain.status import JobStatus
from sweepstake.errors import UnsafeUpdateError
from sweepstake.plaintext import counted, printable
from sweepstake.view.progress import watched

__all__ = ["Verb", "do_to_each", "named"]

#: Up to so many jobs are named when something was done to them.
_FEW: Final = 10
#: From so many jobs on, a progress bar is shown to whoever watches.
_MANY: Final = 100


@frozen
class Verb:
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


def do_to_each(experiment: Experiment, jobs: Sequence[Job], verb: Verb, format_: str) -> int:
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
