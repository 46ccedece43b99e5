"""`sweepstake why`: what keeps a job from running."""

from __future__ import annotations

import click

from sweepstake.cli.looking.finding import find_job
from sweepstake.cli.naming import EXPERIMENT, JOB
from sweepstake.cli.output import as_json, format_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.plaintext import printable

__all__ = ["why"]


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@click.argument("job", type=JOB)
@format_option
@pass_target
def why(target: Target, experiment: str, job: str, format_: str) -> None:
    """Say why JOB is not running.

    It is one sentence, which also tells what would change that.
    """
    answer = find_job(target.experiment(experiment), job).why()
    if format_ == "json":
        as_json(answer)
    else:
        click.echo(printable(answer.sentence))
