"""The verbs of `sweepstake batch`."""

from __future__ import annotations

import click

from sweepstake.cli.batch.planning import plan

__all__ = ["batch"]


@click.group()
def batch() -> None:
    """Pack queued jobs into allocations of a cluster."""


batch.add_command(plan)
