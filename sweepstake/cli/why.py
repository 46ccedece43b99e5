"""`sweepstake why`: what keeps a job from running."""

from __future__ import annotations

import click

from sweepstake.cli.output import as_json, format_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.plaintext import printable

__all__ = ["why"]


@click.command()
@click.argument("experiment")
@click.argument("job")
@format_option
@pass_target
def why(target: Target, experiment: str, job: str, format_: str) -> None:
    """Say why JOB is not running.

    It is one sentence, which also tells what would change that.
    """
    answer = target.database().get_experiment(experiment).get_job(job).why()
    if format_ == "json":
        as_json(answer)
    else:
        click.echo(printable(answer.sentence))
