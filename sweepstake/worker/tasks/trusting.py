"""Whose tasks a worker runs: nobody's share makes a machine run his command."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator

from sweepstake.client import Database, Experiment

__all__ = ["own_names", "trusted_experiments"]


def own_names(database: Database, url: str) -> Collection[str] | None:
    """Return who owns the experiments that are this user's.

    Args:
        database: where they are.
        url: of it.

    Returns:
        An email; "" for those without an owner, where nobody is asked for credentials; None for all: on a file every
        experiment is one's own, also those that users of a server have made in it.
    """
    if url.startswith("sqlite:"):
        return None
    return (database.session.queue.who_am_i() or "",)


def trusted_experiments(
    database: Database, owners: Collection[str] | None, told: set[str], tell: Callable[[str], None]
) -> Iterator[Experiment]:
    """Yield the experiments of some owners.

    Args:
        database: where they are.
        owners: whose; "" for those that have none; None: all.
        told: the owners of whom people know that their experiments are passed over; those met here are added.
        tell: takes a line for people.
    """
    for experiment in database.get_experiments():
        owner = experiment.owner or ""
        if owners is None or owner in owners:
            yield experiment
        elif owner not in told:
            told.add(owner)
            whose = f"of {owner}" if owner else "without an owner"
            tell(
                f"experiments {whose} are passed over, such as {experiment.name}: their tasks run here only where they "
                f"are named, or with --trust {shlex.quote(owner)}"
            )
