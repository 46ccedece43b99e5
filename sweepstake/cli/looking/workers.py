"""`sweepstake workers`: who runs what, and what the workers that run tasks have for more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any, Final

import click

from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.output import as_json, format_option, print_rows, wide_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.client import Experiment, Job
from sweepstake.domain.addresses import told_apart
from sweepstake.domain.situation import WhyReason
from sweepstake.domain.status import JobStatus
from sweepstake.domain.workers import WorkerRecord
from sweepstake.errors import ClientRequestError
from sweepstake.view.times import lasting

__all__ = ["workers"]

_GIB: Final = 1024**3


@click.command()
@click.argument("experiments", type=EXPERIMENT, nargs=-1, metavar="[EXPERIMENT]...")
@wide_option
@format_option
@pass_target
def workers(target: Target, experiments: Sequence[str], wide: bool, format_: str) -> None:
    """List the workers that run jobs, or wait for tasks.

    First who runs what, of the experiments that are named, else of all. A worker is its host and process id. One that
    died is in the list until somebody claims after the end of its lease: its heartbeat says since when nothing was
    heard of it, and that it is lost.

    Then, unless experiments are named, the workers that run tasks of specs: what each has free of what it has, and
    its labels. Of others, those that wait for a job are not in the list.
    """
    database = target.database()
    found = [target.experiment(name) for name in experiments] or list(database.get_experiments())
    rows = _running(found)
    offering: Sequence[WorkerRecord] = ()
    if not experiments:
        with suppress(ClientRequestError):  # a server of before knows of none
            offering = database.workers()
    if format_ == "json":
        as_json([*rows, *map(_row, offering)])
        return
    if rows:
        print_rows([_told(row) for row in rows], wide=wide)
    else:
        click.echo("No job is running.")
    if offering:
        print_rows([_offered(each) for each in offering], wide=wide)


def _running(experiments: Sequence[Experiment]) -> list[dict[str, Any]]:
    names = told_apart([(each.owner, each.name) for each in experiments])
    rows = [
        {
            "worker": job.record.worker or "unknown",
            "experiment": name,
            "job": job.record.id,
            "since": job.record.started_at,
            **_heartbeat(job),
            "attempt": job.record.attempt,
        }
        for experiment, name in zip(experiments, names, strict=True)
        for job in experiment.all_jobs(status=JobStatus.RUNNING)
    ]
    return sorted(rows, key=itemgetter("worker", "experiment", "job"))


def _heartbeat(job: Job) -> dict[str, Any]:
    """Return how many seconds ago the worker of a running job was heard of, and whether it is lost."""
    why = job.why() if job.record.leased else None
    return {"heartbeat": why.heartbeat if why else None, "lost": why is not None and why.reason is WhyReason.OVERDUE}


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    age = "none" if row["heartbeat"] is None else f"{lasting(row['heartbeat'])} ago"
    told = {**row, "heartbeat": f"lost, {age}" if row["lost"] else age}
    del told["lost"]
    return told


def _row(worker: WorkerRecord) -> dict[str, Any]:
    """Return a worker for JSON, beside the rows of jobs."""
    return {
        "worker": worker.name,
        "owner": worker.owner,
        "job": None,
        "slots": worker.slots,
        "free": worker.free,
        "seen_at": worker.seen_at,
    }


def _offered(worker: WorkerRecord) -> dict[str, Any]:
    """Return a worker as a row of the table."""
    free, slots = worker.free, worker.slots
    return {
        "worker": worker.name,
        "free CPUs": f"{free.cpu:g} of {slots.cpu:g}",
        "GPUs": f"{free.gpu} of {slots.gpu}",
        "GiB": f"{free.memory / _GIB:.1f} of {slots.memory / _GIB:.1f}",
        "labels": " ".join(f"{each.name}={each.value}" for each in slots.labels),
    }
