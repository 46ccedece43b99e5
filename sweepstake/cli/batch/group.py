"""The verbs of `sweepstake batch`."""

from __future__ import annotations

import click

from sweepstake.cli.batch.keeping import keep
from sweepstake.cli.batch.planning import plan
from sweepstake.cli.batch.running import run
from sweepstake.cli.batch.submitting import cancel, logs, status, submit

__all__ = ["batch"]


@click.group()
def batch() -> None:
    """Pack queued jobs into allocations of a cluster."""


for _verb in (plan, submit, keep, run, status, logs, cancel):
    batch.add_command(_verb)
