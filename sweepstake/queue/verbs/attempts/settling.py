"""Ending leases that ran out, and delays that are over."""

from __future__ import annotations

from typing import Final

from sweepstake.domain.addresses import no_experiment
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.dependencies import follow
from sweepstake.queue.verbs.tasks.stopping import propagate
from sweepstake.stores import rows
from sweepstake.stores.engine import Transaction

__all__ = ["settle", "settle_at_times"]

#: Seconds between two looks for overdue leases while there are ready jobs.
_PROBE_SECONDS: Final = 1.0
#: How many experiments' looks are remembered.
_MAX_PROBED: Final = 10_000


def settle_at_times(store: Store, name: str) -> None:
    """Settle what is overdue, unless this store looked for it a moment ago."""
    now = store.monotonic()
    last = store.looked.get(name)
    if last is not None and now - last < _PROBE_SECONDS:
        return
    if len(store.looked) >= _MAX_PROBED:
        store.looked.clear()
    store.looked[name] = now
    settle(store, name)


def settle(store: Store, name: str) -> int:
    """Settle what is overdue and return how much that was."""
    with store.read() as transaction:
        if not _is_overdue(transaction, name):
            return 0
    with store.write() as transaction:
        return _settle(transaction, name, store.uptime())


def _is_overdue(transaction: Transaction, name: str) -> bool:
    """Tell whether a lease or a delay of the experiment's has run out."""
    row = transaction.row("probe", name=name)
    if row is None:
        raise no_experiment(name)
    return bool(row[0] or row[1])


def _settle(transaction: Transaction, name: str, uptime: float) -> int:
    """End overdue leases and due delays, at most 100 of each, and return how many."""
    transaction.row("lock_experiment", name=name)  # as `propagate` wants it
    overdue = transaction.rows("overdue", name=name, uptime=uptime)
    ended = []
    for seq, number, key, losses, max_lost, dependants, *columns in overdue:
        status = JobStatus.QUEUED if losses < max_lost else JobStatus.CRASHED
        ended.append((rows.JobRow(*columns), status, f"{key}.lost"))
        transaction.run(
            "end_job",
            seq=seq,
            status=str(status),
            hyperparameters=None,
            results=None,
            etag=f"{key}.lost",
            failures=0,
            losses=1,
            preemptions=0,
            delay=0.0,
        )
        transaction.run(
            "end_attempt",
            seq=seq,
            number=number,
            outcome=str(Outcome.LEASE_LOST),
            reason="no heartbeat came within the lease",
            output="",
            finish_key=None,
        )
        if dependants:
            follow(transaction, seq, JobStatus.RUNNING, status, f"{key}.lost")
    # Only when all have ended: what one of them stops may be another.
    for job, status, etag in ended:
        propagate(transaction, name, job, status, Outcome.LEASE_LOST, etag)
    return len(overdue) + transaction.run("end_delays", name=name)
