"""`sweepstake export` and `sweepstake import`: experiments from store to store."""

from __future__ import annotations

import sys
from typing import TextIO

import click

from sweepstake.cli.naming import EXPERIMENT
from sweepstake.cli.output import say
from sweepstake.cli.target import Target, pass_target
from sweepstake.client.archive import export_experiment, import_experiment
from sweepstake.plaintext import counted
from sweepstake.view.progress import watched

__all__ = ["export", "import_"]


@click.command()
@click.argument("experiment", type=EXPERIMENT)
@pass_target
def export(target: Target, experiment: str) -> None:
    """Write an experiment to standard output, whole.

    That is its definition, jobs, attempts and events. The output is JSON lines, which `sweepstake import` reads into
    any store.

    \b
    Example:
      sweepstake export mnist > mnist.jsonl
    """
    database = target.database()
    with watched(f"Exporting {experiment}", None) as progress:
        exported = export_experiment(database.session.queue, target.reference(experiment), sys.stdout, progress)
    totals = exported.totals
    told = (counted(totals.jobs, "job"), counted(totals.attempts, "attempt"), counted(totals.events, "event"))
    say(f"Exported {', '.join(told)}.", err=True)
    if exported.running:
        say(
            f"Still running: {counted(exported.running, 'job')}. Where the file is imported they are queued, and run"
            " once more; stop the workers first if that must not be.",
            err=True,
        )


@click.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8", errors="backslashreplace"), default="-")
@click.option("--name", help="What to call the experiment here, instead of what it was called.")
@pass_target
def import_(target: Target, file: TextIO, name: str | None) -> None:
    """Store an experiment that `sweepstake export` wrote.

    It is read from FILE, or from standard input. All or nothing: nobody sees any of it before all of it is there. An
    experiment of the same name is never touched: give --name instead. Jobs that were running are queued.
    """
    database = target.database()
    with watched("Importing", None) as progress:
        stored = import_experiment(database.session.queue, file, name, progress)
    say(f"Imported {stored}.", err=True)
