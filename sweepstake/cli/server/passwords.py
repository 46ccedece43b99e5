"""Passwords on their way into a command: typed unseen, or from standard input, never on the command line."""

from __future__ import annotations

import sys

import click

__all__ = ["ask_password", "password_stdin", "read_password"]

#: Says that the password comes on standard input.
password_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


def ask_password(*, confirm: bool) -> str:
    """Return a password that is typed, once or twice."""
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=confirm)
    return typed


def read_password() -> str:
    """Return what comes on standard input, without the line break at its end."""
    try:
        return sys.stdin.read().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"the password is not {error.encoding} text; check how your terminal sends it") from None
