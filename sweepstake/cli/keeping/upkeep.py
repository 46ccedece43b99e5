"""`sweepstake db`: upgrading, backing up, checking and pruning a store."""

from __future__ import annotations

import time
from pathlib import Path

import click

from sweepstake.cli.keeping.verifying import print_verification, store_url
from sweepstake.cli.moments import span
from sweepstake.cli.output import as_json, format_option, say
from sweepstake.cli.target import Target, pass_target
from sweepstake.plaintext import counted
from sweepstake.queue.verify import LEAST_AGE, Ledger, prune_events, verify
from sweepstake.stores import open_engine, open_upkeep
from sweepstake.view.progress import measured

__all__ = ["db"]


@click.group()
def db() -> None:
    """Upgrade, back up, check and prune a store."""


@db.command()
@format_option
@pass_target
def upgrade(target: Target, format_: str) -> None:
    """Bring a store to this version's schema, and say from which.

    Any command does so when it opens a store; this one does nothing else. Older versions that have the store open go
    on working; see the documentation.
    """
    url = store_url(target)
    upkeep = open_upkeep(url)
    before = upkeep.schema()
    open_engine(url).close()
    after = upkeep.schema()
    if format_ == "json":
        as_json({"before": before, "after": after})
    elif before == after:
        say(f"The schema is {after} already.")
    else:
        say(f"Upgraded from schema {before} to {after}.")


@db.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@pass_target
def backup(target: Target, file: Path) -> None:
    """Copy a SQLite store to a new FILE.

    The copy is as the store is at one moment, and the store may be in use. FILE is a store itself: to put it back, stop
    whoever uses the store and move FILE to its place.
    """
    with measured("Copying") as progress:
        open_upkeep(store_url(target)).back_up(file, progress)
    say(f"Copied to {file}.", err=True)


@db.command()
@format_option
@pass_target
def check(target: Target, format_: str) -> None:
    """Check a store, and change nothing.

    That is the database's own structures, the schema, and the history, as `sweepstake verify` does. The exit code is 1
    if anything is wrong.
    """
    url = store_url(target)
    upkeep = open_upkeep(url)
    schema, known = upkeep.schema(), upkeep.known
    problems = list(upkeep.problems())
    if schema < known:
        problems.append(f"the schema is {schema}, and this version's is {known}: run sweepstake db upgrade")
    if schema > known:
        problems.append(f"the schema is {schema}, and this version knows {known}: install a newer Sweepstake")
    verification = None
    if not problems:
        opened = open_engine(url)
        try:
            with measured("Verifying") as progress:
                verification = verify(Ledger(opened), progress=progress)
        finally:
            opened.close()
    if format_ == "json":
        as_json({"schema": schema, "known": known, "problems": problems, "verification": verification})
    else:
        for problem in problems:
            say(f"Problem: {problem}")
        if verification is not None:
            say(f"Schema {schema}; the database finds nothing wrong with itself.")
            print_verification(verification)
    if problems or (verification is not None and verification.found):
        raise click.exceptions.Exit(1)


@db.command()
@click.option(
    "--older-than",
    required=True,
    envvar="SWEEPSTAKE_KEEP_EVENTS",
    metavar="SPAN",
    help="Delete events that are older than this, such as 90d; at least 7d.",
)
@format_option
@pass_target
def prune(target: Target, older_than: str, format_: str) -> None:
    """Delete old events from a store.

    Events are the history of rarer writes, also of experiments long gone. Kept are those that `sweepstake verify` needs
    to check what is there now, and all of the last 7 days, in which a call may be repeated. The store may be in use: it
    is done in short pages. Run it from time to time, for instance by cron.
    """
    seconds = span(older_than)
    if seconds is None or seconds < LEAST_AGE:
        raise click.UsageError(f"--older-than takes a span of 7 days or more, such as 90d, not {older_than}.")
    opened = open_engine(store_url(target))
    try:
        with measured("Pruning") as progress:
            count = prune_events(Ledger(opened), before=time.time() - seconds, progress=progress)
    finally:
        opened.close()
    if format_ == "json":
        as_json({"events": count})
    else:
        click.echo(f"Deleted {counted(count, 'old event')}.")
