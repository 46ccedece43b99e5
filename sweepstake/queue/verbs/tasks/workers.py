"""Workers that are alive: what they say of themselves, and who they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

from sweepstake.codec import from_tree, to_tree
from sweepstake.domain.tasks.needs import Offer
from sweepstake.domain.workers import LIVE_SECONDS, MOST_LISTED, WorkerRecord, WorkerReport
from sweepstake.queue.calls import ListWorkers
from sweepstake.queue.store import Store, performs
from sweepstake.stores.engine import Transaction

__all__ = ["hostname_of", "note_worker", "offers_for"]


@performs(ListWorkers)
def list_workers(store: Store, call: ListWorkers) -> tuple[WorkerRecord, ...]:
    """Return the workers that are alive, by name."""
    with store.read() as transaction:
        found = transaction.rows("workers", viewer=call.viewer, seconds=LIVE_SECONDS, most=MOST_LISTED)
    return tuple(
        WorkerRecord(name=name, slots=_offer(slots), free=_offer(free), seen_at=seen_at, owner=owner or None)
        for name, slots, free, seen_at, owner in found
    )


def note_worker(transaction: Transaction, report: WorkerReport, email: str | None) -> None:
    """Keep what a worker says of itself."""
    who = {"owner": email or "", "name": report.name}
    if report.leaves:
        transaction.run("forget_worker", **who)
        return
    transaction.run("forget_old_workers")  # before it locks a row of its own, for which others may wait
    transaction.run("see_worker", **who, slots=_text(report.slots), free=_text(report.free))


def offers_for(transaction: Transaction, number: int) -> Sequence[tuple[str, Offer]]:
    """Return the names of the live workers that may work in an experiment, and all that each has."""
    found = transaction.rows("workers_for", experiment_id=number, seconds=LIVE_SECONDS, most=MOST_LISTED)
    return [(name, _offer(slots)) for name, slots in found]


def hostname_of(transaction: Transaction, number: int, worker: str | None) -> str | None:
    """Return the host of a live worker that may work in an experiment, if it says that among its labels."""
    if worker is None:
        return None
    row = transaction.row("worker_of", experiment_id=number, name=worker, seconds=LIVE_SECONDS)
    return None if row is None else next(iter(_offer(row[0]).values("hostname")), None)


def _text(offer: Offer) -> str:
    return json.dumps(to_tree(offer), separators=(",", ":"))


@lru_cache(maxsize=1000)
def _offer(text: str) -> Offer:
    return from_tree(json.loads(text), Offer)
