"""`sweepstake best`: the jobs with the best results."""

from __future__ import annotations

import click

from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.output import as_json, format_option
from sweepstake.cli.screen import page, screen_width, wide_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.client.ranking import Ranking
from sweepstake.domain.lengths import MAX_PAGE
from sweepstake.view.ids import with_short_ids
from sweepstake.view.table import HYPERPARAMETER, OWN, RESULT, job_table
from sweepstake.view.text import listed

__all__ = ["best"]


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.option(
    "-n", "--limit", type=click.IntRange(1, MAX_PAGE), default=1, show_default=True, help="Show the best so many jobs."
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
