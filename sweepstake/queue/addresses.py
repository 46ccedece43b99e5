"""Where the experiments of a name are, and whose they are."""

from __future__ import annotations

from collections.abc import Sequence

from sweepstake.domain.access import Role, Standing
from sweepstake.domain.addresses import free_addresses
from sweepstake.stores.engine import Row, Transaction

__all__ = ["free_address", "own_address", "standing_of", "standings"]


def standings(transaction: Transaction, names: Sequence[str], viewer: str | None) -> list[Standing]:
    """Return the experiments with one of these names that the user `viewer` may see; None: all of them."""
    found = [transaction.rows("standings", called=name, viewer=viewer) for name in names]
    return [standing_of(row, viewer) for rows in found for row in rows]


def standing_of(row: Row, viewer: str | None) -> Standing:
    """Return how the user `viewer` stands to the experiment in a row of `standings`."""
    address, name, owner, etag, shared = row
    own = viewer is None or owner is None or owner == viewer
    role = Role.ADMIN if own else None if shared is None else Role(shared)
    return Standing(address=address, name=name, owner=owner, etag=etag, role=role)


def own_address(transaction: Transaction, name: str, owner: str | None) -> str | None:
    """Return the address of the owner's experiment of that name; None if there is none."""
    row = transaction.row("own_experiment", called=name, owner=owner or "")
    return None if row is None else str(row[0])


def free_address(transaction: Transaction, name: str, owner: str | None, key: str) -> str:
    """Return the address for a new experiment; `key` is that of the call that makes it."""
    *usual, last = free_addresses(owner, name, key)
    return next((address for address in usual if transaction.row("whose", name=address) is None), last)
