"""The floor on SQLite: what a trustworthy claim must do, in plain `sqlite3` without any layer."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import field, frozen

from tests.benchmarks.work import results, sweep

__all__ = ["Held", "SqliteFloor", "SqliteFloorSession"]

_LEASE = 60.0

_SCHEMA = """
create table jobs (
    seq integer primary key autoincrement,
    experiment integer not null,
    id text not null,
    status text not null,
    hyperparameters text not null,
    results text not null,
    etag text not null,
    priority integer not null default 0,
    due real,
    waiting integer not null default 0,
    attempt integer not null default 0,
    worker text,
    ended_at real,
    unique (experiment, id)
);
create index ready on jobs (experiment, priority desc, seq) where status = 'QUEUED' and waiting = 0 and due is null;
create index running on jobs (experiment, due) where status = 'RUNNING';
create table attempts (
    job integer not null,
    number integer not null,
    key text not null unique,
    worker text not null,
    lease real not null,
    started_at real not null,
    ended_at real,
    outcome text,
    finish_key text,
    primary key (job, number)
);
create table counts (experiment integer primary key, jobs integer not null, done integer not null);
insert into counts values (1, 0, 0);
"""

_INSERT = (
    "insert into jobs (experiment, id, status, hyperparameters, results, etag) values (1, ?, 'QUEUED', ?, '{}', ?)"
)

_CLAIM = """
update jobs set status = 'RUNNING', etag = ?, attempt = attempt + 1, due = ?, worker = ?
where seq = (
    select seq from jobs where experiment = 1 and status = 'QUEUED' and waiting = 0 and due is null
    order by priority desc, seq limit 1
)
returning seq, attempt, hyperparameters, id
"""

_OPEN = "insert into attempts (job, number, key, worker, lease, started_at) values (?, ?, ?, ?, ?, ?)"

_FINISH = """
update jobs set status = 'DONE', results = ?, etag = ?, due = null, ended_at = ?
where seq = ? and status = 'RUNNING' and etag = ?
"""

_CLOSE = """
update attempts set outcome = 'done', ended_at = ?, finish_key = ?
where job = ? and number = ? and outcome is null
"""

_COUNT_ADDED = "update counts set jobs = jobs + ? where experiment = 1"
_COUNT_DONE = "update counts set done = done + 1 where experiment = 1"

_READ = """
select id, status, hyperparameters, results, etag, seq, priority, attempt, worker, ended_at
from jobs where experiment = 1 order by seq
"""


@frozen
class Held:
    """A claimed job: what the finish needs."""

    seq: int
    number: int
    key: str
    hyperparameters: dict[str, Any]
    id: str = ""


@frozen
class SqliteFloor:
    """A floor's file.

    Attributes:
        ledger: keep attempts and how many jobs are done; without, claims and guarded updates only (the bare floor).
        locked: writers queue on a file lock, as Sweepstake's do, not on SQLite's busy handler.
    """

    path: str
    ledger: bool = True
    locked: bool = False

    def fill(self, count: int) -> None:
        """Create the tables if need be and queue jobs, in one transaction."""
        with contextlib.closing(_connect(self.path)) as connection:
            if connection.execute("select count(*) from sqlite_master").fetchone() == (0,):
                connection.executescript(_SCHEMA)
            connection.execute("begin immediate")
            connection.executemany(_INSERT, _rows(count))
            connection.execute(_COUNT_ADDED, (count,))
            connection.execute("commit")

    @contextlib.contextmanager
    def session(self) -> Iterator[SqliteFloorSession]:
        """Connect as a worker does."""
        with contextlib.closing(_connect(self.path)) as connection, Path(f"{self.path}.turn").open("wb") as lock:
            turn = _queue_on(lock.fileno()) if self.locked else contextlib.nullcontext
            yield SqliteFloorSession(connection, self.ledger, turn)


@frozen
class SqliteFloorSession:
    """One worker of the floor."""

    connection: sqlite3.Connection
    ledger: bool
    turn: Callable[[], contextlib.AbstractContextManager[None]]
    worker: str = field(factory=lambda: f"worker-{os.getpid()}")

    def claim(self) -> Held | None:
        """Take the ready job of highest priority, then oldest, and open its attempt."""
        key = os.urandom(16).hex()
        now = time.time()
        run = self.connection.execute
        with self.turn():
            run("begin immediate")
            row = run(_CLAIM, (key, now + _LEASE, self.worker)).fetchone()
            if row is not None and self.ledger:
                run(_OPEN, (row[0], row[1], key, self.worker, _LEASE, now))
            run("commit")
        return Held(row[0], row[1], key, json.loads(row[2]), row[3]) if row else None

    def finish(self, held: Held) -> None:
        """Record results, guarded by the claim's etag, and close the attempt."""
        self.record(held.seq, held.number, held.key, results(held.hyperparameters))

    def record(self, seq: int, number: int, claim: str, values: dict[str, Any]) -> str:
        """Finish a claim by its key; return the new etag."""
        key = os.urandom(16).hex()
        now = time.time()
        text = json.dumps(values)
        run = self.connection.execute
        with self.turn():
            run("begin immediate")
            if run(_FINISH, (text, key, now, seq, claim)).rowcount != 1:
                raise RuntimeError("the guard failed: another worker had this job")
            if self.ledger:
                run(_CLOSE, (now, key, seq, number))
                run(_COUNT_DONE)
            run("commit")
        return key

    def read(self) -> int:
        """Read all jobs with their values, and return how many there are."""
        rows = self.connection.execute(_READ)
        return len([(*row[:2], json.loads(row[2]), json.loads(row[3]), *row[4:]) for row in rows])


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    return connection


def _rows(count: int) -> Iterator[tuple[str, str, str]]:
    for values in sweep(count):
        key = os.urandom(16).hex()
        yield key, json.dumps(values), key


def _queue_on(descriptor: int) -> Callable[[], contextlib.AbstractContextManager[None]]:
    @contextlib.contextmanager
    def turn() -> Iterator[None]:
        fcntl.lockf(descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(descriptor, fcntl.LOCK_UN)

    return turn
