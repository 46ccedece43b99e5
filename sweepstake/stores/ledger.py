"""Reading a store's whole history in pages, each a short statement of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from sweepstake.domain.ledger import Kept, LedgerAttempt, LedgerEvent, LedgerExperiment, LedgerJob, Stray
from sweepstake.domain.puts import STATED
from sweepstake.ports import Extent
from sweepstake.stores.engine import Engine, Row

__all__ = ["SqlLedger"]

#: How many columns of `ledger_jobs` are the job's; an attempt's, or nulls, follow.
_OF_JOB: Final = 20


class SqlLedger:
    """`Ledger` in a SQL database, which whoever opened it closes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def extent(self) -> Extent:
        """As `Ledger.extent`."""
        with self._engine.read() as transaction:
            row = transaction.row("ledger_extent")
        assert row is not None, "counts always have a row"
        return Extent(experiments=row[0], last_job=row[1], last_event=row[2])

    def jobs(self, after: int, limit: int) -> Sequence[LedgerJob]:
        """As `Ledger.jobs`."""
        with self._engine.read() as transaction:
            found = transaction.rows("ledger_jobs", after=after, limit=limit, stated=STATED)
        return [_job(list(rows)) for _, rows in groupby(found, lambda row: row[0])]

    def strays(self, after: int, last: int) -> Sequence[Stray]:
        """As `Ledger.strays`."""
        with self._engine.read() as transaction:
            return [Stray(*row) for row in transaction.rows("ledger_strays", after=after, last=last)]

    def events(self, after: int, limit: int) -> Sequence[LedgerEvent]:
        """As `Ledger.events`."""
        with self._engine.read() as transaction:
            return [LedgerEvent(*row) for row in transaction.rows("ledger_events", after=after, limit=limit)]

    def experiments(self, after: int, limit: int) -> Sequence[LedgerExperiment]:
        """As `Ledger.experiments`."""
        with self._engine.read() as transaction:
            return [_experiment(row) for row in transaction.rows("ledger_experiments", after=after, limit=limit)]

    def writes(self, keys: Sequence[str]) -> Mapping[str, LedgerEvent]:
        """As `Ledger.writes`."""
        if not keys:
            return {}
        with self._engine.read() as transaction:
            found = transaction.rows("ledger_writes", keys=json.dumps(list(keys)))
        return {event.key: event for event in (LedgerEvent(*row) for row in found)}

    def names(self) -> frozenset[str]:
        """As `Ledger.names`."""
        with self._engine.read() as transaction:
            return frozenset(name for (name,) in transaction.rows("ledger_names"))

    def forget(self, seqs: Sequence[int], before: float) -> None:
        """As `Ledger.forget`."""
        if seqs:
            with self._engine.write() as transaction:
                transaction.run_many("forget_event", [{"seq": seq, "before": before} for seq in seqs])

    def retries(self, experiment: str, job: str) -> tuple[int, ...]:
        """As `Ledger.retries`."""
        with self._engine.read() as transaction:
            found = transaction.rows("ledger_retries", experiment=experiment, job=job)
        return tuple(int(detail) for (detail,) in found if detail.isdigit())


def _experiment(row: Row) -> LedgerExperiment:
    number, name, etag, max_jobs, max_running, created, running = row[:7]
    counted, kept = Kept(*map(int, row[7:13])), Kept(*map(int, row[13:]))
    return LedgerExperiment(
        id=number,
        name=name,
        etag=etag,
        max_jobs=max_jobs,
        max_running=max_running,
        created=created,
        running=running,
        counted=counted,
        kept=kept,
    )


def _job(rows: Sequence[Row]) -> LedgerJob:
    first = rows[0]
    begun = first[_OF_JOB] is not None
    attempts = tuple(LedgerAttempt(*row[_OF_JOB:-2], *map(bool, row[-2:])) for row in rows) if begun else ()
    return LedgerJob(
        seq=first[0],
        experiment=first[1],
        id=first[2],
        status=first[3],
        etag=first[4],
        due=first[5],
        not_before=first[6],
        waiting=first[7],
        dependants=first[8],
        attempt=first[9],
        failures=first[10],
        losses=first[11],
        preemptions=first[12],
        definition=first[13],
        max_attempts=first[14],
        max_lost=first[15],
        max_preemptions=first[16],
        asked_at=first[17],
        unfinished=first[18],
        depending=first[19],
        attempts=attempts,
    )
