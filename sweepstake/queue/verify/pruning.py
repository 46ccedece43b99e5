"""`prune_events`: old events go, but for those that say of what is there how it came to be."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Final

from sweepstake.domain.portable import HIDDEN
from sweepstake.queue.calls import DeleteExperiment, PutExperiment, RetryJob
from sweepstake.queue.verify.facts import LedgerEvent
from sweepstake.queue.verify.ledger import Ledger
from sweepstake.queue.verify.rules import base_key, origin_keys

__all__ = ["LEAST_AGE", "prune_events"]

#: Seconds for which every event stays: a call may be repeated with its key for so long.
LEAST_AGE: Final = 7 * 86400.0
_PAGE: Final = 500
#: Of an experiment that is there, how it was defined, and where its history and its budgets begin.
_OF_EXPERIMENTS: Final = tuple(kind.word for kind in (PutExperiment, DeleteExperiment, RetryJob))

Progress = Callable[[int, int], None]


def prune_events(ledger: Ledger, *, before: float, progress: Progress = lambda _done, _all: None) -> int:
    """Delete the events of before a Unix time that nothing refers to any more, in short pages, and return how many.

    What `verify` looks for stays: the writes that the jobs' etags name, the definitions and retries of experiments that
    are there, and imports under way. It needs 8 bytes of memory for each job that no attempt has written.

    Args:
        ledger: of the store.
        before: at least LEAST_AGE ago.
        progress: is told how much of how much was looked at.
    """
    extent = ledger.extent()
    total = extent.last_job + extent.last_event
    needed = _needed(ledger, lambda seq: progress(min(seq, extent.last_job), total))
    after, forgotten = 0, 0
    while events := ledger.events(after, 2 * _PAGE):
        names = ledger.names()  # read after the events: an import that ended meanwhile has its name by now
        old = [event for event in events if event.at < before and not _stays(event, names, needed)]
        ledger.forget([event.seq for event in old], before)
        forgotten += len(old)
        after = events[-1].seq
        progress(extent.last_job + min(after, extent.last_event), total)
    return forgotten


def _stays(event: LedgerEvent, names: frozenset[str], needed: array[int]) -> bool:
    if event.experiment.startswith(HIDDEN):
        return True
    if event.experiment in names and event.verb in _OF_EXPERIMENTS:
        return True
    mark = _mark(event.key)
    place = bisect_left(needed, mark)
    return place < len(needed) and needed[place] == mark


def _needed(ledger: Ledger, progress: Callable[[int], None]) -> array[int]:
    """Return the marks of the keys that etags of jobs name, sorted. A new etag names a new event, so none is missed."""
    return array("Q", sorted(_marks(ledger, progress)))


def _marks(ledger: Ledger, progress: Callable[[int], None]) -> array[int]:
    marks, last = array("Q"), -1
    for key in _origins(ledger, progress):
        if (mark := _mark(key)) != last:  # jobs that were made together name one event
            marks.append(mark)
            last = mark
    return marks


def _origins(ledger: Ledger, progress: Callable[[int], None]) -> Iterator[str]:
    after = 0
    while jobs := ledger.jobs(after, _PAGE):
        for job in jobs:
            yield from origin_keys(job)
        after = jobs[-1].seq
        progress(after)


def _mark(key: str) -> int:
    """Return a number that two keys hardly share; where they do, an event stays that might go."""
    return int.from_bytes(hashlib.blake2b(base_key(key).encode(), digest_size=8).digest())
