"""`sweepstake list` and `sweepstake workers`: many things at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter

import click

from sweepstake.cli.output import as_json, format_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.domain.records import ExperimentRecord, JobRecord
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError
from sweepstake.view.table import HYPERPARAMETER, OWN, RESULT, Column, Table, experiment_table, job_table
from sweepstake.view.text import boxed, paragraphs, plain

__all__ = ["list_", "workers"]


@click.command("list")
@click.argument("experiment", required=False)
@click.option("-t", "--table", "layout", flag_value="table", help="Everything, as a table.")
@click.option("-p", "--paragraph", "layout", flag_value="paragraph", help="Everything, as paragraphs.")
@click.option("-s", "--sort", "sort", multiple=True, help="Sort by this field, then by the next one given.")
@click.option("-d", "--decreasing", is_flag=True, help="Sort from high to low.")
@click.option("-f", "--field", "fields", multiple=True, help="Show this field; may be given several times.")
@click.option(
    "--status",
    multiple=True,
    type=click.Choice([status.value for status in JobStatus]),
    help="Only jobs of this status; may be given several times.",
)
@click.option("--tag", help="Only jobs with this tag.")
@click.option("--where", multiple=True, help="Only jobs for which this holds, such as results.accuracy>=0.9.")
@format_option
@pass_target
def list_(
    target: Target,
    experiment: str | None,
    layout: str | None,
    sort: Sequence[str],
    decreasing: bool,
    fields: Sequence[str],
    status: Sequence[str],
    tag: str | None,
    where: Sequence[str],
    format_: str,
) -> None:
    """List all experiments, or the jobs of one.

    Fields of jobs besides hyperparameters and results: id, status, priority, tags, notes, attempt, worker, not_before,
    created_at, started_at, ended_at. A name that is both a hyperparameter and a result is written hyperparameter.NAME
    or result.NAME.
    """
    records: Sequence[ExperimentRecord | JobRecord]
    if experiment is None:
        if status or tag or where:
            raise click.UsageError("--status, --tag and --where choose among jobs: name an experiment.")
        experiments = [found.record for found in target.database().get_experiments() if found.record is not None]
        table, records = experiment_table(experiments), experiments
    else:
        found = target.database().get_experiment(experiment)
        jobs = [job.record for job in found.all_jobs(status=status or None, tag=tag, where=where or None)]
        table, records = job_table(jobs), jobs
    table = _arrange(table, sort, fields, decreasing=decreasing, short=layout is None and format_ == "table")
    if format_ == "json":
        as_json(table.records() if fields else _in_order(records, table))
    else:
        _print(table, layout)


def _arrange(table: Table, sort: Sequence[str], fields: Sequence[str], *, decreasing: bool, short: bool) -> Table:
    if not table.rows:
        return table
    try:
        if sort:
            table = table.sorted_by(sort, decreasing=decreasing)
        if fields:
            return table.only(fields)
    except InvalidInputError as error:
        raise click.UsageError(str(error)) from None
    return table.of_categories(OWN) if short else table.of_categories(OWN, HYPERPARAMETER, RESULT)


def _in_order(records: Sequence[ExperimentRecord | JobRecord], table: Table) -> list[ExperimentRecord | JobRecord]:
    """Return the records in the order of the table's rows, whose first column is the name or id."""
    by_name = {record.name if isinstance(record, ExperimentRecord) else record.id: record for record in records}
    return [by_name[row[0]] for row in table.rows]


def _print(table: Table, layout: str | None) -> None:
    draw = {"table": boxed, "paragraph": paragraphs}.get(layout or "", plain)
    text = draw(table)
    if text:
        click.echo(text)


@click.command()
@click.argument("experiments", nargs=-1, metavar="[EXPERIMENT]...")
@format_option
@pass_target
def workers(target: Target, experiments: Sequence[str], format_: str) -> None:
    """List the workers that are running jobs.

    Of the experiments that are named, else of all. A worker is its host and process id. One that waits for a job is
    not in the list; one that died is, until its lease is over and somebody claims.
    """
    database = target.database()
    rows = []
    for experiment in [database.get_experiment(name) for name in experiments] or database.get_experiments():
        for job in experiment.all_jobs(status=JobStatus.RUNNING):
            record = job.record
            rows.append(
                {
                    "worker": record.worker or "unknown",
                    "experiment": record.experiment,
                    "job": record.id,
                    "attempt": record.attempt,
                    "since": _when(record.started_at),
                    "heartbeat": "yes" if record.leased else "no",
                }
            )
    rows.sort(key=itemgetter("worker", "experiment", "job"))
    if format_ == "json":
        as_json(rows)
    elif rows:
        click.echo(boxed(Table.of({Column(OWN, name): value for name, value in row.items()} for row in rows)))
    else:
        click.echo("No job is running.")


def _when(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")
