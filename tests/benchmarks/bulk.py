"""Rows about many jobs at once: adding them, what that takes of memory, and reading them back."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Mapping
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Final

from tests.benchmarks.comparing import Opener, Row, Sizes, finding, interleave
from tests.benchmarks.openers import http, postgres, postgres_floor, sqlite, sqlite_floor
from tests.benchmarks.ours import Ours
from tests.benchmarks.places import Places
from tests.benchmarks.race import Session, Side, race
from tests.benchmarks.report import Finding
from tests.kit.serving import served

__all__ = ["ROWS"]

_READ_WORKERS = 4
_MOST_MEGABYTES = 100.0


def _enqueue(name: str, store: str, floor: Opener, ours: Opener, target: float) -> Row:
    def run(places: Places, sizes: Sizes) -> Finding:
        def rate(side: Side) -> float:
            seconds, _ = _add_in_new_process(side, sizes.bulk)
            return sizes.bulk / seconds

        rounds = interleave(places, {"floor": floor, "ours": ours}, sizes.rounds, rate)
        measure = f"{store}: add {sizes.bulk:,} jobs in bulk"
        return finding(name, measure, "jobs/s", rounds, target=target, at_least=True)

    return Row(name, run)


def _memory(name: str, store: str, ours: Opener) -> Row:
    def run(places: Places, sizes: Sizes) -> Finding:
        with ours(places) as side:
            _, grown = _add_in_new_process(side, sizes.bulk)
        return _megabytes(name, f"{store}: growth of peak memory, adding {sizes.bulk:,} jobs", grown)

    return Row(name, run)


def _server_memory(places: Places, sizes: Sizes) -> Finding:
    with served(places.sqlite_url()) as server:
        side = Ours(server.url, server.token)
        side.fill(1)
        before = new_peak(server.pid)
        side.fill(sizes.bulk)
        grown = peak_megabytes(server.pid) - before
    measure = f"HTTP, the server: growth of peak memory, adding {sizes.bulk:,} jobs"
    return _megabytes("memory-http-server", measure, grown)


def _megabytes(name: str, measure: str, grown: float) -> Finding:
    return Finding(row=name, measure=measure, unit="MB", ours=grown, floor=None, target=_MOST_MEGABYTES, at_least=False)


def _add_in_new_process(side: Side, count: int) -> tuple[float, float]:
    """Add jobs in a process that did nothing else; return the seconds it took and the megabytes its peak grew."""
    side.fill(0)
    context = multiprocessing.get_context("spawn")
    answer: SimpleQueue[tuple[float, float]] = context.SimpleQueue()
    process = context.Process(target=_add, args=(side, count, answer), daemon=True)
    process.start()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"adding jobs to {side} ended with {process.exitcode}; its traceback is on stderr")
    return answer.get()


def _add(side: Side, count: int, answer: SimpleQueue[tuple[float, float]]) -> None:
    side.fill(1)
    before = new_peak()
    start = time.perf_counter()
    side.fill(count)
    seconds = time.perf_counter() - start
    answer.put((seconds, peak_megabytes() - before))


def new_peak(pid: int | str = "self") -> float:
    """Forget how much memory a process once used, and return what it uses now; on Linux only."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_megabytes(pid)


def peak_megabytes(pid: int | str = "self") -> float:
    """Return the most megabytes that a process had in use since `new_peak`; on Linux only."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _read(row: str, store: str, openers: Mapping[str, Opener]) -> Row:
    def run(places: Places, sizes: Sizes) -> Finding:
        rounds: dict[str, list[float]] = {side: [] for side in openers}
        with contextlib.ExitStack() as exits:
            sessions = {}
            for name, opener in openers.items():
                side = exits.enter_context(opener(places))
                race(side, sizes.read, _READ_WORKERS)
                sessions[name] = exits.enter_context(side.session())
                sessions[name].read()  # prepares statements
            for _ in range(sizes.rounds):
                for name, session in sessions.items():
                    rounds[name].append(_seconds_to_read(session, sizes.read) * 1000)
        measure = f"{store}: read {sizes.read:,} finished jobs back with their results"
        return finding(row, measure, "ms", rounds, target=1.5, at_least=False)

    return Row(row, run)


def _seconds_to_read(session: Session, count: int) -> float:
    start = time.perf_counter()
    read = session.read()
    seconds = time.perf_counter() - start
    if read < count:
        raise RuntimeError(f"{session} read {read} jobs of {count}")
    return seconds


#: The rows, in the order of the table.
ROWS: Final = (
    _enqueue("bulk-sqlite", "SQLite", sqlite_floor(), sqlite, 0.25),
    _enqueue("bulk-postgres", "PostgreSQL", postgres_floor(), postgres, 0.2),
    _memory("memory-sqlite", "SQLite", sqlite),
    _memory("memory-postgres", "PostgreSQL", postgres),
    _memory("memory-http-client", "HTTP, the client", http()),
    Row("memory-http-server", _server_memory),
    _read("read-sqlite", "SQLite", {"floor": sqlite_floor(), "ours": sqlite}),
    _read("read-postgres", "PostgreSQL", {"floor": postgres_floor(), "ours": postgres}),
)
