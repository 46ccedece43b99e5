"""Reading a store's whole history in pages, each a short statement of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from sweepstake.queue.verbs.puts import STATED
from sweepstake.queue.verify.facts import (
    Extent,
    Kept,
    KeptSpecs,
    LedgerAttempt,
    LedgerBatch,
    LedgerEvent,
    LedgerExperiment,
    LedgerGang,
    LedgerJob,
    Stray,
)
from sweepstake.stores.engine import Engine, Row

__all__ = ["Ledger"]

#: How many columns of `ledger_jobs` are the job's; an attempt's, or nulls, follow.
_OF_JOB: Final = 24


class Ledger:
    """A store's whole history, read in pages by `seq`.

    Each page is one snapshot of its own, so that a long reading holds nobody up; between pages others may write.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def extent(self) -> Extent:
        """Return how much there is to read now."""
        [row] = self._rows("ledger_extent")
        return Extent(*row)

    def jobs(self, after: int, limit: int) -> Sequence[LedgerJob]:
        """Return the first jobs of all experiments with `seq > after`, each with its attempts and dependencies."""
        found = self._rows("ledger_jobs", after=after, limit=limit, stated=STATED)
        return [_job(list(rows)) for _, rows in groupby(found, lambda row: row[0])]

    def strays(self, after: int, last: int) -> Sequence[Stray]:
        """Return up to 1,000 rows that name a job with `after < seq <= last` which is not there."""
        return [Stray(*row) for row in self._rows("ledger_strays", after=after, last=last)]

    def strays_of_experiments(self) -> Sequence[Stray]:
        """Return up to 1,000 rows of specs and batches that name an experiment, or a batch, which is not there."""
        return [Stray._make(row) for row in self._rows("ledger_strays_of_experiments")]

    def events(self, after: int, limit: int) -> Sequence[LedgerEvent]:
        """Return the first events with `seq > after`."""
        return [LedgerEvent(*row) for row in self._rows("ledger_events", after=after, limit=limit)]

    def experiments(self, after: int, limit: int) -> Sequence[LedgerExperiment]:
        """Return the first experiments whose number is beyond `after`."""
        return [_experiment(row) for row in self._rows("ledger_experiments", after=after, limit=limit)]

    def specs(self, experiment: int) -> KeptSpecs:
        """Return what is kept of what an experiment runs, by its number."""
        [row] = self._rows("ledger_specs", experiment_id=experiment)
        return KeptSpecs(*row)

    def snapshots(self, after: str, limit: int) -> Sequence[tuple[str, str]]:
        """Return the first snapshots of code whose digest is beyond `after`: the digests, and what they say."""
        return [(digest, document) for digest, document in self._rows("ledger_snapshots", after=after, limit=limit)]

    def gangs(self, experiment: int, after: str, limit: int) -> Sequence[LedgerGang]:
        """Return the first gangs of an experiment whose name is beyond `after`."""
        found = self._rows("ledger_gangs", experiment_id=experiment, after=after, limit=limit)
        return [LedgerGang(*row) for row in found]

    def batches(self, experiment: int, after: str, limit: int) -> Sequence[LedgerBatch]:
        """Return the first batches of an experiment whose id is beyond `after`."""
        found = self._rows("ledger_batches", experiment_id=experiment, after=after, limit=limit)
        return [LedgerBatch(*row) for row in found]

    def shared_jobs(self, experiment: int) -> Sequence[tuple[str, int]]:
        """Return up to 1,000 jobs of an experiment that are in several batches under way, and in how many."""
        return [(job, batches) for job, batches in self._rows("ledger_shared_jobs", experiment_id=experiment)]

    def writes(self, keys: Sequence[str]) -> Mapping[str, LedgerEvent]:
        """Return those events that have one of these op keys, by key."""
        found = self._rows("ledger_writes", keys=json.dumps(list(keys)))
        return {event.key: event for event in (LedgerEvent(*row) for row in found)}

    def names(self) -> frozenset[str]:
        """Return under what names experiments are kept now, those that are being imported as well."""
        return frozenset(name for (name,) in self._rows("ledger_names"))

    def forget(self, seqs: Sequence[int], before: float) -> None:
        """Delete these events, as far as they are older than a Unix time."""
        if seqs:
            with self._engine.write() as transaction:
                transaction.run_many("forget_event", [{"seq": seq, "before": before} for seq in seqs])

    def retries(self, experiment: str, job: str) -> tuple[int, ...]:
        """Return after how many attempts a job was given new budgets, each time."""
        found = self._rows("ledger_retries", experiment=experiment, job=job)
        return tuple(int(detail) for (detail,) in found if detail.isdigit())

    def _rows(self, statement: str, **parameters: object) -> Sequence[Row]:
        with self._engine.read() as transaction:
            return transaction.rows(statement, **parameters)


def _experiment(row: Row) -> LedgerExperiment:
    return LedgerExperiment._make((*row[:7], Kept(*map(int, row[7:13])), Kept(*map(int, row[13:]))))


def _job(rows: Sequence[Row]) -> LedgerJob:
    first = rows[0]
    begun = first[_OF_JOB] is not None
    attempts = tuple(LedgerAttempt(*row[_OF_JOB:-2], *map(bool, row[-2:])) for row in rows) if begun else ()
    return LedgerJob._make((*first[:_OF_JOB], attempts, ()))
