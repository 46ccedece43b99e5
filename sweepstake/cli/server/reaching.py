"""Reaching users, tokens and shares: in a server's store, or through the server as far as it lets its caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

from sweepstake.cli.target import Target
from sweepstake.clock import SystemClock
from sweepstake.errors import MissingExtraError
from sweepstake.queue.here import Here
from sweepstake.queue.queue import Sender
from sweepstake.queue.store import Store
from sweepstake.stores import open_engine

__all__ = ["is_served", "operated", "reached", "server_packages"]


def is_served(target: Target) -> bool:
    """Tell whether a command goes to a server instead of a store."""
    return target.config().url.startswith(("http://", "https://"))


@contextmanager
def reached(target: Target) -> Iterator[Sender]:
    """Reach the store or the server; a call is tried once."""
    if not is_served(target):
        with closing(_here(target)) as here:
            yield here
        return
    from sweepstake.http import HttpSender  # most commands do without it

    config = target.config()
    with closing(HttpSender(config.url, config.token)) as sender:
        yield sender


@contextmanager
def operated(target: Target) -> Iterator[Store]:
    """Open the store as its operator, who may do more than a server offers; a server's address is refused."""
    if is_served(target):
        raise click.UsageError("This is done in the server's store, not through the server: give --url STORE.")
    with closing(_here(target)) as here:
        yield here.store


def _here(target: Target) -> Here:
    return Here(open_engine(target.config().url), SystemClock())


@contextmanager
def server_packages() -> Iterator[None]:
    """Import what needs the server's packages within the block; without them, the error names what to install."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError.of(f"this needs the server's packages ({error})", "server") from None
