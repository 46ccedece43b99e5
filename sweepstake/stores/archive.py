"""Whole experiments on their way out of a store and into one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from sweepstake.domain.keys import shown_etag
from sweepstake.domain.portable import ImportPart, PortableAttempt, PortableDependency, PortableEvent, PortableJob
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.stores.engine import DuplicateError, Engine, Row
from sweepstake.stores.experiments import experiment_id
from sweepstake.stores.importing import take_part, twice
from sweepstake.turns import sliced
from sweepstake.values import EMPTY, JsonObject

__all__ = ["SqlArchive"]

#: How many columns of `archive_jobs` are the job's; an attempt's, or nulls, follow.
_OF_JOB: Final = 17


class SqlArchive:
    """`Archive` in a SQL database, which whoever opened it closes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def jobs(self, name: str, after: int, limit: int) -> tuple[Sequence[tuple[int, PortableJob]], bool]:
        """As `Archive.jobs`."""
        with self._engine.read() as transaction:
            number = experiment_id(transaction, name)
            found, whole = transaction.first_rows("archive_jobs", experiment_id=number, after=after, limit=limit)
            if not whole:  # of the last one some attempts may be missing
                found = [row for row in found if row[0] != found[-1][0]]
                if not found:
                    found = transaction.rows("archive_jobs", experiment_id=number, after=after, limit=1)
        return [(seq, _job(list(rows))) for seq, rows in sliced(groupby(found, lambda row: row[0]))], whole

    def dependencies(
        self, name: str, after: tuple[int, int], last: int, limit: int
    ) -> Sequence[tuple[tuple[int, int], PortableDependency]]:
        """As `Archive.dependencies`."""
        with self._engine.read() as transaction:
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

    def events(self, name: str, after: int, limit: int) -> Sequence[tuple[int, PortableEvent]]:
        """As `Archive.events`."""
        with self._engine.read() as transaction:
            experiment_id(transaction, name)
            born = transaction.row("last_deletion", name=name)
            after = max(after, born[0] if born else 0)
            found = transaction.rows("archive_events", name=name, after=after, limit=limit)
        return [
            (seq, PortableEvent(at=at, verb=verb, job=job, key=shown_etag(key), detail=detail))
            for seq, at, verb, job, key, detail in found
        ]

    def take(self, name: str, part: ImportPart, owner: str | None) -> None:
        """As `Archive.take`."""

        def take() -> None:
            with self._engine.write() as transaction:
                take_part(transaction, name, part, owner)

        try:
            take()
        except DuplicateError:  # perhaps only because somebody else has just made an experiment of that name
            try:
                take()
            except DuplicateError as error:
                raise twice(part) from error


def _job(rows: Sequence[Row]) -> PortableJob:
    (
        _,
        job_id,
        status,
        hyperparameters,
        results,
        priority,
        not_before,
        tags,
        notes,
        origin,
        worker,
        failures,
        losses,
        preemptions,
        created_at,
        started_at,
        ended_at,
    ) = rows[0][:_OF_JOB]
    begun = rows[0][_OF_JOB] is not None
    return PortableJob(
        id=job_id,
        status=JobStatus(status),
        hyperparameters=JsonObject(hyperparameters),
        results=EMPTY if results == "{}" else JsonObject(results),
        priority=priority,
        not_before=not_before,
        tags=tuple(json.loads(tags)),
        notes=notes,
        origin=_values(origin),
        worker=worker,
        failures=failures,
        losses=losses,
        preemptions=preemptions,
        created_at=created_at,
        started_at=started_at,
        ended_at=ended_at,
        attempts=tuple(_attempt(row[_OF_JOB:]) for row in rows) if begun else (),
    )


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
