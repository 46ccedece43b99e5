"""How often passwords were tried in vain, counted for all servers of a store together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sweepstake.domain.access import TryLimit, Wait
from sweepstake.queue.store import Store
from sweepstake.stores.engine import Transaction

__all__ = ["forget_tries", "take_try"]

#: Seconds after which tries count no more.
_MEMORY: Final = 900.0
#: Seconds by which a try may seem to be of the future, because the clock was set back, before it is forgotten.
_AHEAD: Final = 5.0


def take_try(store: Store, limits: Mapping[str, TryLimit]) -> Wait | None:
    """Count one more try for each subject; if any must wait, count none and return which, and how long.

    Nothing is stored of a subject that was not counted. Tries are forgotten 15 minutes after the last one, and
    when the clock was set back behind it. Exact, whoever races.

    Args:
        store: where tries are kept.
        limits: of each subject, in the order in which they are looked at.
    """
    with store.write() as transaction:
        now = transaction.now()
        transaction.run("forget_old_tries", before=now - _MEMORY, after=now + _AHEAD)
        for subject, limit in limits.items():  # most who have to wait are told so without a lock
            row = transaction.row("tries_of", subject=subject)
            wait = None if row is None else _wait(subject, row[1] - now, limit)
            if wait is not None:
                return wait
        found = {subject: _lock_tries(transaction, subject) for subject in sorted(limits)}
        for subject, (_, free_at) in found.items():
            wait = _wait(subject, free_at - now, limits[subject])
            if wait is not None:
                _forget_untried(transaction, found)
                return wait
        over = {subject for subject, (tries, _) in found.items() if tries >= limits[subject].free}
        for subject, (tries, _) in found.items():
            free_at = now + limits[subject].delay(tries + 1, crowd=bool(over - {subject}))
            transaction.run("count_try", subject=subject, tries=tries + 1, free_at=free_at)
    return None


def forget_tries(store: Store, cleared: Sequence[str], eased: Sequence[str]) -> None:
    """Forget the tries of the `cleared` subjects, and one of each of the `eased`: it was not in vain."""
    with store.write() as transaction:
        for subject in sorted({*cleared, *eased}):
            transaction.run("forget_tries" if subject in cleared else "ease_tries", subject=subject)


def _lock_tries(transaction: Transaction, subject: str) -> tuple[int, float]:
    """Return how often the subject was tried, and from when it may be tried again."""
    transaction.run("begin_tries", subject=subject)
    row = transaction.row("lock_tries", subject=subject)
    return (0, 0.0) if row is None else (row[0], row[1])


def _forget_untried(transaction: Transaction, found: Mapping[str, tuple[int, float]]) -> None:
    for subject, (tries, _) in found.items():
        if not tries:
            transaction.run("forget_tries", subject=subject)


def _wait(subject: str, seconds: float, limit: TryLimit) -> Wait | None:
    """Return how long to wait, which is never longer than the limit has, wherever the clock was set."""
    seconds = min(seconds, float(limit.longest))
    return Wait(subject, seconds) if seconds > 0 else None
