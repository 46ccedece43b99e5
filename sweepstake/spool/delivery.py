"""Delivering what the spool holds."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from attrs import evolve, frozen

from sweepstake.domain.addresses import exact
from sweepstake.domain.records import Finished
from sweepstake.domain.status import Outcome
from sweepstake.errors import (
    NotFoundError,
    SpoolError,
    StoreUnavailableError,
    SweepstakeError,
)
from sweepstake.queue.queue import Queue
from sweepstake.spool.entry import CREDENTIALS, Entry
from sweepstake.spool.folder import Spool

__all__ = ["Delivery", "Fate", "deliver"]

_FUTILE: Final = (StoreUnavailableError, *CREDENTIALS)

_logger = logging.getLogger(__name__)


class Fate(StrEnum):
    """What became of an entry."""

    RECORDED = "recorded"
    #: The attempt was over; the results are kept as its late results.
    LATE = "late"
    #: It stays, and is tried again.
    WAITING = "waiting"
    #: It stays, and only `sweepstake spool push` tries it again.
    UNDELIVERABLE = "undeliverable"


@frozen(kw_only=True)
class Delivery:
    """One try to deliver an entry.

    Attributes:
        ended: how the attempt ended in the end; None when the store did not take the report.
        futile: others will fare no better: the store does not answer, or not to these credentials.
    """

    entry: Entry
    fate: Fate
    ended: Outcome | None = None
    futile: bool = False


def deliver(spool: Spool, queue: Queue, keys: Iterable[str], *, hopeless: bool = False) -> Iterator[Delivery]:
    """Report what these entries hold, each once, and yield what became of it; entries that are gone are passed over.

    It stops when the store is away, or takes nothing from us. A report that was delivered before, by whomever, is
    recorded once all the same.

    Args:
        spool: where the entries are.
        queue: the store that they are meant for.
        keys: which entries.
        hopeless: also those that are marked undeliverable.

    Raises:
        SpoolError: what is known of an entry cannot be written.
    """
    for key in keys:
        try:
            entry = spool.read(key)
        except NotFoundError:
            continue
        except SpoolError as error:  # the others must not wait for somebody to mend this one
            _logger.warning("An entry of the spool is passed over: %s", error)
            continue
        if entry.hopeless and not hopeless:
            continue
        delivery = _deliver(spool, queue, entry)
        yield delivery
        if delivery.futile:
            return


def _finish(queue: Queue, entry: Entry) -> Finished:
    """Report to the experiment that the job belongs to, whoever has made another of its name since.

    The address of all that is older than addresses is its name. A client of an older version may have been told
    `owner/name` for it instead.
    """
    address = entry.address or entry.experiment
    try:
        return queue.finish(exact(address), entry.job, entry.report, key=entry.key, repeat=True)
    except NotFoundError:
        if entry.address:
            raise
    return queue.finish(entry.experiment, entry.job, entry.report, key=entry.key, repeat=True)


def _is_meant_for(queue: Queue, entry: Entry) -> bool:
    if entry.identity is None:
        return True
    if queue.identity is None:  # a server says it with its first answer, if its version does
        queue.list_experiments()
    return queue.identity in (None, entry.identity)


def _leave_for_another(spool: Spool, entry: Entry) -> Delivery:
    """Let a report wait for its own store: another one would say that there is no such job."""
    left = evolve(entry, last_error=f"another store is at {entry.store} now than the one that the report is for")
    if left != entry:
        spool.update(left)
    return Delivery(entry=left, fate=Fate.WAITING)


def _deliver(spool: Spool, queue: Queue, entry: Entry) -> Delivery:
    try:
        if not _is_meant_for(queue, entry):
            return _leave_for_another(spool, entry)
        finished = _finish(queue, entry)
    except SweepstakeError as error:
        left = entry.refused(error)
        spool.update(left)
        fate = Fate.UNDELIVERABLE if left.hopeless else Fate.WAITING
        return Delivery(entry=left, fate=fate, futile=isinstance(error, _FUTILE))
    spool.drop(entry.key)
    fate = Fate.RECORDED if finished.recorded else Fate.LATE
    return Delivery(entry=entry, fate=fate, ended=finished.ended)
