"""`sweepstake db` and `sweepstake verify`: upgrading, backing up, checking and pruning a store."""

from __future__ import annotations

import math
import time
from pathlib import Path

import click

from sweepstake.cli.moments import span
from sweepstake.cli.output import as_json, format_option, print_rows, say
from sweepstake.cli.target import Target, pass_target
from sweepstake.clock import SystemClock
from sweepstake.domain.addresses import spoken
from sweepstake.errors import ConfigurationError
from sweepstake.files import open_shelf
from sweepstake.plaintext import counted
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.dropping import sweep
from sweepstake.queue.verify import CLOCK_ERROR, LEAST_AGE, Ledger, Verification, prune_events
from sweepstake.queue.verify import verify as verify_ledger
from sweepstake.queue.verify.facts import Violation
from sweepstake.stores import open_engine, open_upkeep
from sweepstake.view.progress import measured

__all__ = ["db", "verify"]


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
                verification = verify_ledger(Ledger(opened), progress=progress)
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
    """Delete old events from a store, and files of jobs that are gone.

    Events are the history of rarer writes, also of experiments long gone. Kept are those that `sweepstake verify` needs
    to check what is there now, and all of the last 7 days, in which a call may be repeated. Files of attempts go with
    their jobs; those that a kill left are removed here. The store may be in use: it is done in short pages. Run it from
    time to time, for instance by cron.
    """
    seconds = span(older_than)
    if seconds is None or seconds < LEAST_AGE:
        raise click.UsageError(f"--older-than takes a span of 7 days or more, such as 90d, not {older_than}.")
    url = store_url(target)
    opened = open_engine(url)
    try:
        with measured("Pruning") as progress:
            count = prune_events(Ledger(opened), before=time.time() - seconds, progress=progress)
        shelf = open_shelf(url, opened.identity, target.config().files)
        jobs = sweep(Store(opened, SystemClock(), files=shelf))
    finally:
        opened.close()
    if format_ == "json":
        as_json({"events": count, **({"jobs_without_files": jobs} if jobs else {})})
    else:
        click.echo(f"Deleted {counted(count, 'old event')}.")
        if jobs:
            click.echo(f"Removed what was kept of {counted(jobs, 'job')} that {'is' if jobs == 1 else 'are'} gone.")


@click.command()
@click.option(
    "--clock-error",
    type=click.FloatRange(0, 10**9),
    default=CLOCK_ERROR,
    show_default=True,
    help="Seconds by which clocks may have been wrong when times were written.",
)
@format_option
@pass_target
def verify(target: Target, clock_error: float, format_: str) -> None:
    """Check a store's whole history against what Sweepstake promises.

    Says how much each check looked at, and what breaks a promise: the exit code is 1 if anything does. The store may
    be in use: it is read in short pages. The reference documentation says what each check means.
    """
    if math.isnan(clock_error):
        raise click.UsageError("--clock-error takes a number of seconds, not nan.")
    url = store_url(target)
    if not open_upkeep(url).schema():
        raise ConfigurationError("There is no store yet in that database. Check the URL.")
    opened = open_engine(url)
    try:
        with measured("Verifying") as progress:
            verification = verify_ledger(Ledger(opened), clock_error=clock_error, progress=progress)
    finally:
        opened.close()
    if format_ == "json":
        as_json(verification)
    else:
        print_verification(verification)
    if verification.found:
        raise click.exceptions.Exit(1)


def store_url(target: Target) -> str:
    """Return the URL of the store itself, which a server's is not."""
    url = target.config().url
    if url.startswith(("http://", "https://")):
        raise click.UsageError("This looks into the store itself, not through a server: give --url STORE.")
    return url


def print_verification(verification: Verification) -> None:
    """Print what was looked at, and what was found."""
    rows = [{"check": str(check), "looked at": count} for check, count in verification.checked.items()]
    print_rows(rows)
    for violation in verification.violations:
        say(f"{violation.check}: {_where(violation)} {violation.what}")
    if verification.found > len(verification.violations):
        say(f"... and {verification.found - len(verification.violations):,} more.")
    read = (
        f"{counted(verification.experiments, 'experiment')}, {counted(verification.jobs, 'job')}, "
        f"{counted(verification.attempts, 'attempt')}, {counted(verification.events, 'event')}"
    )
    say(f"{read}: {counted(verification.found, 'violation')}" if verification.found else f"{read}: as promised")


def _where(violation: Violation) -> str:
    parts = [
        f"experiment {spoken(violation.experiment)!r}" if violation.experiment else "",
        f"job {violation.job!r}" if violation.job else "",
        f"attempt {violation.attempt}" if violation.attempt is not None else "",
    ]
    return ", ".join(part for part in parts if part) or "a row"
