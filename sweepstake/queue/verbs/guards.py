"""Whether a call may be made: its guard holds, it was not made before, and its page is not too long."""

from __future__ import annotations

from typing import Any, NamedTuple

from sweepstake.domain.keys import shown_etag
from sweepstake.domain.lengths import MAX_PAGE
from sweepstake.domain.records import Guard, GuardKind
from sweepstake.errors import InvalidInputError, KeyReusedError, ResourceExistsError, UnsafeUpdateError
from sweepstake.queue.call import Call
from sweepstake.stores.engine import Transaction

__all__ = ["Event", "check_guard", "check_limit", "event_of", "is_first", "key_reused", "read_start"]


class Event(NamedTuple):
    """A write in the ledger: what an op key was used for."""

    verb: str
    experiment: str
    job: str
    detail: str


def is_first(
    transaction: Transaction, verb: type[Call[Any]], experiment: str, job: str, key: str, detail: str = ""
) -> bool:
    """Record a write in the ledger; false if the ledger has it already, because its first answer was lost.

    Raises:
        KeyReusedError: the key was used for something else.
    """
    if transaction.run("record_event", verb=verb.word, experiment=experiment, job=job, key=key, detail=detail):
        return True
    event = event_of(transaction, key)
    if event is None or event[:3] != (verb.word, experiment, job):
        raise key_reused()
    return False


def event_of(transaction: Transaction, key: str) -> Event | None:
    """Return what the ledger has of the write that was made with a key, by the name under which it is kept."""
    row = transaction.row("event", key=key)
    return None if row is None else Event(*row)


def check_limit(limit: int) -> None:
    """Raise InvalidInputError unless a page may have this many items."""
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInputError.at("limit", f"must be 1 to {MAX_PAGE}, is {limit}")


def read_start(start: str | None, page: str) -> int:
    """Return the number in the `next` of a page, with which the following one starts; 0 for the first."""
    if start is None:
        return 0
    if not (start.isascii() and start.isdigit() and len(start) <= 18):
        raise InvalidInputError.at("start", f"is not the `next` of {page}")
    return int(start)


def key_reused() -> KeyReusedError:
    """Return the error for an op key that comes back on another call."""
    return KeyReusedError("The key of this call was used for another call before; make a new key for every new write.")


def check_guard(guard: Guard, etag: str | None, what: str) -> None:
    """Raise unless the guard holds for what is stored.

    Args:
        etag: of the stored document, or None when there is none. An etag that was read from a store of before there
            were names, or that a client has made of its key, is as good as its name.
        what: names the document in the error.
    """
    if guard.kind is GuardKind.ABSENT and etag is not None:
        raise ResourceExistsError(f"The {what} exists already.")
    if guard.kind in (GuardKind.MATCH, GuardKind.PRESENT) and etag is None:
        raise UnsafeUpdateError(f"The {what} does not exist any more, so nothing was written.")
    if guard.kind is not GuardKind.MATCH or etag in guard.etags:
        return
    if etag is None or shown_etag(etag) not in map(shown_etag, guard.etags):
        raise UnsafeUpdateError(
            f"The {what} was changed by somebody else since it was read, so nothing was written. Read it again first."
        )
