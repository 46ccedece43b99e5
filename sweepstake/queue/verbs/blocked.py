"""Jobs that wait for others, many at a time."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from sweepstake.domain.records import Blocked, Page
from sweepstake.queue.calls import ListBlocked
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.queue.verbs.guards import check_limit, read_start

__all__ = ["page_of_blocked"]

#: A page ends early when its jobs wait for so many in all.
_MOST_AWAITED: Final = 20_000


@performs(ListBlocked)
def page_of_blocked(store: Store, call: ListBlocked) -> Page[Blocked]:
    """Return a page of the queued jobs that wait for others; it ends early when they wait for very many."""
    name, after = store.at(call.name), read_start(call.start, "a page")
    check_limit(call.limit)
    with store.read() as transaction:
        page = {"experiment_id": experiment_id(transaction, name), "after": after}
        ids: dict[int, str] = {}
        edges = 0
        for seq, job_id, waiting in transaction.rows("blocked", **page, limit=call.limit):
            ids[seq] = job_id
            edges += waiting
            if edges >= _MOST_AWAITED:
                break
        if not ids:
            return Page(())
        last = max(ids)
        by = defaultdict[int, list[str]](list)
        for seq, other in transaction.rows("awaited", **page, upto=last):
            by[seq].append(other)
    more = edges >= _MOST_AWAITED or len(ids) >= call.limit
    items = tuple(Blocked(id=job_id, by=tuple(by[seq])) for seq, job_id in ids.items())
    return Page(items, str(last) if more else None)
