"""Taking jobs that are named, in the order in which they are named."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sweepstake.domain.keys import name_of
from sweepstake.domain.status import ExperimentStatus
from sweepstake.domain.tasks.needs import Needs, Offer, unmet
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.experiments import experiment_id, limits_of
from sweepstake.queue.verbs.tasks.gangs import give_up_late, join
from sweepstake.queue.verbs.tasks.matching import read_needs_of
from sweepstake.queue.verbs.tasks.taking import Taken
from sweepstake.stores.engine import Row, Transaction
from sweepstake.stores.rows import JOB_COLUMNS, JobRow

__all__ = ["take_named"]


class _Ready(NamedTuple):
    """A job that is named, and ready."""

    seq: int
    needs: int
    gang: str | None


def take_named(
    store: Store, name: str, worker: str, keys: Sequence[str], ids: Sequence[str], offer: Offer | None
) -> Taken:
    """Take those of these jobs that are ready, in one transaction; one that does not fit is overtaken.

    Args:
        store: where they are.
        name: the address of their experiment.
        worker: who takes them.
        keys: one for each that is wanted.
        ids: of the jobs, in the order in which they are tried.
        offer: what there is for them: only jobs of tasks that fit what is left of it; None: any that is in no gang.
    """
    needs = {} if offer is None else read_needs_of(store, name)
    gangs = any(each.replicas > 1 for each in needs.values())
    taken: list[Row] = []
    with store.write() as transaction:
        transaction.row("lock_experiment", name=name)  # as each claim does: who asks for the same jobs comes after us
        number = experiment_id(transaction, name)
        if gangs:
            give_up_late(transaction, name, number)
        ready = [_Ready(*row) for row in transaction.rows("ready_of", experiment_id=number, ids=json.dumps(ids))]
        for key in keys[: _most(transaction, name)]:
            collecting = transaction.row("collecting", experiment_id=number) if gangs else None
            row: Row | None = None
            for job in _fitting(ready, needs, offer, None if collecting is None else collecting[0]):
                ready.remove(job)
                row = transaction.claim(
                    name=name, worker=worker, key=name_of(key), fitting="[]", member=str(job.seq)
                )  # None if somebody else is about to take it
                if row is not None:
                    break
            if row is None:
                break
            taken.append(row)
            if offer is not None:
                offer = offer.less(needs[job.needs])
            if job.gang is not None:
                join(transaction, number, JobRow._make(row[:JOB_COLUMNS]))
    misfits = offer is not None and any(unmet(needs[job.needs], offer) for job in ready if job.needs in needs)
    return Taken(rows=taken, misfits=misfits)


def _most(transaction: Transaction, name: str) -> int | None:
    """Return how many jobs may begin; None: any number. Each claim sees to it; this spares those that are in vain."""
    limits = limits_of(transaction, name)
    if limits.status != ExperimentStatus.RUNNING:
        return 0
    if limits.max_running is None:
        return None
    running = transaction.row("count_running", experiment_id=limits.number)
    assert running is not None, "a count always has a row"
    return max(limits.max_running - int(running[0]), 0)


def _fitting(
    ready: Sequence[_Ready], needs: Mapping[int, Needs], offer: Offer | None, member: int | None
) -> Sequence[_Ready]:
    """Return those that may be taken, in their order; of gangs only the next of the one that collects, if one does."""
    if offer is None:
        return [job for job in ready if job.gang is None]
    met = {number for number, wanted in needs.items() if unmet(wanted, offer) is None}
    return [job for job in ready if job.needs in met and (job.gang is None or member in (None, job.seq))]
