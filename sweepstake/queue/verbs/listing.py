"""Pages of jobs, filtered and ordered the same way over every store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sweepstake.domain.lengths import MAX_PAGE
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import JobRecord, Page
from sweepstake.queue.calls import ListJobs
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.guards import check_limit, read_start
from sweepstake.queue.verbs.jobs import scan_jobs
from sweepstake.turns import sliced

__all__ = ["page_of_jobs"]

#: A page ends early when its texts reach this many characters.
_PAGE_TEXT: Final = 8 * 1024 * 1024
#: A page in an order of its own may have this many characters; with 64 MiB a client would not take it.
_MOST_ORDERED: Final = 48 * 1024 * 1024
#: A page also ends, perhaps empty, after looking at this many jobs that a filter drops.
_MOST_READ: Final = 50_000


@performs(ListJobs)
def page_of_jobs(store: Store, call: ListJobs) -> Page[JobRecord]:
    """Return a page of jobs by age, or the first in the query's order."""
    name, query, limit = store.at(call.name), call.query, call.limit
    check_limit(limit)
    after = read_start(call.start, "a page")
    if query.order is not None:
        kept = (job for job in sliced(_scan(store, name, query, 0, MAX_PAGE)) if query.keeps(job))
        first, unranked = query.order.first(kept, limit, _MOST_ORDERED if store.serving else None)
        return Page(first, unranked=unranked)
    items: list[JobRecord] = []
    text = 0
    scanned = _scan(store, name, query, after, limit)
    for read, job in enumerate(sliced(scanned) if query.where else scanned, 1):
        if query.keeps(job):
            items.append(job)
            text += job.text_length
        if len(items) >= limit or text >= _PAGE_TEXT or read >= _MOST_READ:
            return Page(tuple(items), str(job.seq))
    return Page(tuple(items))


def _scan(store: Store, name: str, query: JobQuery, after: int, limit: int) -> Iterator[JobRecord]:
    size = limit
    while True:
        with store.read() as transaction:
            jobs, whole = scan_jobs(transaction, name, query, after, size)
        yield from jobs
        if whole and len(jobs) < size:
            return
        after = jobs[-1].seq
        size = min(size * 4, MAX_PAGE)  # the caller drops some
