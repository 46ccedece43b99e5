"""`sweepstake list` and `sweepstake best`: many experiments and jobs at a glance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import click
from attrs import evolve, frozen

from sweepstake.cli.looking.overview import ACTIVITY, overview_of, ranking_of
from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.output import as_json, format_option, page, rows_as_json, say, screen_width, wide_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.client import Experiment
from sweepstake.client.ranking import Ranking
from sweepstake.domain.addresses import told_apart
from sweepstake.domain.lengths import MAX_PAGE
from sweepstake.domain.status import JobStatus
from sweepstake.domain.vocabulary import HEADINGS, TIMES
from sweepstake.errors import InvalidInputError
from sweepstake.view.ids import with_short_ids
from sweepstake.view.table import (
    HYPERPARAMETER,
    OWN,
    QUEUEING,
    RESULT,
    Column,
    Table,
    experiment_table,
    job_table,
)
from sweepstake.view.text import boxed, listed, paragraphs, plain
from sweepstake.view.times import ago, lasting, local

__all__ = ["best", "list_"]


_HELP: Final = f"""List all experiments, or the jobs of one.

Fields of jobs besides hyperparameters and results: id, status, {", ".join(HEADINGS)}, duration. A name that is both a
hyperparameter and a result is written hyperparameter.NAME or result.NAME. Fields chosen by -f are written without
headers, for scripts.
"""
#: Columns that the header of a number of jobs needs to be understood.
_COUNTS: Final = 4


@click.command("list", help=_HELP)
@click.argument("experiment", type=EXPERIMENT, required=False)
@click.option("-t", "--table", "layout", flag_value="table", help="Everything, in a frame.")
@click.option("-p", "--paragraph", "layout", flag_value="paragraph", help="Everything, as paragraphs.")
@click.option("-s", "--sort", "sort", multiple=True, help="Sort by this field, then by the next one given.")
@click.option("-d", "--decreasing", is_flag=True, help="Sort from high to low.")
@click.option("-f", "--field", "fields", multiple=True, help="Show this field alone; may be given several times.")
@click.option(
    "--status",
    multiple=True,
    type=click.Choice([status.value for status in JobStatus]),
    help="Only jobs of this status; may be given several times.",
)
@click.option("--tag", help="Only jobs with this tag.")
@click.option("--where", multiple=True, help="Only jobs for which this holds, such as results.accuracy>=0.9.")
@click.option("-n", "--limit", type=click.IntRange(1), help="Show no more than so many.")
@wide_option
@format_option
@pass_target
def list_(
    target: Target,
    /,
    experiment: str | None,
    sort: Sequence[str],
    decreasing: bool,
    limit: int | None,
    format_: str,
    wide: bool,
    layout: str | None,
    fields: Sequence[str],
    **filters: Any,
) -> None:
    """List all experiments, or the jobs of one."""
    look = _Look(layout=layout, fields=tuple(fields), width=screen_width(wide=wide))
    if experiment is None:
        if any(filters.values()):
            raise click.UsageError("--status, --tag and --where choose among jobs: name an experiment.")
        experiments = list(target.database().get_experiments())
        names = told_apart([(each.owner, each.name) for each in experiments])
        overviews = [overview_of(each, name) for each, name in zip(experiments, names, strict=True)]
        records: Sequence[Any] = [evolve(each.experiment, name=each.name) for each in overviews]
        if layout is None and format_ == "table" and not fields:
            table = Table.of(each.row() for each in overviews).without_empty()
            table = table if look.width is None else table.with_last("objective", "jobs")
        else:
            table = experiment_table(records)
        look = evolve(look, narrow=_COUNTS)
        if not records:
            say("There are no experiments.", err=True)
        trees = {each.name: each.tree() for each in overviews}
        footer = ""
    else:
        found = target.experiment(experiment)
        jobs = found.all_jobs(**{name: value or None for name, value in filters.items()})
        records = [job.record for job in (jobs if sort else islice(jobs, limit))]
        table = job_table(records)
        trees = {record.id: record for record in records}
        ranking = ranking_of(found)
        look = evolve(look, favourite=ranking.result if ranking else None)
        footer = _footer(found, len(records[:limit]))
    table = _sorted(table, sort, decreasing=decreasing)
    table = evolve(table, rows=table.rows[:limit])
    if format_ == "json":
        if fields:
            rows_as_json(look.chosen(table))
        else:
            as_json([trees[row[0]] for row in table.rows])
    else:
        page("\n".join(part for part in (look.text(table), footer if look.is_plain else "") if part))


def _sorted(table: Table, fields: Sequence[str], *, decreasing: bool) -> Table:
    try:
        return table.sorted_by(fields, decreasing=decreasing) if fields and table.rows else table
    except InvalidInputError as error:
        raise click.UsageError(str(error)) from None


@frozen(kw_only=True)
class _Look:
    """How a listing is drawn.

    Attributes:
        layout: `table`, `paragraph`, or None.
        fields: the only ones to show.
        width: columns of the terminal; None if everything is shown.
        favourite: the result that stands first.
        narrow: characters below which the headers of numbers are not cut.
    """

    layout: str | None
    fields: tuple[str, ...]
    width: int | None
    favourite: str | None = None
    narrow: int = 8

    @property
    def is_plain(self) -> bool:
        """Whether nothing was asked for, so that rows have headers and a summary."""
        return self.layout is None and not self.fields

    def chosen(self, table: Table) -> Table:
        """Return the columns that are shown, in their order."""
        if not table.rows:
            return table
        try:
            if self.fields:
                return table.only(self.fields)
        except InvalidInputError as error:
            raise click.UsageError(str(error)) from None
        table = table.of_categories(OWN, HYPERPARAMETER, RESULT)
        return table.most_telling_first(self.favourite) if self.layout != "paragraph" and self.width else table

    def text(self, table: Table) -> str:
        """Draw the table."""
        shown = self.chosen(table).mapped(self._value)
        if self.layout == "paragraph":
            return paragraphs(shown)
        if self.width is not None:
            shown = with_short_ids(shown)
        if self.layout == "table":
            return boxed(shown, self.width)
        return plain(shown) if self.fields else listed(shown, self.width, self.narrow)

    def _value(self, column: Column, value: Any) -> Any:
        if column != ACTIVITY and column.category != QUEUEING:
            return value
        if column == ACTIVITY or column.name in TIMES:
            return local(value) if self.width is None else ago(value, time.time())
        return value if self.width is None or column.name != "duration" else lasting(value)


def _footer(experiment: Experiment, shown: int) -> str:
    counts = experiment.counts()
    some = f"{shown:,} of " if shown < counts.total else ""
    return f"\n{some}{counts}"


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, MAX_PAGE),
    default=1,
    show_default=True,
    help="Show so many of the best jobs.",
)
@click.option("--by", metavar="RESULT", help="The result to compare; by default the experiment's objective.")
@click.option("--direction", type=click.Choice(["min", "max"]), help="Which way is better; by default as it was set.")
@wide_option
@format_option
@pass_target
def best(
    target: Target, experiment: str, limit: int, by: str | None, direction: str | None, wide: bool, format_: str
) -> None:
    """Show the best jobs of an experiment.

    They are the jobs that are DONE whose result is the highest or lowest number, best first.
    """
    found = target.experiment(experiment)
    ranking = Ranking.of(found.settings, found.search(), by, direction)
    records = [job.record for job in found.top(limit, by, direction)]
    if format_ == "json":
        as_json(records)
        return
    if not records:
        raise click.ClickException(f"no job of {experiment} is DONE with a number as its result {ranking.result!r}")
    width = screen_width(wide=wide)
    table = job_table(records).of_categories(OWN, HYPERPARAMETER, RESULT).most_telling_first(ranking.result)
    page(listed(table if width is None else with_short_ids(table), width))
