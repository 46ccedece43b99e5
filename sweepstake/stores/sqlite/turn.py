"""One writer's turn at a SQLite file, and the transaction in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Final, Protocol

from sweepstake.clock import Clock
from sweepstake.errors import SweepstakeError
from sweepstake.stores.engine import DuplicateError, Params, Row, first_of
from sweepstake.stores.forks import abandon
from sweepstake.stores.sqlite.filelock import FileLock
from sweepstake.stores.sqlite.log import SqliteLog

__all__ = ["SqliteTransaction", "SqliteTurn"]

_REFUSALS: Final = (SweepstakeError, sqlite3.IntegrityError)


class SqliteTransaction:
    """One connection, and what can be asked through it; at most one thread uses it at a time."""

    def __init__(
        self, connection: sqlite3.Connection, log: SqliteLog, statements: Mapping[str, str], clock: Clock
    ) -> None:
        self.connection = connection
        self._log = log
        self.prepare = log.prepare
        self.sync = log.sync
        self._statements = statements
        self._wall = clock.wall
        self._monotonic = clock.monotonic
        self.execute = connection.execute
        #: As `execute`, for what is asked with each claim: it makes no new cursor, and ends the statement before.
        self._cursor = connection.cursor()
        self.again = self._cursor.execute

    def forget(self) -> None:
        """Leave the connection to the parent of this forked child."""
        abandon(self._cursor)
        abandon(self.connection)
        self._log.forget()

    def close(self) -> None:
        """Close the connection."""
        self._cursor.close()  # with a cursor that is open, the file stays open too
        self.connection.close()
        self._log.close()

    def now(self) -> float:
        """Return Unix time."""
        return self._wall()

    def row(self, statement: str, /, **params: Any) -> Row | None:
        """Run a statement and return the first row of its answer."""
        rows = self.rows(statement, **params)
        return rows[0] if rows else None

    def rows(self, statement: str, /, **params: Any) -> list[Row]:
        """Run a statement and return all rows of its answer."""
        params["now"] = self._wall()
        params["tick"] = self._monotonic()
        return self.execute(self._statements[statement], params).fetchall()

    def first_rows(self, statement: str, /, **params: Any) -> tuple[list[Row], bool]:
        """Run a statement and return the first rows of its answer, and whether it is all."""
        params["now"] = self._wall()
        params["tick"] = self._monotonic()
        with closing(self.connection.cursor()) as cursor:
            return first_of(cursor.execute(self._statements[statement], params))

    def run(self, statement: str, /, **params: Any) -> int:
        """Run a statement and return how many rows it changed."""
        params["now"] = self._wall()
        params["tick"] = self._monotonic()
        return self.execute(self._statements[statement], params).rowcount

    def run_many(self, statement: str, /, params: Sequence[Params]) -> None:
        """Run a statement with each of these parameters."""
        times = {"now": self._wall(), "tick": self._monotonic()}
        self.connection.executemany(self._statements[statement], [{**each, **times} for each in params])

    def add_jobs(self, jobs: Sequence[Row]) -> None:
        """Insert many jobs."""
        self.connection.executemany(self._statements["add_job"], jobs)

    def claim(self, *, name: str, worker: str, key: str, ids: str | None = None) -> Row | None:
        """Claim a ready job; no other writer is at work, so what is read here stays true."""
        execute = self.again
        if ids is None:
            picked = execute(self._statements["pick"], {"name": name, "key": key}).fetchone()
        else:
            picked = execute(self._statements["pick_of"], {"name": name, "key": key, "ids": ids}).fetchone()
        if picked is None:
            return None
        seq, lease, number = picked[0], picked[18], picked[12]
        params = {
            "seq": seq,
            "number": number,
            "lease": lease,
            "worker": worker,
            "key": key,
            "now": self._wall(),
            "tick": self._monotonic(),
        }
        execute(self._statements["take"], params)
        execute(self._statements["begin_attempt"], params)
        due = params["tick"] + lease
        started = (worker, due, picked[15], params["now"], None)
        return (*picked[:2], "RUNNING", *picked[3:5], key, *picked[6:13], *started, *picked[18:])

    def finish(self, params: Params) -> Row | None:
        """Finish the plain case and return the job's columns."""
        execute = self.again
        held = execute(self._statements["held_plain"], params).fetchone()
        if held is None:
            return None
        now = self._wall()
        hyperparameters = params["hyperparameters"] or held[3]
        ends = {**params, "hyperparameters": hyperparameters, "seq": held[0], "number": held[12], "now": now}
        ends["finish_key"] = params["key"]
        execute(self._statements["finish"], ends)
        execute(self._statements["end_attempt"], ends)
        document = (params["status"], hyperparameters, params["results"], params["key"])
        return (*held[:2], *document, *held[6:14], None, *held[15:17], now)


class Connections(Protocol):
    """The connections to a file that are open here.

    Attributes:
        lock: that of the file's writers; it may be another one after each `take`.
    """

    lock: FileLock

    def take(self) -> SqliteTransaction:
        """Return one that nobody else uses; it must be given back."""

    def give_back(self, transaction: SqliteTransaction) -> None:
        """End what `take` began."""

    def confirm(self) -> None:
        """Raise StoreUnavailableError unless the file that `take` led to is still at the store's address."""

    def explain(self, error: sqlite3.Error | OSError) -> SweepstakeError | DuplicateError:
        """Return our error for one of the library's or the disk's."""


class SqliteTurn:
    """The block of one writer: its transaction begins when it is its turn, and ends with the block.

    What it wrote is on the disk when the block has been left, in the file that the store's address leads to; the next
    writer has its turn before that.

    A class, because a generator would take twice as long, which is a tenth of a claim.

    Attributes:
        idle: set it when nothing was written, and the answer acknowledges nothing that others wrote.
    """

    __slots__ = ("_connections", "_lock", "_transaction", "idle")

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.idle = False

    def __enter__(self) -> SqliteTransaction:
        """Wait for our turn and begin."""
        self._transaction = transaction = self._connections.take()
        self._lock = self._connections.lock
        try:
            self._lock.acquire()
            try:
                transaction.again("begin immediate")
                transaction.prepare()
            except BaseException:
                try:
                    if transaction.connection.in_transaction:
                        transaction.execute("rollback")
                finally:
                    self._lock.release()
                raise
        except (sqlite3.Error, OSError) as error:
            self._connections.give_back(transaction)
            raise self._connections.explain(error) from error
        except BaseException:
            self._connections.give_back(transaction)
            raise
        return transaction

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit, or undo what was done if anything failed, and let the next one in.

        What we refuse is often there already, and its writer may not have synced it: whoever is refused may rely on it.
        """
        transaction = self._transaction
        try:
            try:
                try:
                    if error is None:
                        transaction.again("commit")
                finally:
                    if transaction.connection.in_transaction:
                        transaction.execute("rollback")
            finally:
                self._lock.release()
            if error is None or isinstance(error, _REFUSALS):
                if not self.idle:
                    transaction.sync()
                self._connections.confirm()
        except (sqlite3.Error, OSError) as failure:
            raise self._connections.explain(failure) from failure
        finally:
            self._connections.give_back(transaction)
        if isinstance(error, sqlite3.Error):
            raise self._connections.explain(error) from error
