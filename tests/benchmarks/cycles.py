"""Rows about whole cycles: claim a job, finish it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.benchmarks.comparing import Opener, Row, Sizes, finding, interleave
from tests.benchmarks.openers import http, http_floor, postgres, postgres_floor, sqlite, sqlite_floor
from tests.benchmarks.places import Places
from tests.benchmarks.race import Side, race
from tests.benchmarks.report import Finding

__all__ = ["ROWS"]

_FAIRNESS_WORKERS = 4

_SQLITE: Final[Mapping[str, Opener]] = {
    "bare": sqlite_floor(ledger=False),
    "floor": sqlite_floor(),
    "ours": sqlite,
}
_POSTGRES: Final[Mapping[str, Opener]] = {
    "bare": postgres_floor(ledger=False),
    "floor": postgres_floor(),
    "ours": postgres,
}
_TWO_CALLS: Final[Mapping[str, Opener]] = {
    "bare": http_floor(ledger=False),
    "floor": http_floor(),
    "ours": http(),
}
_DRAIN: Final[Mapping[str, Opener]] = {
    "floor": http_floor(),
    "ours": http(draining=True),
}
_DRAIN_EIGHT: Final[Mapping[str, Opener]] = {
    "floor": http_floor(),
    "ours": http(draining=True, at_once=8),
}
_LOCKED: Final[Mapping[str, Opener]] = {
    "floor": sqlite_floor(locked=True),
    "ours": sqlite,
}


def _row(name: str, measure: str, openers: Mapping[str, Opener], workers: int, target: float) -> Row:
    def run(places: Places, sizes: Sizes) -> Finding:
        rounds = interleave(places, openers, sizes.rounds, lambda side: race(side, sizes.jobs, workers).rate)
        return finding(name, measure, "cycles/s", rounds, target=target, at_least=True)

    return Row(name, run)


def _fairness(places: Places, sizes: Sizes) -> Finding:
    def longest(side: Side) -> float:
        return race(side, sizes.fairness, _FAIRNESS_WORKERS).longest * 1000

    rounds = interleave(places, _LOCKED, sizes.rounds, longest)
    measure = f"SQLite, {_FAIRNESS_WORKERS} workers: longest of {sizes.fairness:,} cycles (floor: file-locked)"
    return finding("fairness", measure, "ms", rounds, target=3.0, at_least=False)


#: The rows, in the order of the table.
ROWS: Final = (
    _row("cycles-sqlite-1", "SQLite, 1 worker: claim to done", _SQLITE, 1, 0.85),
    _row("cycles-sqlite-4", "SQLite, 4 workers: claim to done", _SQLITE, 4, 0.75),
    _row("cycles-postgres-1", "PostgreSQL, 1 worker: claim to done", _POSTGRES, 1, 0.85),
    _row("cycles-postgres-4", "PostgreSQL, 4 workers: claim to done", _POSTGRES, 4, 0.85),
    _row("http-two-calls-1", "HTTP, 1 worker: claim and put as two calls", _TWO_CALLS, 1, 0.8),
    _row("http-two-calls-4", "HTTP, 4 workers: claim and put as two calls", _TWO_CALLS, 4, 0.8),
    _row("http-drain-1", "HTTP, 1 worker: a draining loop (floor: two calls)", _DRAIN, 1, 1.5),
    _row("http-drain-4", "HTTP, 4 workers: a draining loop (floor: two calls)", _DRAIN, 4, 1.5),
    _row("http-eight-1", "HTTP, 1 worker: a loop that claims 8 at once (floor: two calls)", _DRAIN_EIGHT, 1, 5.0),
    Row("fairness", _fairness),
)
