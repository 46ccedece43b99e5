"""Who holds which job: looking up claims, storing what a search proposes, heartbeats, and settling what is overdue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from sweepstake.domain.addresses import called, no_experiment
from sweepstake.domain.keys import is_name, name_of
from sweepstake.domain.records import Beat, Claim, JobDraft, JobRecord
from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome, Signal
from sweepstake.errors import LeaseLostError, LimitReachedError
from sweepstake.plaintext import counted
from sweepstake.stores import rows
from sweepstake.stores.adding import check_running_limit
from sweepstake.stores.dependencies import follow
from sweepstake.stores.engine import Row, Transaction
from sweepstake.stores.experiments import ENDED_BY_CLAIM
from sweepstake.stores.guards import key_reused
from sweepstake.stores.jobs import read_job

__all__ = [
    "add_proposal",
    "claim_proposal",
    "find_claim",
    "heartbeat",
    "is_overdue",
    "offer",
    "refuse_used_key",
    "settle",
]

_CLAIMED: Final = rows.JOB_COLUMNS


def find_claim(transaction: Transaction, name: str, key: str) -> Claim | None:
    """Return the claim that was made with this key, if one was.

    Raises:
        LeaseLostError: it was made, and is over.
        KeyReusedError: the key is that of another experiment's claim, or of a put.
    """
    row = transaction.row("claimed", key=name_of(key)) or transaction.row("claimed", key=key)
    if row is None:
        return None
    experiment, timeout, lease, is_open = row[_CLAIMED:]
    if experiment != name or lease is None:
        raise key_reused()
    if not is_open:
        raise LeaseLostError(f"The job {row[1]!r}, claimed by the first call with this key, is lost; claim another.")
    return Claim(job=rows.job(name, row), key=key, lease=lease, timeout=timeout)


def refuse_used_key(transaction: Transaction, key: str) -> None:
    """Raise KeyReusedError if the key is that of a rarer write, under which nothing is claimed."""
    event = transaction.row("event", key=name_of(key))
    if event is not None and event[3] != ENDED_BY_CLAIM:
        raise key_reused()


def is_overdue(transaction: Transaction, name: str) -> bool:
    """Tell whether a lease or a delay of the experiment's has run out."""
    row = transaction.row("probe", name=name)
    if row is None:
        raise no_experiment(name)
    return bool(row[0] or row[1])


def settle(transaction: Transaction, name: str, uptime: float) -> int:
    """End overdue leases and due delays, at most 100 of each, and return how many."""
    overdue = transaction.rows("overdue", name=name, uptime=uptime)
    for seq, number, key, losses, max_lost, dependants in overdue:
        status = JobStatus.QUEUED if losses < max_lost else JobStatus.CRASHED
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
    return len(overdue) + transaction.run("end_delays", name=name)


def heartbeat(transaction: Transaction, attempts: Sequence[str]) -> tuple[Beat, ...]:
    """Renew the leases of the attempts that are open, and say what became of the others."""
    names = {key: name_of(key) for key in attempts if not is_name(key)}
    found = _beats(transaction, names.values())
    if len(found) < len(names):  # those that were begun before the store had names
        found |= _beats(transaction, [key for key, name in names.items() if name not in found])
    held = sorted(row[1] for row in found.values() if row[2])
    if held:
        transaction.run("renew", seqs=json.dumps(held))
    return tuple(Beat(key, _signal(found.get(names.get(key, "")) or found.get(key))) for key in attempts)


def _beats(transaction: Transaction, names: Iterable[str]) -> dict[str, Row]:
    keys = json.dumps(list(names))
    transaction.rows("lock_attempts", keys=keys)
    return {row[0]: row for row in transaction.rows("beats", keys=keys)}


def _signal(row: Row | None) -> Signal:
    if row is None:
        return Signal.LOST
    if row[2]:
        return Signal.CONTINUE
    return Signal.PRUNE if row[3] == Outcome.PRUNED else Signal.LOST


def claim_proposal(
    transaction: Transaction, name: str, draft: JobDraft, *, proposals: int, worker: str, key: str
) -> Claim | None:
    """Create the draft RUNNING with a lease, if exactly `proposals` were made before."""
    reserved = _reserve(transaction, name, proposals)
    if reserved is None:
        return None
    number, max_running, lease, timeout = reserved
    lease = float(lease)  # RETURNING shows the integer that SQLite keeps for a whole number
    check_running_limit(transaction, name, number, max_running, 1)
    transaction.add_jobs([rows.draft_row(number, draft, name_of(key), transaction.now())])
    row = transaction.row("lease_job", experiment_id=number, id=draft.id, worker=worker, lease=lease)
    assert row is not None, "it was inserted above"
    transaction.run("begin_attempt", seq=row[0], number=1, key=name_of(key), worker=worker, lease=lease)
    return Claim(job=rows.job(name, row), key=key, lease=lease, timeout=timeout)


def add_proposal(transaction: Transaction, name: str, draft: JobDraft, *, proposals: int, key: str) -> JobRecord | None:
    """Create the draft QUEUED, if exactly `proposals` were made before."""
    reserved = _reserve(transaction, name, proposals)
    if reserved is None:
        return None
    transaction.add_jobs([rows.draft_row(reserved[0], draft, name_of(key), transaction.now())])
    return rows.job(name, read_job(transaction, name, reserved[0], draft.id))


def _reserve(transaction: Transaction, name: str, proposals: int) -> Row | None:
    """Count one more proposal, if exactly so many were made before."""
    reserved = transaction.row("reserve_proposal", name=name, proposals=proposals)
    if reserved is not None:
        return reserved
    limits = transaction.row("limits", name=name)
    if limits is None:
        raise no_experiment(name)
    _, made, status, max_jobs, created, _ = limits
    if made == proposals and status == ExperimentStatus.RUNNING and max_jobs is not None and created >= max_jobs:
        raise LimitReachedError(
            f"The experiment {called(name)!r} may have {counted(max_jobs, 'job')}, and has created all."
        )
    return None


def offer(transaction: Transaction, name: str) -> JobRecord | None:
    """Return the first ready job that was not offered within the last second, else the first ready one."""
    limits = transaction.row("limits", name=name)
    if limits is None:
        raise no_experiment(name)
    number, _, status, _, _, max_running = limits
    if status != ExperimentStatus.RUNNING:
        return None
    if max_running is not None:
        running = transaction.row("count_running", experiment_id=number)
        if running is not None and running[0] >= max_running:
            return None
    row = transaction.row("offer", experiment_id=number, fresh=1) or transaction.row(
        "offer", experiment_id=number, fresh=0
    )
    if row is None:
        return None
    transaction.run("mark_offered", seq=row[0])
    return rows.job(name, row)
