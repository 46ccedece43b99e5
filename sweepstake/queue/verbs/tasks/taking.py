"""Taking jobs of tasks for what a worker offers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from attrs import frozen

from sweepstake.domain.keys import name_of
from sweepstake.domain.tasks.needs import Needs, Offer, unmet
from sweepstake.domain.tasks.waiting import Waiting
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.queue.verbs.tasks.gangs import give_up_late, join
from sweepstake.queue.verbs.tasks.matching import read_needs_of
from sweepstake.stores import rows
from sweepstake.stores.engine import Row, Transaction
from sweepstake.stores.rows import JOB_COLUMNS

__all__ = ["Taken", "next_for_offer", "take_for_offer", "waits_for_gang"]


@frozen(kw_only=True)
class Taken:
    """What was taken.

    Attributes:
        rows: of the jobs, as a transaction answers a claim.
        waiting: the job that waits for more than was offered; see `Claims`.
        misfits: jobs that were named are ready, and need more than is left of the offer.
    """

    rows: Sequence[Row] = ()
    waiting: Waiting | None = None
    misfits: bool = False


@frozen(kw_only=True)
class _Candidates:
    """Jobs that may be taken next.

    Attributes:
        needs: the numbers of theirs, of which any job may be taken.
        member: the next job of the gang that collects, if one does.
    """

    needs: Sequence[int] = ()
    member: str | None = None


@frozen
class _First:
    """A ready job, and where it stands among others."""

    seq: int
    id: str
    priority: int
    needs: int

    def precedes(self, row: Row, collecting: Row | None) -> bool:
        """Tell whether it comes before one that was taken; the next of the gang that collects is before its equals."""
        job = rows.JobRow._make(row[:JOB_COLUMNS])
        member = None if collecting is None else collecting[0]
        return (-self.priority, self.seq != member, self.seq) < (-job.priority, job.seq != member, job.seq)


def take_for_offer(
    store: Store, name: str, worker: str, keys: Sequence[str], offer: Offer, slots: Offer | None = None
) -> Taken:
    """Take ready jobs of tasks in one transaction, each of which fits what is left of the offer.

    Args:
        store: where they are.
        name: the address of their experiment.
        worker: who takes them.
        keys: one for each; with none, what waits is the next job that fits the slots, whether it fits the offer or not.
        offer: what there is for them.
        slots: what the worker has as a whole, if it wants to know what waits.
    """
    needs = read_needs_of(store, name)
    gangs = any(each.replicas > 1 for each in needs.values())
    taken: list[Row] = []
    waiting: _First | None = None
    with store.write() as transaction:
        number = 0
        if gangs:
            transaction.row("lock_experiment", name=name)
        if gangs or slots is not None:
            number = experiment_id(transaction, name)
        if gangs:
            give_up_late(transaction, name, number)
        collecting = transaction.row("collecting", experiment_id=number) if gangs else None
        if not keys:
            waiting = _first(transaction, number, _candidates(needs, slots or offer, collecting))
        for key in keys:
            fitting = _candidates(needs, offer, collecting)
            large = None if slots is None else _first(transaction, number, _candidates(needs, slots, collecting, offer))
            row = transaction.claim(
                name=name,
                worker=worker,
                key=name_of(key),
                fitting=json.dumps(fitting.needs),
                member=fitting.member,
                least=None if large is None else large.priority,
            )
            if large is not None and (row is None or large.precedes(row, collecting)):
                waiting = large
            if row is None:
                break
            taken.append(row)
            offer = offer.less(needs[row[-1]])
            job = rows.JobRow._make(row[:JOB_COLUMNS])
            if job.gang is not None:
                join(transaction, number, job)
                collecting = transaction.row("collecting", experiment_id=number)
    return Taken(rows=taken, waiting=None if waiting is None else _told(waiting, needs))


def next_for_offer(
    transaction: Transaction, number: int, needs: Mapping[int, Needs], offer: Offer, slots: Offer | None
) -> int | None:
    """Return the number of the job that `take_for_offer` would take now; None if there is none."""
    collecting = transaction.row("collecting", experiment_id=number)
    first = _first(transaction, number, _candidates(needs, offer, collecting))
    large = None if slots is None else _first(transaction, number, _candidates(needs, slots, collecting, offer))
    if first is None or (large is not None and first.priority < large.priority):
        return None
    return first.seq


def waits_for_gang(transaction: Transaction, number: int, needs: Mapping[int, Needs], offer: Offer) -> bool:
    """Tell whether a ready job fits an offer that `take_for_offer` takes only once the gang that collects has begun."""
    if transaction.row("collecting", experiment_id=number) is None:
        return False
    gangs = {found: wanted for found, wanted in needs.items() if wanted.replicas > 1}
    return _first(transaction, number, _candidates(gangs, offer, None)) is not None


def _candidates(
    needs: Mapping[int, Needs], offer: Offer, collecting: Row | None, without: Offer | None = None
) -> _Candidates:
    """Return what an offer meets, without what another meets as well."""
    met = [
        number
        for number, wanted in needs.items()
        if unmet(wanted, offer) is None and (without is None or unmet(wanted, without) is not None)
    ]
    if collecting is None:
        return _Candidates(needs=met)
    single = [number for number in met if needs[number].replicas == 1]
    return _Candidates(needs=single, member=str(collecting[0]) if collecting[1] in met else None)


def _first(transaction: Transaction, number: int, candidates: _Candidates) -> _First | None:
    """Return the next ready job of these."""
    if not candidates.needs and candidates.member is None:
        return None
    fitting = json.dumps(candidates.needs)
    row = transaction.row("first_ready", experiment_id=number, fitting=fitting, member=candidates.member)
    return None if row is None else _First(*row)


def _told(first: _First, needs: Mapping[int, Needs]) -> Waiting:
    wanted = needs[first.needs]
    return Waiting(id=first.id, priority=first.priority, cpu=wanted.cpu, gpu=wanted.gpu, memory=wanted.memory)
