"""Whose tasks a worker runs: nobody's share makes a machine run his command."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator

from sweepstake.client import Database, Experiment

__all__ = ["own_name", "trusted_experiments"]


def own_name(database: Database) -> str:
    """Return who owns the experiments that are this user's: an email, or "" where nobody is asked for credentials."""
    return database.session.queue.who_am_i() or ""


def trusted_experiments(
    database: Database, owners: Collection[str], told: set[str], tell: Callable[[str], None]
) -> Iterator[Experiment]:
    """Yield the experiments of some owners.

    Args:
        database: where they are.
        owners: whose; "" for those that have none.
        told: the owners of whom people know that their experiments are passed over; those met here are added.
        tell: takes a line for people.
    """
    for experiment in database.get_experiments():
        owner = experiment.owner or ""
        if owner in owners:
            yield experiment
        elif owner not in told:
            told.add(owner)
            whose = f"of {owner}" if owner else "without an owner"
            tell(
                f"experiments {whose} are passed over, such as {experiment.name}: their tasks run here only where they "
                f"are named, or with --trust {shlex.quote(owner)}"
            )
