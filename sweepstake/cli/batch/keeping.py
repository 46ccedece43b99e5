"""`sweepstake batch keep`: allocations are up as long as there is work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from sweepstake.batch.keeping import keep as keep_up
from sweepstake.batch.packing import Packing
from sweepstake.cli.batch.interrupting import INTERRUPTED, ask_to_end
from sweepstake.cli.batch.planning import check_search, planning_options, search_option, site_options
from sweepstake.cli.batch.submitting import with_backend
from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.output import say
from sweepstake.cli.target import Target, pass_target

__all__ = ["keep"]


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.option(
    "--max-allocations",
    type=click.IntRange(1),
    required=True,
    metavar="N",
    help="At most so many allocations wait and run at a time.",
)
@planning_options
@search_option
@site_options
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND]")
@pass_target
def keep(target: Target, /, experiment: str, max_allocations: int, command: Sequence[str], **settings: Any) -> int:
    """Keep allocations up as long as there is work.

    What waits in EXPERIMENT is packed as `batch plan` shows, and submitted as `batch submit` does, but no more than so
    many allocations at a time; where there are fewer batches than that, their jobs are shared out. A line tells each
    change. It ends when nothing waits or runs any more: with 1 if jobs are left that could not be begun. When it is
    ended before and started again, what is up counts.
    """
    packing = Packing(target.experiment(experiment), with_backend(settings, command))
    check_search(packing.experiment, packing.wishes.jobs)
    keeper = packing.keeper(max_allocations, say)
    try:
        keep_up(keeper)
    except KeyboardInterrupt:
        ask_to_end(target, experiment, packing.experiment)
        return INTERRUPTED
    for each in keeper.left_out:
        say(f"{each}.", err=True)
    return 1 if keeper.given_up else 0
