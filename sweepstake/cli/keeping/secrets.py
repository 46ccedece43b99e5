"""`sweepstake secret`: what tasks are told and nobody else, kept on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sweepstake.cli.output import say
from sweepstake.cli.target import Target, pass_target
from sweepstake.config import default_path

__all__ = ["secret"]


@click.group()
def secret() -> None:
    """Keep secrets for tasks on this machine."""


@secret.command("set")
@click.argument("name")
@pass_target
def set_(target: Target, name: str) -> None:
    """Keep a secret on this machine.

    It lies in a file beside the configuration, which this user alone can read. It is asked for, or read from standard
    input, where a line break at its end is left out. Workers of this machine hand it to tasks that name it; it is never
    sent to a store.
    """
    from sweepstake.worker.tasks.secrets import set_secret

    if sys.stdin.isatty():
        value = click.prompt(f"Secret {name}", hide_input=True, err=True)
    else:
        value = sys.stdin.read().removesuffix("\n")
    file = _file(target)
    set_secret(file, name, value)
    say(f"{name} is kept in {file}.")


@secret.command("rm")
@click.argument("name")
@pass_target
def remove(target: Target, name: str) -> None:
    """Forget a secret."""
    from sweepstake.worker.tasks.secrets import set_secret

    set_secret(_file(target), name, None)


def _file(target: Target) -> Path:
    from sweepstake.worker.tasks.secrets import secrets_file

    return secrets_file(target.config().file or default_path())
