"""The engine for a SQLite file."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from weakref import finalize

from sweepstake.errors import ConfigurationError, StoreRefusedError, StoreUnavailableError
from sweepstake.ports import Clock
from sweepstake.stores.clocks import boot_id
from sweepstake.stores.engine import Params, Row
from sweepstake.stores.filelock import LockFiles
from sweepstake.stores.forks import ForkGate, ForkWatch
from sweepstake.stores.migrations import migrate
from sweepstake.stores.network import refuse_network
from sweepstake.stores.sqliteerrors import translate
from sweepstake.stores.sqlitelog import SqliteLog, sync_file
from sweepstake.stores.sqliteturn import SqliteTransaction, SqliteTurn
from sweepstake.stores.statements import load_statements

__all__ = ["SqliteEngine"]

#: The first version that has RETURNING.
_OLDEST: Final = (3, 35, 0)
_BUSY_SECONDS: Final = 30.0
#: A claim changes a few hundred bytes in five places, and whole pages are written: smaller ones are written sooner.
_PAGE_BYTES: Final = 1024

_locks: Final = LockFiles()
_forks: Final = ForkWatch()


class SqliteEngine:
    """One SQLite file.

    Writers stand in a queue of our own, because SQLite's is not fair: with it, a worker may starve for seconds.

    Args:
        path: the file.
        clock: by which leases are judged.
        sync: returns when what was written to a descriptor is on the disk.
    """

    def __init__(self, path: Path, clock: Clock, sync: Callable[[int], None] = sync_file) -> None:
        _check_version()
        try:  # the process may go elsewhere, SQLite has a meaning of its own for `file:`, and a file has one lock
            path = Path(os.path.realpath(path))
        except OSError as error:
            raise _refuse(path, error) from error
        refuse_network(path)
        self._path = path
        self._clock = clock
        self._sync = sync
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
            raise translate(error, self._path) from error
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
                raise translate(failure, self._path) from failure

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
            raise translate(error, self._path) from error

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
        log = SqliteLog(connection, self._path, self._lock, self._sync)
        transaction = SqliteTransaction(connection, log, self._statements, self._clock)
        self._all.append(transaction)
        return transaction

    def _set_up(self) -> None:
        self._lock.acquire()
        try:
            _create_file(self._path)
            with self.read() as reading:
                reading.connection.execute(f"pragma page_size = {_PAGE_BYTES}")  # of a file that is new
                mode = reading.connection.execute("pragma journal_mode = wal").fetchone()[0]
            if mode != "wal":
                raise StoreRefusedError(
                    f"{self._path} cannot have a write-ahead log (its mode is {mode}), without which nothing is safe "
                    "here. Name a file on another disk."
                )
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
