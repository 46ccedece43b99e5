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
    """Write an experiment to standard output, as the queue knows it.

    That is its definition, specs, jobs, attempts and events. The output is JSON lines, which `sweepstake import` reads
    into any store. Files and whole outputs that attempts have left are not in it: fetch them with `sweepstake results
    EXPERIMENT JOB --download DIRECTORY`.

    \b
    Example:
      sweepstake export mnist > mnist.jsonl
    """
    database = target.database()
    with watched(f"Exporting {experiment}", None) as progress:
        exported = export_experiment(database.session.queue, target.reference(experiment), sys.stdout, progress)
    totals = exported.totals
    told = [counted(totals.jobs, "job"), counted(totals.attempts, "attempt"), counted(totals.events, "event")]
    if totals.specs:
        told.append(counted(totals.specs, "version") + " of its spec")
    say(f"Exported {', '.join(told)}.", err=True)
    if totals.attempts:
        say(
            "Not in it: files and whole outputs that attempts have left. Fetch those of a job with `sweepstake results "
            f"{experiment} JOB --download DIRECTORY`.",
            err=True,
        )
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
