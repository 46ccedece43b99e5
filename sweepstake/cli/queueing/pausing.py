"""`sweepstake pause` and `sweepstake resume`: experiments rest, and go on."""

from __future__ import annotations

import click

from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.output import as_json, format_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.plaintext import printable

__all__ = ["pause", "resume"]


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@format_option
@pass_target
def pause(target: Target, experiment: str, format_: str) -> None:
    """Let nothing more be claimed from an experiment.

    Jobs that run go on, and report.
    """
    found = target.experiment(experiment)
    found.pause()
    if format_ == "json":
        as_json(found.record)
        return
    running = found.counts().running
    runs_on = f"; {running} {'job runs' if running == 1 else 'jobs run'} on" if running else ""
    click.echo(printable(f"{experiment} is paused{runs_on}."))


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@format_option
@pass_target
def resume(target: Target, experiment: str, format_: str) -> None:
    """Let jobs be claimed again from an experiment.

    It was paused, or its search was complete.
    """
    found = target.experiment(experiment)
    found.resume()
    if format_ == "json":
        as_json(found.record)
        return
    counts = found.counts()
    click.echo(
        printable(f"{experiment} goes on; {counts.ready} {'job is' if counts.ready == 1 else 'jobs are'} ready.")
    )
