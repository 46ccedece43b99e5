"""Whose experiments are whose, and what others may do with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sweepstake.domain.access import Access, Role, Share, Standing
from sweepstake.domain.addresses import called, no_experiment
from sweepstake.domain.keys import is_name, name_of
from sweepstake.errors import InvalidInputError
from sweepstake.queue import addresses
from sweepstake.queue.calls import GetAccess, ShareExperiment, UnshareExperiment
from sweepstake.queue.store import Store, performs
from sweepstake.stores.engine import DuplicateError, Transaction

__all__ = ["experiments_of", "get_access", "give", "share", "standing", "standings", "unshare"]


@performs(GetAccess)
def get_access(store: Store, call: GetAccess) -> Access:
    """Return whose an experiment is."""
    address = store.at(call.name)
    with store.read() as transaction:
        return _access(transaction, address)


@performs(ShareExperiment)
def share(store: Store, call: ShareExperiment) -> None:
    """Let a user do with an experiment what the role allows."""
    address = store.at(call.name)
    with store.write() as transaction:
        number, owner, _ = _whose(transaction, address)
        if owner is None:
            raise InvalidInputError.at(
                "name", "is everybody's, so there is nothing to share; the operator can give it to a user first"
            )
        if owner == call.email:
            raise InvalidInputError.at("email", "owns the experiment already")
        if not transaction.run("share", experiment_id=number, email=call.email, role=str(call.share.role)):
            raise _unknown()


@performs(UnshareExperiment)
def unshare(store: Store, call: UnshareExperiment) -> None:
    """Share an experiment with a user no more."""
    address = store.at(call.name)
    with store.write() as transaction:
        number, _, _ = _whose(transaction, address)
        transaction.run("unshare", experiment_id=number, email=call.email)


def give(store: Store, reference: str, email: str | None) -> Access:
    """Make an experiment this user's, or everybody's; its shares stay. Return whose it is now.

    Raises:
        NotFoundError: no such experiment.
        InvalidInputError: no such user, or one who has an experiment of that name.
    """
    address = store.at(reference)
    try:
        with store.write() as transaction:
            number, _, name = _whose(transaction, address)
            if email is not None and transaction.row("user", email=email) is None:
                raise _unknown()
            if addresses.own_address(transaction, name, email) not in (None, address):
                raise _has_one(name)
            transaction.run("give_experiment", experiment_id=number, owner=email)
            return _access(transaction, address)
    except DuplicateError as error:  # made a moment ago
        raise _has_one(called(address)) from error


def standing(store: Store, email: str, address: str) -> Standing | None:
    """Tell what a user may do with an experiment; None when there is no such experiment."""
    with store.read() as transaction:
        row = transaction.row("standing", email=email, name=address)
    return None if row is None else addresses.standing_of(row, email)


def standings(store: Store, names: Sequence[str], viewer: str | None) -> list[Standing]:
    """Return the experiments with one of these names that the user `viewer` may see; None: all of them."""
    with store.read() as transaction:
        return addresses.standings(transaction, names, viewer)


def experiments_of(store: Store, attempts: Sequence[str]) -> Mapping[str, str]:
    """Return the address of the experiment for each of these attempts that is there."""
    if not attempts:
        return {}
    names = {key: name_of(key) for key in attempts if not is_name(key)}  # everybody may know a name
    with store.read() as transaction:
        keys = json.dumps([*names, *names.values()])
        found: dict[str, str] = dict(transaction.rows("experiments_of", keys=keys))
    experiments = {key: found.get(name, found.get(key)) for key, name in names.items()}
    return {key: experiment for key, experiment in experiments.items() if experiment is not None}


def _access(transaction: Transaction, address: str) -> Access:
    number, owner, _ = _whose(transaction, address)
    shares = transaction.rows("shares", experiment_id=number)
    return Access(owner=owner, shares=tuple(Share(row[0], Role(row[1])) for row in shares))


def _whose(transaction: Transaction, address: str) -> tuple[int, str | None, str]:
    row = transaction.row("whose", name=address)
    if row is None:
        raise no_experiment(address)
    return row[0], row[1], row[2]


def _has_one(name: str) -> InvalidInputError:
    return InvalidInputError.at("email", f"has an experiment {name!r} already")


def _unknown() -> InvalidInputError:
    return InvalidInputError.at("email", "is no user of this server")
