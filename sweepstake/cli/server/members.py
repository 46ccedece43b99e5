"""Where users, tokens and shares are kept: in a server's store, which may be reached through the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from sweepstake.cli.target import Target
from sweepstake.domain.access import Access, Role
from sweepstake.domain.addresses import choose, names_to_look_for
from sweepstake.errors import MissingExtraError
from sweepstake.queue.accounts import Accounts
from sweepstake.stores import open_engine

if TYPE_CHECKING:  # it loads the HTTP client, which most commands do without
    from sweepstake.http import RemoteAccess

__all__ = ["Sharing", "accounts", "address_in", "is_served", "missing", "server", "sharing"]


class Sharing(Protocol):
    """What a store and a server both do for whoever may."""

    def get_access(self, name: str) -> Access:
        """Return whose an experiment is."""

    def share(self, name: str, email: str, role: Role | None) -> None:
        """Let a user do with an experiment what the role allows; None: no more."""


def is_served(target: Target) -> bool:
    """Tell whether a command goes to a server instead of a store."""
    return (target.config().url).startswith(("http://", "https://"))


@contextmanager
def sharing(target: Target, experiment: str) -> Iterator[tuple[Sharing, str]]:
    """Reach what a store keeps of shares, or what a server lets its caller do; and what names the experiment there."""
    if is_served(target):
        with server(target) as remote:
            yield remote, target.reference(experiment)
    else:
        with accounts(target) as kept:
            yield kept, address_in(kept, target.reference(experiment))


def address_in(kept: Accounts, reference: str) -> str:
    """Return the address of the experiment that the operator of a store means."""
    return choose(reference, kept.standings(names_to_look_for(reference), None), None).address


@contextmanager
def server(target: Target) -> Iterator[RemoteAccess]:
    """Reach what a server lets its caller do."""
    from sweepstake.http import RemoteAccess

    config = target.config()
    remote = RemoteAccess(config.url, config.token)
    try:
        yield remote
    finally:
        remote.close()


@contextmanager
def accounts(target: Target) -> Iterator[Accounts]:
    """Open what a store keeps of users; a server's address is refused."""
    if is_served(target):
        raise click.UsageError("This is done in the server's store, not through the server: give --url STORE.")
    engine = open_engine(target.config().url)
    try:
        yield Accounts(engine)
    finally:
        engine.close()


def missing(error: ImportError) -> MissingExtraError:
    """Return the error for a command that needs the server's packages."""
    return MissingExtraError.of(f"this needs the server's packages ({error})", "server")
