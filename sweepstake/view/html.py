"""Experiments, jobs and attempts as HTML for a notebook; every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sweepstake.domain.records import AttemptRecord, ExperimentRecord, JobRecord
from sweepstake.markup import pairs_html, rows_html
from sweepstake.view.cells import cell
from sweepstake.view.table import HYPERPARAMETER, OWN, RESULT, Table, experiment_table, job_table
from sweepstake.view.times import lasting, local

__all__ = ["attempts_html", "experiment_html", "job_html", "jobs_html", "table_html"]


def experiment_html(record: ExperimentRecord, jobs: str, best: Sequence[JobRecord], newest: Sequence[JobRecord]) -> str:
    """Return an experiment's definition and what became of it.

    Args:
        record: the experiment.
        jobs: how many jobs are in which state, in words.
        best: its best jobs, if it has an objective.
        newest: the jobs that were made last.
    """
    pairs = _named(experiment_table([record]))
    if record.owner is not None:
        pairs.append(("owner", record.owner))
    pairs.append(("jobs", jobs))
    if record.settings.objective:
        pairs.append(("objective", f"{record.settings.objective} ({record.settings.direction.value})"))
    return "".join(
        [
            pairs_html(f"Experiment {record.name}", pairs),
            jobs_html(best, title="Best jobs") if best else "",
            jobs_html(newest, title="Newest jobs") if newest else "",
        ]
    )


def job_html(record: JobRecord, attempts: Sequence[AttemptRecord] = ()) -> str:
    """Return a job's status, hyperparameters and results, and of the last of `attempts` the line that says why."""
    shown = _named(job_table([record]).of_categories(OWN, HYPERPARAMETER, RESULT))
    if attempts and attempts[-1].reason:
        shown.append(("reason", _last_line(attempts[-1].reason)))
    return pairs_html(f"Job {record.id} of {record.experiment}", shown)


def jobs_html(records: Iterable[JobRecord], *, more: bool = False, title: str = "") -> str:
    """Return a table of jobs, a row each; `more` says that there are others."""
    table = table_html(job_table(records).of_categories(OWN, HYPERPARAMETER, RESULT), title)
    return f"{table}<p>and more; <code>experiment.to_frame()</code> has all of them</p>" if more else table


def attempts_html(attempts: Sequence[AttemptRecord]) -> str:
    """Return a table of attempts: who, when, for how long, how it ended, and the last line that says why."""
    headers = ("attempt", "worker", "started", "lasted", "outcome", "reason")
    return rows_html(headers, [_attempt(each) for each in attempts])


def table_html(table: Table, title: str = "") -> str:
    """Return any table as HTML."""
    return rows_html(table.labels(), [[cell(value) for value in row] for row in table.rows], title)


def _attempt(attempt: AttemptRecord) -> tuple[str, ...]:
    lasted = "" if attempt.ended_at is None else lasting(max(attempt.ended_at - attempt.started_at, 0.0))
    outcome = "running" if attempt.outcome is None else attempt.outcome.value
    return (
        str(attempt.number),
        attempt.worker,
        local(attempt.started_at),
        lasted,
        outcome,
        _last_line(attempt.reason),
    )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def _named(table: Table) -> list[tuple[str, str]]:
    return [(name, cell(value)) for name, value in table.records()[0].items() if value is not None]
