"""Renewing leases, and answering that the store is there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sweepstake.domain.keys import is_name, name_of
from sweepstake.domain.records import Beat, Health
from sweepstake.domain.status import Outcome, Signal
from sweepstake.queue.calls import Heartbeat, Ping
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.tasks.workers import note_worker
from sweepstake.stores.engine import Row, Transaction

__all__ = ["beat", "ping"]


@performs(Heartbeat)
def beat(store: Store, call: Heartbeat) -> tuple[Beat, ...]:
    """Renew the leases of the attempts that are open, say what became of the others, and keep who the worker is."""
    if call.worker is not None:
        with store.write(urgent=True) as transaction:
            note_worker(transaction, call.worker, call.email)
    if not call.attempts:
        return ()
    names = {key: name_of(key) for key in call.attempts if not is_name(key)}
    with store.write(urgent=True) as transaction:
        found, busy = _renew_free(transaction, names.values())
        if len(found) + len(busy) < len(names):  # those that were begun before the store had names
            known = {*found, *busy}
            more, others = _renew_free(transaction, [key for key, name in names.items() if name not in known])
            found, busy = found | more, busy + others
    for key in busy:
        with store.write(urgent=True) as transaction:
            transaction.row("lock_attempt", attempt=key)
            found |= _renew(transaction, [key])
    return tuple(Beat(key, _signal(found.get(names.get(key, "")) or found.get(key))) for key in call.attempts)


@performs(Ping)
def ping(store: Store, _call: Ping) -> Health:
    """Return if the store answers."""
    with store.read() as transaction:
        transaction.row("ping")
    return Health("ok")


def _renew_free(transaction: Transaction, keys: Iterable[str]) -> tuple[dict[str, Row], list[str]]:
    """Renew the leases of these attempts but those whose jobs others are writing; return what is there, and those.

    Nobody is waited for: whoever ends several jobs may wait for one that is locked here.
    """
    wanted = list(keys)
    busy = [row[0] for row in transaction.rows("lock_free_attempts", keys=json.dumps(wanted))]
    return _renew(transaction, [key for key in wanted if key not in busy]), busy


def _renew(transaction: Transaction, keys: Sequence[str]) -> dict[str, Row]:
    """Renew the leases of the open ones of these attempts, whose jobs are locked; return all that are there."""
    found = {row[0]: row for row in transaction.rows("beats", keys=json.dumps(keys))}
    held = sorted(row[1] for row in found.values() if row[2])
    if held:
        transaction.run("renew", seqs=json.dumps(held))
    return found


def _signal(row: Row | None) -> Signal:
    if row is None:
        return Signal.LOST
    if row[2]:
        return Signal.CONTINUE
    return Signal.PRUNE if row[3] == Outcome.PRUNED else Signal.LOST
