"""`sweepstake verify`: a store's history against the promises."""

from __future__ import annotations

import math

import click

from sweepstake.cli.output import as_json, format_option, print_rows, say
from sweepstake.cli.target import Target, pass_target
from sweepstake.domain.addresses import spoken
from sweepstake.errors import ConfigurationError
from sweepstake.plaintext import counted
from sweepstake.queue.verify import CLOCK_ERROR, Ledger, Verification
from sweepstake.queue.verify import verify as verify_ledger
from sweepstake.queue.verify.facts import Violation
from sweepstake.stores import open_engine, open_upkeep
from sweepstake.view.progress import measured

__all__ = ["print_verification", "store_url", "verify"]


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
