"""`sweepstake user`: who may use a server."""

from __future__ import annotations

from typing import Final

import click

from sweepstake.cli.naming import Listed
from sweepstake.cli.output import as_json, format_option, say
from sweepstake.cli.server.passwords import ask_password, password_stdin, read_password
from sweepstake.cli.server.reaching import operated, server_packages
from sweepstake.cli.target import Target, pass_target
from sweepstake.plaintext import printable
from sweepstake.queue.verbs.access.users import list_users, remove_user

__all__ = ["user"]


def _emails(target: Target) -> list[str]:
    """Return who may use the server, for the shell."""
    with operated(target) as store:
        return [each.email for each in list_users(store)]


_KNOWN: Final = Listed("email", _emails)


@click.group()
def user() -> None:
    """Manage the users of a server; also while it runs."""


@user.command("add")
@click.argument("email")
@password_stdin
@pass_target
def add(target: Target, email: str, password_stdin: bool) -> None:
    """Add a user, and print the user's API token as the last line.

    The token is kept only as a digest: this is the one time it is shown. Without --password-stdin the user has no
    password, and uses the token alone.
    """
    with server_packages():
        from sweepstake.server.passwords import add_user
    password = read_password() if password_stdin else None
    with operated(target) as store:
        token = add_user(store, email, password)
    say(f"Added {email}. The API token, which is shown only now:", err=True)
    say(token)


@user.command("passwd")
@click.argument("email", type=_KNOWN)
@password_stdin
@pass_target
def passwd(target: Target, email: str, password_stdin: bool) -> None:
    """Give a user another password.

    Whoever logged in with the old one is logged out, within seconds; API tokens stay.
    """
    with server_packages():
        from sweepstake.server.passwords import change_password
    password = read_password() if password_stdin else ask_password(confirm=True)
    with operated(target) as store:
        change_password(store, email, password)
    say(f"{email} has another password.")


@user.command("list")
@format_option
@pass_target
def list_(target: Target, format_: str) -> None:
    """List the users."""
    emails = _emails(target)
    if format_ == "json":
        as_json(emails)
    elif emails:
        for email in emails:
            say(email)
    else:
        say("There are no users.", err=True)


@user.command("remove")
@click.argument("email", type=_KNOWN)
@click.option("--heir", type=_KNOWN, metavar="EMAIL", help="The user who gets the experiments of the one who goes.")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@pass_target
def remove(target: Target, email: str, heir: str | None, force: bool) -> None:
    """Remove a user with all tokens and shares.

    A server that runs lets the user in no more within seconds.
    """
    if not force and not click.confirm(f"Are you sure you want to remove {printable(email)}?"):
        say(f"{email} was not removed.")
        return
    with operated(target) as store:
        remove_user(store, email, heir)
    say(f"Removed {email}.")
