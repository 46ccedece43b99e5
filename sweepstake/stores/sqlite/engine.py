"""The engine for a SQLite file."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn
from weakref import finalize

from sweepstake.clock import Clock
from sweepstake.errors import ConfigurationError, StoreRefusedError, StoreUnavailableError, SweepstakeError
from sweepstake.stores.engine import DuplicateError, Params, Row
from sweepstake.stores.forks import ForkGate, ForkWatch
from sweepstake.stores.migrations import migrate
from sweepstake.stores.sqlite.boot import boot_id
from sweepstake.stores.sqlite.errors import translate
from sweepstake.stores.sqlite.filelock import LockFiles
from sweepstake.stores.sqlite.log import SqliteLog, sync_file
from sweepstake.stores.sqlite.network import refuse_network
from sweepstake.stores.sqlite.place import (
    SqlitePlace,
    another_store,
    clear_leftovers,
    file_uri,
    refuse_gone,
    refuse_torn,
)
from sweepstake.stores.sqlite.turn import SqliteTransaction, SqliteTurn
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
        self._address = path.absolute()  # the process may go elsewhere
        self.path = _follow(self._address)
        refuse_network(self.path)
        self._clock = clock
        self._sync = sync
        self._statements = load_statements("sqlite")
        self._idle: list[SqliteTransaction] = []
        self._all: list[SqliteTransaction] = []
        #: Where the connections lead; None as long as there is none.
        self._place: SqlitePlace | None = None
        self._identity: str | None = None
        self._closed = False
        self._queued = True
        self._guard = threading.Lock()
        self._entrance = threading.Lock()
        # SQLite remembers per process who locks the file. A child that inherited an open connection would rely on
        # locks that only its parent has, and lose what it wrote when the parent closes the file.
        self._gate = ForkGate(self._close_idle)
        # An engine that nobody closed lets go of its connections when nobody refers to it any more.
        finalize(self, _close_all, self._all).atexit = False
        try:
            self.lock = _locks.open(_lock_path(self.path))
        except OSError as error:
            raise _refuse(self.path, error) from error
        try:
            self._arrive()
        except BaseException as error:
            self.close()
            if isinstance(error, (sqlite3.Error, OSError)) and not isinstance(error, SweepstakeError):
                raise translate(error, self.path) from error
            raise
        _forks.guard(self._gate)
        _forks.add(_locks)
        _forks.add(self)

    @contextmanager
    def read(self) -> Iterator[SqliteTransaction]:
        """Begin to read; each statement may see a later state than the one before."""
        if (place := self._place) is not None:
            place.look()  # if it is lost, the call goes on with what is there now
        transaction = self.take()
        try:
            yield transaction
        except sqlite3.Error as error:
            raise self.explain(error) from error
        finally:
            self.give_back(transaction)

    def write(self, *, urgent: bool = False) -> SqliteTurn:  # noqa: ARG002 -- as of every engine; turns are short
        """Begin a transaction when it is our turn."""
        return SqliteTurn(self)

    def claim(self, *, name: str, worker: str, key: str, ids: str | None = None) -> Row | None:
        """Claim a ready job in a transaction of its own."""
        turn = SqliteTurn(self)
        with turn as transaction:
            row = transaction.claim(name=name, worker=worker, key=key, ids=ids)
            turn.idle = row is None
            return row

    def finish(self, params: Params, *, claim: Mapping[str, str] | None) -> tuple[Row, Row | None] | None:
        """Finish the plain case and claim the next job in the same transaction."""
        turn = SqliteTurn(self)
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
                raise self.explain(failure) from failure
        self.confirm()

    def outwait(self) -> None:
        """Do nothing: writers take turns, so whatever was under way has ended when a write is committed."""

    def close(self) -> None:
        """Close what no call is using; the rest follows when the calls under way have ended."""
        self._closed = True
        self._close_idle()
        with self._guard:
            self._let_go()

    @property
    def identity(self) -> str:
        """As `Engine.identity`."""
        assert self._identity is not None, "a store has its name when it has been opened"
        return self._identity

    def confirm(self) -> None:
        """As `Engine.confirm`."""
        if (place := self._place) is not None and (problem := place.look()) is not None:
            raise StoreUnavailableError(problem)

    def explain(self, error: sqlite3.Error | OSError) -> SweepstakeError | DuplicateError:
        """Return our error for one of the library's or the disk's, which a file that was replaced may have caused."""
        place = self._place
        problem = None if place is None else place.look()
        return translate(error, self.path) if problem is None else StoreUnavailableError(problem)

    def _close_idle(self) -> None:
        with self._guard:
            while self._idle:
                self._discard(self._idle.pop())
            if not self._all:
                self._place = None

    def after_fork(self) -> None:
        """Leave the parent's connections alone: what closes one may let go of the parent's locks."""
        for transaction in self._all:
            transaction.forget()
        self._all.clear()
        self._idle.clear()
        self._place = None
        self._guard = threading.Lock()
        self._entrance = threading.Lock()

    def take(self) -> SqliteTransaction:
        """Return a connection for one call, which must give it back; a fork waits for that."""
        self._gate.enter()
        try:
            if self._closed:
                self._refuse_calls()
            try:
                if self._place is None or self._place.lost:
                    self._arrive()
                try:
                    return self._idle.pop()
                except IndexError:
                    return self._connect()
            except (sqlite3.Error, OSError) as error:
                raise translate(error, self.path) from error
        except BaseException:
            self._gate.leave()
            raise

    def _refuse_calls(self) -> NoReturn:
        raise StoreUnavailableError(f"The store {self.path} was closed; connect to it again.")

    def give_back(self, transaction: SqliteTransaction) -> None:
        """End what `take` began."""
        if self._place is None or self._place.lost:
            with self._guard:
                self._discard(transaction)
        else:
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
            _locks.close(self.lock)

    def _connect(self) -> SqliteTransaction:
        connection = sqlite3.connect(
            file_uri(self.path),
            uri=True,
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
        log = SqliteLog(connection, self.path, self.lock, self._sync)
        transaction = SqliteTransaction(connection, log, self._statements, self._clock)
        self._all.append(transaction)
        return transaction

    def _arrive(self) -> None:
        """Make the first connection to what is at the address now.

        Raises:
            StoreUnavailableError: it is not the store that this process began with, or nothing is there any more.
        """
        with self._entrance:
            before = self._place
            if before is not None and not before.lost:
                return  # another thread was quicker
            self._close_idle()
            if self._all:
                raise StoreUnavailableError(f"Other calls of this process still leave the store {self.path}.")
            self._find_files()
            self.lock.acquire()
            try:
                if before is not None:
                    before.refuse_old_log()
                self._open_files()
            finally:
                self.lock.release()

    def _find_files(self) -> None:
        """See where the address leads now, and stand in the queue of writers that is there."""
        if self._identity is not None:
            refuse_gone(self._address)
            self.path = _follow(self._address)
        lock, self.lock = self.lock, _locks.open(_lock_path(self.path))
        _locks.close(lock)

    def _open_files(self) -> None:
        """Connect in a turn of our own, and keep which files that led to."""
        if self._identity is None:
            _create_file(self.path)
        refuse_torn(self.path)
        transaction = self._connect()
        try:
            _have_log(transaction.connection, self.path)
            transaction.execute("begin immediate")
            self._identify(transaction)
            transaction.execute("commit")
            place = SqlitePlace(self._address, self.path)
            transaction.sync()
            place.confirm()
        except BaseException:
            self._discard(transaction)
            raise
        self._idle.append(transaction)
        self._place = place

    def _identify(self, transaction: SqliteTransaction) -> None:
        """Learn which store it is, or see that it is the same as before, and bring its schema up to date."""
        if self._identity is not None:
            known = None if transaction.row("has_meta") is None else transaction.row("meta", name="store")
            if known is None or known[0] != self._identity:
                raise another_store(self._address)
        migrate(transaction, "sqlite", transaction.execute)
        self._greet_boot(transaction)
        row = transaction.row("meta", name="store")
        assert row is not None, "a migration has given the store its name"
        self._identity = row[0]

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


def _follow(address: Path) -> Path:
    """Return the file behind links: SQLite has a meaning of its own for `file:`, and a file has one lock."""
    try:
        return Path(os.path.realpath(address))
    except OSError as error:
        raise _refuse(address, error) from error


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + "-lock")


def _have_log(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(f"pragma page_size = {_PAGE_BYTES}")  # of a file that is new
    mode = connection.execute("pragma journal_mode = wal").fetchone()[0]
    if mode != "wal":
        raise StoreRefusedError(
            f"{path} cannot have a write-ahead log (its mode is {mode}), without which nothing is safe here. "
            "Name a file on another disk."
        )


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
        clear_leftovers(path)
    except FileExistsError:
        if not path.is_file():
            raise _refuse(path, FileExistsError(errno.EEXIST, "it is no regular file")) from None
    except OSError as error:
        raise _refuse(path, error) from error


def _refuse(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"The store {path} cannot be opened: {error.strerror}. Check the path in the store's URL, and its permissions."
    )
