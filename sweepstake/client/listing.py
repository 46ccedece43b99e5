"""Reading many jobs or experiments: what to ask for, and page after page of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import evolve

from sweepstake.client.unknown import tell_unknown
from sweepstake.domain.names import check_name
from sweepstake.domain.query.queries import Condition, JobQuery, Order
from sweepstake.domain.records import ExperimentRecord, JobRecord
from sweepstake.domain.status import JobStatus, member_of
from sweepstake.errors import InvalidInputError
from sweepstake.queue.queue import Queue

__all__ = ["every_experiment", "iterate", "query_of"]


def query_of(
    status: JobStatus | str | Iterable[JobStatus | str] | None = None,
    tag: str | None = None,
    where: str | Iterable[str] | None = None,
    order: str | None = None,
) -> JobQuery:
    """Return the query for the arguments of `Experiment.all_jobs`."""
    return JobQuery(
        status=_statuses(status),
        tag=None if tag is None else check_name(tag, "tag"),
        where=tuple(Condition.parse(text, f"where[{i}]") for i, text in enumerate(_many(where, "where"))),
        order=None if order is None else Order.parse(order),
    )


def iterate(queue: Queue, name: str, query: JobQuery) -> Iterator[JobRecord]:
    """Iterate over all jobs of the query; in an order of its own only after reading them all."""
    if query.order is not None:
        found = sorted(iterate(queue, name, evolve(query, order=None)), key=query.order.key)
        if found and query.order.unknown_to(found):
            tell_unknown(queue, name, query.order.field)
        yield from found
        return
    start, anything = None, False
    while True:
        page = queue.list_jobs(name, query, start)
        anything = anything or bool(page.items)
        yield from page.items
        if page.next is None:
            break
        start = page.next
    if not anything:
        for field in dict.fromkeys(condition.field for condition in query.where):
            tell_unknown(queue, name, field)


def every_experiment(queue: Queue) -> Iterator[ExperimentRecord]:
    """Iterate over all experiments, oldest first."""
    start = None
    while True:
        page = queue.list_experiments(start)
        yield from page.items
        if page.next is None:
            return
        start = page.next


def _statuses(status: JobStatus | str | Iterable[JobStatus | str] | None) -> frozenset[JobStatus]:
    return frozenset(member_of(JobStatus, one, "status") for one in _many(status, "status"))


def _many(given: str | Iterable[str] | None, path: str) -> tuple[str, ...]:
    """Return one text, or each of several; None is none."""
    if given is None:
        return ()
    if isinstance(given, str):
        return (given,)
    if isinstance(given, (bytes, Mapping)) or not isinstance(given, Iterable):
        raise InvalidInputError.at(path, f"must be text or a list of text, not {type(given).__name__}")
    return tuple(given)
