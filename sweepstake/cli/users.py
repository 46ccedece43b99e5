"""`sweepstake user`: who may use a server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from sweepstake.cli.output import as_json, format_option
from sweepstake.cli.target import Target, pass_target
from sweepstake.errors import MissingExtraError
from sweepstake.ports import Accounts
from sweepstake.stores import open_store

__all__ = ["user"]

_store_option = click.option(
    "--store", metavar="URL", help="The store that the server keeps: sqlite:///PATH or postgresql://..."
)


@click.group()
def user() -> None:
    """Manage the users of a server; also while it runs."""


@user.command("add")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read a password from standard input, for login by password.")
@_store_option
@pass_target
def add(target: Target, email: str, password_stdin: bool, store: str | None) -> None:
    """Add a user, and print the user's API token as the last line.

    The token is kept only as a digest: this is the one time it is shown. Without --password-stdin the user has no
    password, and uses the token alone.
    """
    try:
        from sweepstake.server.accounts import add_user
    except ImportError as error:
        raise _missing(error) from None
    password = _read_password() if password_stdin else None
    with _accounts(target, store) as accounts:
        token = add_user(accounts, email, password)
    click.echo(f"Added {email}. The API token, which is shown only now:", err=True)
    click.echo(token)


def _read_password() -> str:
    try:
        return sys.stdin.read().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"the password is not {error.encoding} text; check how your terminal sends it") from None


@user.command("list")
@_store_option
@format_option
@pass_target
def list_(target: Target, store: str | None, format_: str) -> None:
    """List the users."""
    with _accounts(target, store) as accounts:
        emails = [account.email for account in accounts.list_accounts()]
    if format_ == "json":
        as_json(emails)
    else:
        for email in emails:
            click.echo(email)


@contextmanager
def _accounts(target: Target, store: str | None) -> Iterator[Accounts]:
    url = store or target.config().url
    if url.startswith(("http://", "https://")):
        raise click.UsageError("Users are added to the server's store, not through the server: give --store URL.")
    accounts = open_store(url)
    try:
        yield accounts
    finally:
        accounts.close()


def _missing(error: ImportError) -> MissingExtraError:
    return MissingExtraError(
        f"this needs the server's packages ({error}); install them with: pip install 'sweepstake[server]'"
    )
