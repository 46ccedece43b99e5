"""The engine for a SQLite file."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from weakref import finalize

from sweepstake.errors import ConfigurationError, StoreRefusedError, StoreUnavailableError, SweepstakeError
from sweepstake.ports import Clock
from sweepstake.stores.clocks import boot_id
from sweepstake.stores.engine import DuplicateError, Params, Row
from sweepstake.stores.filelock import FileLock, LockFiles
from sweepstake.stores.forks import ForkGate, ForkWatch, abandon
from sweepstake.stores.migrations import migrate
from sweepstake.stores.network import refuse_network
from sweepstake.stores.sqlitelog import SqliteLog
from sweepstake.stores.statements import load_statements

__all__ = ["SqliteEngine"]

#: The first version that has RETURNING.
_OLDEST: Final = (3, 35, 0)
_BUSY_SECONDS: Final = 30.0

_locks: Final = LockFiles()
_forks: Final = ForkWatch()


class SqliteTransaction:
    """One connection, and what can be asked through it; at most one thread uses it at a time."""

    def __init__(
        self, connection: sqlite3.Connection, log: SqliteLog, statements: Mapping[str, str], clock: Clock
    ) -> None:
        self.connection = connection
        self._log = log
        self.sync = log.sync
        self._statements = statements
        self._wall = clock.wall
        self._monotonic = clock.monotonic
        self.execute = connection.execute

    def forget(self) -> None:
        """Leave the connection to the parent of this forked child."""
        abandon(self.connection)
        self._log.close()

    def close(self) -> None:
        """Close the connection."""
        self._log.close()
        self.connection.close()

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

    def claim(self, *, name: str, worker: str, key: str) -> Row | None:
        """Claim a ready job; no other writer is at work, so what is read here stays true."""
        picked = self.execute(self._statements["pick"], {"name": name, "key": key}).fetchone()
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
        self.execute(self._statements["take"], params)
        self.execute(self._statements["begin_attempt"], params)
        due = params["tick"] + lease
        started = (worker, due, picked[15], params["now"], None)
        return (*picked[:2], "RUNNING", *picked[3:5], key, *picked[6:13], *started, *picked[18:])

    def finish(self, params: Params) -> Row | None:
        """Finish the plain case and return the job's columns."""
        held = self.execute(self._statements["held_plain"], params).fetchone()
        if held is None:
            return None
        now = self._wall()
        hyperparameters = params["hyperparameters"] or held[3]
        ends = {**params, "hyperparameters": hyperparameters, "seq": held[0], "number": held[12], "now": now}
        ends["finish_key"] = params["key"]
        self.execute(self._statements["finish"], ends)
        self.execute(self._statements["end_attempt"], ends)
        document = (params["status"], hyperparameters, params["results"], params["key"])
        return (*held[:2], *document, *held[6:14], None, *held[15:17], now)


