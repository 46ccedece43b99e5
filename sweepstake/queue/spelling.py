"""What somebody writes to mean an experiment, where several have its name."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from sweepstake.domain.addresses import choose, names_to_look_for, qualified
from sweepstake.domain.records import ExperimentRecord
from sweepstake.errors import AmbiguousNameError, NotFoundError
from sweepstake.queue.addresses import standings
from sweepstake.queue.store import Store

__all__ = ["spellings"]


def spellings(store: Store, experiments: Sequence[ExperimentRecord], viewer: str | None) -> list[str]:
    """Return for each of these what the user `viewer` writes to mean it: its name, or `owner/name`."""
    with store.read() as transaction:
        shared = frozenset(row[0] for row in transaction.rows("shared_names"))
    return [_spelling(store, each, viewer) if _may_clash(each, shared) else each.name for each in experiments]


def _may_clash(experiment: ExperimentRecord, shared: frozenset[str]) -> bool:
    return experiment.name in shared or len(names_to_look_for(experiment.name)) > 1


def _spelling(store: Store, experiment: ExperimentRecord, viewer: str | None) -> str:
    with store.read() as transaction:
        found = standings(transaction, names_to_look_for(experiment.name), viewer)
    with suppress(AmbiguousNameError, NotFoundError):
        if choose(experiment.name, found, viewer).address == experiment.address:
            return experiment.name
    return qualified(experiment.owner, experiment.name)
