"""Whole experiments on their way out of a store, in pages; each is one short statement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby, takewhile
from operator import itemgetter
from typing import Any, Final

from attrs import asdict, fields

from sweepstake.domain.keys import shown_etag
from sweepstake.domain.portable import (
    MAX_PART,
    SECTIONS,
    ExportPage,
    PortableAttempt,
    PortableDependency,
    PortableEvent,
    PortableJob,
    PortableSpec,
)
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import InvalidInputError
from sweepstake.queue import calls
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.stores import rows
from sweepstake.stores.engine import Row
from sweepstake.turns import sliced
from sweepstake.values import EMPTY, JsonObject

__all__ = ["page_of_export"]

#: The columns of `archive_jobs` behind the first that are the job's; an attempt's, or nulls, follow.
_COLUMNS: Final = tuple(each.name for each in fields(PortableJob))[:-1]
_OF_JOB: Final = 1 + len(_COLUMNS)
_SPEC_VERSION: Final = 1 + _COLUMNS.index("spec_version")
#: Jobs of the first read of a page; later ones double, as far as their size allows. A database may read all of them
#: before it returns the first, and only that may fit into the page.
_FIRST_READ: Final = 1
#: A page ends early when its texts reach this many characters.
_PAGE_TEXT: Final = 4 * 1024 * 1024


@performs(calls.ExportPage)
def page_of_export(store: Store, call: calls.ExportPage) -> ExportPage:
    """Return part of all that is kept of an experiment; see `ExportPage`."""
    name = store.at(call.name)
    section, after, on, last = _parse_start(call.start)
    if section == "specs":
        spec = _spec(store, name, after)
        if spec is not None:
            return ExportPage(specs=(spec,), next=f"specs.{spec.version}.0.0")
        return _page_of_jobs(store, name, 0, after)
    if section == "jobs":
        return _page_of_jobs(store, name, after, last)
    if section == "dependencies":
        waits = _dependencies(store, name, (after, on), last, MAX_PART)
        more = f"dependencies.{waits[-1][0][0]}.{waits[-1][0][1]}.{last}" if len(waits) == MAX_PART else "events.0.0.0"
        return ExportPage(dependencies=tuple(dependency for _, dependency in waits), next=more)
    events = _events(store, name, after, MAX_PART)
    following = f"events.{events[-1][0]}.0.0" if len(events) == MAX_PART else None
    return ExportPage(events=tuple(event for _, event in events), next=following)


def _page_of_jobs(store: Store, name: str, after: int, version: int) -> ExportPage:
    """Return jobs beyond `after`, up to the first that came from a later version of the spec than this one."""
    jobs: list[PortableJob] = []
    text, size = 0, _FIRST_READ
    while text < _PAGE_TEXT and len(jobs) + size <= MAX_PART:
        found, whole = _jobs(store, name, after, size)
        ours = list(takewhile(lambda of_job: (of_job[0][_SPEC_VERSION] or 0) <= version, found))
        jobs += map(_job, sliced(ours))
        after = ours[-1][0][0] if ours else after
        if (whole and len(found) < size) or len(ours) < len(found):
            # A job that is added from now on is not part of the export, nor is what it waits for.
            return ExportPage(jobs=tuple(jobs), next=f"dependencies.0.0.{after}")
        text += sum(len(column) for of_job in found for row in of_job for column in row if isinstance(column, str))
        size = min(2 * size, MAX_PART // 4, 1 + _PAGE_TEXT * len(jobs) // (4 * text + 1))
    return ExportPage(jobs=tuple(jobs), next=f"jobs.{after}.0.{version}")


def _parse_start(start: str | None) -> tuple[str, int, int, int]:
    if start is None:
        return "specs", 0, 0, 0
    section, *numbers = start.split(".")
    good = section in SECTIONS and len(numbers) == 3
    if not good or not all(each.isascii() and each.isdigit() and len(each) <= 18 for each in numbers):
        raise InvalidInputError.at("start", "is not the `next` of a page of an export")
    after, on, last = map(int, numbers)
    return section, after, on, last


def _spec(store: Store, name: str, after: int) -> PortableSpec | None:
    """Return the next version of what an experiment runs; each may fill a page."""
    with store.read() as transaction:
        row = transaction.row("archive_spec", experiment_id=experiment_id(transaction, name), after=after)
    return None if row is None else PortableSpec(**asdict(rows.spec(row), recurse=False))


def _jobs(store: Store, name: str, after: int, limit: int) -> tuple[Sequence[Sequence[Row]], bool]:
    """Return the rows of the first jobs with `seq > after`: of each one for each attempt.

    There are fewer than `limit` if their texts fill the memory; the second says whether there are not.
    """
    with store.read() as transaction:
        number = experiment_id(transaction, name)
        found, whole = transaction.first_rows("archive_jobs", experiment_id=number, after=after, limit=limit)
        if not whole:  # of the last one some attempts may be missing
            found = [row for row in found if row[0] != found[-1][0]]
            if not found:
                found = transaction.rows("archive_jobs", experiment_id=number, after=after, limit=1)
    return [list(of_job) for _, of_job in groupby(found, itemgetter(0))], whole


def _dependencies(
    store: Store, name: str, after: tuple[int, int], last: int, limit: int
) -> Sequence[tuple[tuple[int, int], PortableDependency]]:
    """Return what waits for what beyond `after`, by the seqs of both jobs, among those with `seq <= last`."""
    with store.read() as transaction:
        number = experiment_id(transaction, name)
        found = transaction.rows(
            "archive_dependencies",
            experiment_id=number,
            after_job=after[0],
            after_on=after[1],
            last=last,
            limit=limit,
        )
    return [((row[0], row[1]), PortableDependency(job=row[2], on=row[3], prune_with=bool(row[4]))) for row in found]


def _events(store: Store, name: str, after: int, limit: int) -> Sequence[tuple[int, PortableEvent]]:
    """Return the events since the experiment was last created, beyond `after`, each with its seq."""
    with store.read() as transaction:
        experiment_id(transaction, name)
        born = transaction.row("last_deletion", name=name)
        after = max(after, born[0] if born else 0)
        found = transaction.rows("archive_events", name=name, after=after, limit=limit)
    return [
        (seq, PortableEvent(at=at, verb=verb, job=job, key=shown_etag(key), detail=detail))
        for seq, at, verb, job, key, detail in found
    ]


def _job(found: Sequence[Row]) -> PortableJob:
    first = found[0]
    kept = dict(zip(_COLUMNS, first[1:], strict=False))
    kept["status"] = JobStatus(kept["status"])
    kept["hyperparameters"] = JsonObject(kept["hyperparameters"])
    kept["results"] = EMPTY if kept["results"] == "{}" else JsonObject(kept["results"])
    kept["tags"] = json.loads(kept["tags"])
    kept["origin"] = _values(kept["origin"])
    begun = first[_OF_JOB] is not None
    return PortableJob(**kept, attempts=tuple(_attempt(row[_OF_JOB:]) for row in found) if begun else ())


def _attempt(row: tuple[Any, ...]) -> PortableAttempt:
    number, key, worker, lease, started_at, ended_at, outcome, reason, output, finish_key, late_results = row
    return PortableAttempt(
        number=number,
        key=shown_etag(key),
        worker=worker,
        lease=lease,
        started_at=started_at,
        ended_at=ended_at,
        outcome=None if outcome is None else Outcome(outcome),
        reason=reason,
        output=output,
        finish_key=None if finish_key is None else shown_etag(finish_key),
        late_results=_values(late_results),
    )


def _values(text: str | None) -> JsonObject | None:
    return None if text is None else JsonObject(text)
