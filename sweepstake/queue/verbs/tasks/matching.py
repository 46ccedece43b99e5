"""What a worker offers against what jobs need."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from attrs import frozen

from sweepstake.domain.tasks.needs import Needs
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.stores.engine import Transaction
from sweepstake.stores.rows import TaskRow

__all__ = ["ProposedTask", "proposed_task", "read_needs", "read_needs_of"]


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
