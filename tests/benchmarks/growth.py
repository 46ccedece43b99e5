"""Rows about what makes a claim dearer: long queues, and snapshots that others hold open."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Final

import psycopg

from tests.benchmarks.comparing import Opener, Row, Sizes, finding
from tests.benchmarks.floors.postgres import PostgresFloor
from tests.benchmarks.openers import postgres, postgres_floor, sqlite, sqlite_floor
from tests.benchmarks.ours import Ours
from tests.benchmarks.places import Places
from tests.benchmarks.race import Session, Side, race
from tests.benchmarks.report import Finding

__all__ = ["ROWS", "costs_by_length"]

_CHURN_WORKERS = 4
_SPARE = 10


def _queue_length(name: str, store: str, floor: Opener, ours: Opener) -> Row:
    def run(places: Places, sizes: Sizes) -> Finding:
        curve = {
            "floor": costs_by_length(places, floor, sizes),
            "Sweepstake": costs_by_length(places, ours, sizes),
        }
        short, *_, long = curve["Sweepstake"].values()
        first, last = sizes.queued[0], sizes.queued[-1]
        return Finding(
            row=name,
            measure=f"{store}: a claim at {last:,} queued (floor: at {first:,})",
            unit="ms",
            ours=long,
            floor=short,
            target=1.3,
            at_least=False,
            curve=curve,
        )

    return Row(name, run)


def costs_by_length(places: Places, opener: Opener, sizes: Sizes) -> dict[str, float]:
    """Return the median milliseconds of a claim at each length of the queue, measured in turns."""
    with contextlib.ExitStack() as exits:
        sessions = []
        count = sizes.rounds * sizes.claims
        for length in sizes.queued:
            side = exits.enter_context(opener(places))
            side.fill(max(length, count + _SPARE))
            sessions.append(exits.enter_context(side.session()))
        times = _claim_in_turns(sessions, count)
    return {f"{length:,}": median(seconds) * 1000 for length, seconds in zip(sizes.queued, times, strict=True)}


def _claim_in_turns(sessions: Sequence[Session], count: int) -> list[list[float]]:
    """Claim `count` jobs in each session, one after the other in turn, and return the seconds of every claim."""
    times: list[list[float]] = [[] for _ in sessions]
    for turn in range(count + _SPARE):
        for session, seconds in zip(sessions, times, strict=True):
            start = time.perf_counter()
            held = session.claim()
            took = time.perf_counter() - start
            session.finish(held)
            if turn >= _SPARE:  # the first few prepare statements and fill caches
                seconds.append(took)
    return times


def _foreign_snapshot(places: Places, sizes: Sizes) -> Finding:
    rounds: dict[str, list[float]] = {"bare": [], "floor": [], "ours": []}
    openers: Mapping[str, Opener] = {
        "bare": postgres_floor(),
        "floor": postgres_floor(probe=True),
        "ours": postgres,
    }
    for _ in range(sizes.rounds):
        with contextlib.ExitStack() as exits:
            sessions = [exits.enter_context(_churned(places, opener, sizes)) for opener in openers.values()]
            for name, seconds in zip(openers, _claim_in_turns(sessions, sizes.claims), strict=True):
                rounds[name].append(median(seconds) * 1000)
    measure = f"PostgreSQL: a claim after {sizes.churn:,} cycles under a foreign snapshot (bare: no overdue probe)"
    return finding("claim-snapshot-postgres", measure, "ms", rounds, target=1.0, at_least=False)


@contextlib.contextmanager
def _churned(places: Places, opener: Opener, sizes: Sizes) -> Iterator[Session]:
    """Open a side whose database somebody else looks at all the time, and run many cycles in it."""
    with opener(places) as side, contextlib.ExitStack() as exits:
        side.fill(0)
        exits.enter_context(_snapshot(side))
        race(side, sizes.churn, _CHURN_WORKERS)
        side.fill(sizes.claims + 2 * _SPARE)
        yield exits.enter_context(side.session())


@contextlib.contextmanager
def _snapshot(side: Side) -> Iterator[None]:
    """Hold a snapshot of the side's database open."""
    assert isinstance(side, (PostgresFloor, Ours))
    with psycopg.connect(side.url, autocommit=True) as connection:
        connection.execute("begin isolation level repeatable read")
        connection.execute("select count(*) from pg_class")
        yield
        connection.execute("commit")


#: The rows, in the order of the table.
ROWS: Final = (
    _queue_length("claim-length-sqlite", "SQLite", sqlite_floor(), sqlite),
    _queue_length("claim-length-postgres", "PostgreSQL", postgres_floor(), postgres),
    Row("claim-snapshot-postgres", _foreign_snapshot),
)
