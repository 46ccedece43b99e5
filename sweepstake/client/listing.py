"""Reading many jobs: what to ask for, and page after page of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import evolve

from sweepstake.domain.names import check_name
from sweepstake.domain.queries import Condition, JobQuery, Order
from sweepstake.domain.records import JobRecord
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError
from sweepstake.retrying import RetryingQueue

__all__ = ["iterate", "query_of"]


def query_of(
    status: JobStatus | str | Iterable[JobStatus | str] | None = None,
    tag: str | None = None,
    where: str | Iterable[str] | None = None,
    order: str | None = None,
) -> JobQuery:
    """Return the query for the arguments of `Experiment.all_jobs`."""
    conditions = (where,) if isinstance(where, str) else tuple(where or ())
    return JobQuery(
        status=_statuses(status),
        tag=None if tag is None else check_name(tag, "tag"),
        where=tuple(Condition.parse(text, f"where[{i}]") for i, text in enumerate(conditions)),
        order=None if order is None else Order.parse(order),
    )


def iterate(queue: RetryingQueue, name: str, query: JobQuery) -> Iterator[JobRecord]:
    """Iterate over all jobs of the query; in an order of its own only after reading them all."""
    if query.order is not None:
        yield from sorted(iterate(queue, name, evolve(query, order=None)), key=query.order.key)
        return
    start = None
    while True:
        page = queue.list_jobs(name, query, start)
        yield from page.items
        if page.next is None:
            return
        start = page.next


def _statuses(status: JobStatus | str | Iterable[JobStatus | str] | None) -> frozenset[JobStatus]:
    many = (status,) if isinstance(status, str) else tuple(status or ())
    try:
        return frozenset(JobStatus(one) for one in many)
    except ValueError:
        raise InvalidInputError.at("status", f"must be among {', '.join(JobStatus)}, is {status!r}") from None
