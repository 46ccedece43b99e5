"""`sweepstake batch keep`: allocations are up as long as there is work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import click

from sweepstake.batch.keeping import Keeper, Pack, Work, shared_out
from sweepstake.batch.keeping import keep as keep_up
from sweepstake.batch.planning import BatchSpec
from sweepstake.cli.batch.interrupting import INTERRUPTED, ask_to_end
from sweepstake.cli.batch.ordering import backends_of, chosen_backend, order_of, site_options
from sweepstake.cli.batch.planning import Packing, planning_options
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
    found, backends = target.experiment(experiment), backends_of(target)
    keeper = Keeper(
        found,
        backend=chosen_backend(target, settings),
        backends=backends,
        pack=_packing(target, experiment, settings, command),
        most=max_allocations,
        tell=say,
    )
    try:
        keep_up(keeper)
    except KeyboardInterrupt:
        ask_to_end(target, experiment, found)
        return INTERRUPTED
    for each in keeper.left_out:
        say(f"{each}.", err=True)
    return 1 if keeper.given_up else 0


def _packing(target: Target, experiment: str, settings: Mapping[str, Any], command: Sequence[str]) -> Pack:
    packing = Packing(target, experiment, settings)

    def pack(under_way: Mapping[str, str], given_up: Mapping[str, str], places: int) -> Work:
        read = packing.read(under_way, given_up)
        batches: Sequence[BatchSpec] = packing.pack(read)
        if settings["count"] is None:
            batches = shared_out(batches, partial(packing.pack, read), places)
        capacity = packing.capacity(read)
        return Work(
            batches=batches,
            capacity=capacity,
            order=order_of(target, experiment, read, capacity, settings, command),
            after=read.after,
            left_out=read.left_out,
        )

    return pack
