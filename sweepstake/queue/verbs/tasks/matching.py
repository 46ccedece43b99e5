"""What a worker offers against what jobs need."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from attrs import frozen

from sweepstake.domain.records import NoJob
from sweepstake.domain.status import ExperimentStatus, NoJobReason
from sweepstake.domain.tasks.needs import Needs
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.experiments import experiment_id, limits_of, outlook
from sweepstake.stores.engine import Transaction
from sweepstake.stores.rows import TaskRow

__all__ = ["ProposedTask", "none_for_offer", "proposed_task", "read_needs", "read_needs_of"]


@frozen(kw_only=True)
class ProposedTask:
    """The task whose jobs an experiment's search proposes.

    Attributes:
        row: what its jobs keep of it.
    """

    name: str
    needs: Needs
    row: TaskRow


#: Needs never change, and those of a job that is claimed were read for others before.
read_needs = lru_cache(maxsize=10_000)(Needs.of)


def read_needs_of(store: Store, name: str) -> Mapping[int, Needs]:
    """Return the distinct needs of an experiment's tasks, by number; they are few."""
    with store.read() as transaction:
        return {number: read_needs(text) for number, text in transaction.rows("needs_of", name=name)}


def proposed_task(transaction: Transaction, name: str) -> ProposedTask | None:
    """Return the task whose jobs the search proposes to workers that offer enough for them, if there is one."""
    row = transaction.row("proposed_task", experiment_id=experiment_id(transaction, name))
    if row is None:
        return None
    task, version, number, text = row
    return ProposedTask(name=task, needs=read_needs(text), row=TaskRow(version, number))


def none_for_offer(store: Store, name: str) -> NoJob:
    """Return why no job was claimed for an offer."""
    with store.read() as transaction:
        limits = limits_of(transaction, name)
        if limits.status != ExperimentStatus.RUNNING:
            return NoJob(NoJobReason.FINISHED)
        found = outlook(transaction, name)
        if transaction.row("ready_kinds", experiment_id=limits.number) is not None:
            return NoJob(NoJobReason.AT_LIMIT if found.full else NoJobReason.UNMET)
    if found.delayed:
        return NoJob(NoJobReason.DELAYED)
    return NoJob(NoJobReason.BLOCKED if found.blocked else NoJobReason.EMPTY)