class SqliteTurn:
    """The block of one writer: its transaction begins when it is its turn, and ends with the block.

    What it wrote is on the disk when the block has been left; the next writer has its turn before that.

    A class, because a generator would take twice as long, which is a tenth of a claim.

    Attributes:
        idle: set it when nothing was written, and the answer acknowledges nothing that others wrote.
    """

    __slots__ = ("_engine", "_lock", "_path", "_transaction", "idle")

    def __init__(self, engine: SqliteEngine, lock: FileLock, path: Path) -> None:
        self._engine = engine
        self._lock = lock
        self._path = path
        self.idle = False

    def __enter__(self) -> SqliteTransaction:
        """Wait for our turn and begin."""
        self._transaction = transaction = self._engine.take()
        try:
            self._lock.acquire()
            try:
                transaction.execute("begin immediate")
            except BaseException:
                self._lock.release()
                raise
        except sqlite3.Error as error:
            self._engine.give_back(transaction)
            raise _translate(error, self._path) from error
        except BaseException:
            self._engine.give_back(transaction)
            raise
        return transaction

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit, or undo what was done if anything failed, and let the next one in."""
        try:
            try:
                if error is None:
                    self._commit()
                else:
                    self._undo()
            finally:
                self._lock.release()
            if error is None and not self.idle:
                self._transaction.sync()
        except (sqlite3.Error, OSError) as failure:
            raise _translate(failure, self._path) from failure
        finally:
            self._engine.give_back(self._transaction)
        if isinstance(error, sqlite3.Error):
            raise _translate(error, self._path) from error

    def _commit(self) -> None:
        try:
            self._transaction.execute("commit")
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        if self._transaction.connection.in_transaction:
            self._transaction.connection.execute("rollback")


class SqliteEngine:
    """One SQLite file.

    Writers stand in a queue of our own, because SQLite's is not fair: with it, a worker may starve for seconds.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        _check_version()
        refuse_network(path)
        self._path = path
        self._clock = clock
        self._statements = load_statements("sqlite")
        self._idle: list[SqliteTransaction] = []
        self._all: list[SqliteTransaction] = []
        self._closed = False
        self._queued = True
        self._guard = threading.Lock()
        # SQLite remembers per process who locks the file. A child that inherited an open connection would rely on
        # locks that only its parent has, and lose what it wrote when the parent closes the file.
        self._gate = ForkGate(self._close_idle)
        # An engine that nobody closed lets go of its connections when nobody refers to it any more.
        finalize(self, _close_all, self._all).atexit = False
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _locks.open(path.with_name(path.name + "-lock"))
        except OSError as error:
            raise _refuse(path, error) from error
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise
        _forks.guard(self._gate)
        _forks.add(_locks)
        _forks.add(self)

    @contextmanager
    def read(self) -> Iterator[SqliteTransaction]:
        """Begin to read; each statement may see a later state than the one before."""
        transaction = self.take()
        try:
            yield transaction
        except sqlite3.Error as error:
            raise _translate(error, self._path) from error
        finally:
            self.give_back(transaction)

    def write(self) -> SqliteTurn:
        """Begin a transaction when it is our turn."""
        return SqliteTurn(self, self._lock, self._path)

    def claim(self, *, name: str, worker: str, key: str) -> Row | None:
        """Claim a ready job in a transaction of its own."""
        turn = self.write()
        with turn as transaction:
            row = transaction.claim(name=name, worker=worker, key=key)
            turn.idle = row is None
            return row

    def finish(self, params: Params, *, claim: Mapping[str, str] | None) -> tuple[Row, Row | None] | None:
        """Finish the plain case and claim the next job in the same transaction."""
        turn = self.write()
        with turn as transaction:
            job = transaction.finish(params)
            turn.idle = job is None
            if job is None:
                return None
            return job, transaction.claim(**claim) if claim else None

    def sync(self) -> None:
        """Have whatever can be read on the disk."""
        with self.read() as transaction:
            try:
                transaction.sync()
            except OSError as failure:
                raise _translate(failure, self._path) from failure

    def outwait(self) -> None:
        """Do nothing: writers take turns, so whatever was under way has ended when a write is committed."""

    def close(self) -> None:
        """Close what no call is using; the rest follows when the calls under way have ended."""
        self._closed = True
        self._close_idle()
        with self._guard:
            self._let_go()

    def _close_idle(self) -> None:
        with self._guard:
            while self._idle:
                self._discard(self._idle.pop())

    def after_fork(self) -> None:
        """Leave the parent's connections alone: what closes one may let go of the parent's locks."""
        for transaction in self._all:
            transaction.forget()
        self._all.clear()
        self._idle.clear()
        self._guard = threading.Lock()

    def take(self) -> SqliteTransaction:
        """Return a connection for one call, which must give it back; a fork waits for that."""
        self._gate.enter()
        try:
            return self._take_one()
        except BaseException:
            self._gate.leave()
            raise

    def _take_one(self) -> SqliteTransaction:
        if self._closed:
            raise StoreUnavailableError(f"The store {self._path} was closed; connect to it again.")
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._connect()
        except sqlite3.Error as error:
            raise _translate(error, self._path) from error

    def give_back(self, transaction: SqliteTransaction) -> None:
        """End what `take` began."""
        self._idle.append(transaction)
        self._gate.leave()
        if self._closed:
            self.close()

    def _discard(self, transaction: SqliteTransaction) -> None:
        self._all.remove(transaction)
        transaction.close()

    def _let_go(self) -> None:
        """Leave the queue of writers once no call needs it."""
        if not self._all and self._queued:
            self._queued = False
            _locks.close(self._lock)

    def _connect(self) -> SqliteTransaction:
        connection = sqlite3.connect(
            self._path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            connection.execute("pragma synchronous = normal")  # see SqliteLog
            connection.execute("pragma foreign_keys = off")
        except BaseException:
            connection.close()
            raise
        log = SqliteLog(connection, self._path)
        transaction = SqliteTransaction(connection, log, self._statements, self._clock)
        self._all.append(transaction)
        return transaction

    def _set_up(self) -> None:
        self._lock.acquire()
        try:
            _create_file(self._path)
            with self.read() as reading:
                reading.connection.execute("pragma journal_mode = wal")
        finally:
            self._lock.release()
        with self.write() as writing:
            migrate(writing, "sqlite", writing.connection.execute)
            self._greet_boot(writing)

    def _greet_boot(self, transaction: SqliteTransaction) -> None:
        """Make all leases overdue that were given before the machine was last started."""
        boot = boot_id()
        known = transaction.row("meta", name="boot")
        if known is None or known[0] != boot:
            transaction.run("forget_leases")
            transaction.run("set_meta", name="boot", value=boot)


def _close_all(transactions: list[SqliteTransaction]) -> None:
    while transactions:
        transactions.pop().close()


def _check_version() -> None:
    if sqlite3.sqlite_version_info < _OLDEST:
        raise StoreRefusedError(
            f"SQLite {sqlite3.sqlite_version} is too old: Sweepstake needs 3.35 or newer. Use a newer Python build, "
            "or a server: `sweepstake serve` on another machine, or a postgresql:// store."
        )


def _create_file(path: Path) -> None:
    """Make the file for nobody else's eyes, if there is none.

    One that exists is not opened: to close it again would let go of the locks that SQLite holds on it.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not path.is_file():
            raise _refuse(path, FileExistsError(errno.EEXIST, "it is no regular file")) from None
    except OSError as error:
        raise _refuse(path, error) from error


def _refuse(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"The store {path} cannot be opened: {error.strerror}. Check the path in the store's URL, and its permissions."
    )


def _translate(error: sqlite3.Error | OSError, path: Path) -> SweepstakeError | DuplicateError:
    """Return our error for one of the library's or the disk's."""
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")):
        return DuplicateError(str(error))
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StoreRefusedError(
            f"{path} is not a healthy SQLite database ({error}). Put back a backup, or name another file."
        )
    if name == "SQLITE_ERROR":
        return StoreRefusedError(
            f"{path} does not hold the tables of a store ({error}). Name another file, or one that is new."
        )
    if name.startswith("SQLITE_FULL"):
        return StoreUnavailableError(
            f"The disk that holds {path} is full ({error}). Make room; the call is then repeated."
        )
    if name.startswith("SQLITE_READONLY"):
        return StoreRefusedError(f"{path} may not be written ({error}). Check its permissions, and its folder's.")
    return StoreUnavailableError(f"The store {path} could not answer: {error}.")
