"""Experiments and jobs as HTML for a notebook; every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from sweepstake.domain.records import ExperimentRecord, JobRecord
from sweepstake.plaintext import printable
from sweepstake.view.table import HYPERPARAMETER, OWN, RESULT, Table, experiment_table, job_table
from sweepstake.view.text import cell

__all__ = ["experiment_html", "job_html", "jobs_html", "table_html"]

#: The most rows that are drawn; a notebook chokes on more.
MAX_ROWS: Final = 1000
#: The most characters of a value that are drawn.
_MAX_CELL: Final = 200


def experiment_html(record: ExperimentRecord, jobs: Sequence[JobRecord] = ()) -> str:
    """Return an experiment's definition, and below it a table of `jobs`."""
    definition = _pairs(f"Experiment {record.name}", _named(experiment_table([record])))
    return definition + (jobs_html(jobs) if jobs else "")


def job_html(record: JobRecord) -> str:
    """Return a job's status, hyperparameters and results."""
    shown = job_table([record]).of_categories(OWN, HYPERPARAMETER, RESULT)
    return _pairs(f"Job {record.id} of {record.experiment}", _named(shown))


def jobs_html(records: Iterable[JobRecord], *, more: bool = False) -> str:
    """Return a table of jobs, a row each; `more` says that there are others."""
    table = table_html(job_table(records).of_categories(OWN, HYPERPARAMETER, RESULT))
    return f"{table}<p>and more; <code>experiment.to_frame()</code> has all of them</p>" if more else table


def table_html(table: Table) -> str:
    """Return any table as HTML; rows beyond the first thousand are counted, not drawn."""
    head = "".join(f"<th>{escape(printable(label))}</th>" for label in table.labels())
    body = "".join(_row(row) for row in table.rows[:MAX_ROWS])
    hidden = len(table.rows) - MAX_ROWS
    more = f"<p>and {hidden:,} more</p>" if hidden > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _row(values: Sequence[object]) -> str:
    return "<tr>" + "".join(f"<td>{escape(_short(cell(value)))}</td>" for value in values) + "</tr>"


def _short(text: str) -> str:
    return text if len(text) <= _MAX_CELL else f"{text[: _MAX_CELL - 3]}..."


def _named(table: Table) -> list[tuple[str, str]]:
    return [(name, cell(value)) for name, value in table.records()[0].items() if value is not None]


def _pairs(title: str, pairs: Sequence[tuple[str, str]]) -> str:
    rows = "".join(
        f"<tr><th>{escape(printable(name))}</th><td>{escape(_short(value))}</td></tr>" for name, value in pairs
    )
    return f"<table><caption>{escape(printable(title))}</caption><tbody>{rows}</tbody></table>"
