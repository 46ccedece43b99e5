"""The connections to a SQLite file that this process has open."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final
from weakref import finalize

from sweepstake.clock import Clock
from sweepstake.errors import ConfigurationError, StoreRefusedError, StoreUnavailableError, SweepstakeError
from sweepstake.stores.engine import DuplicateError
from sweepstake.stores.forks import FORK_PATIENCE, Forked, ForkWatch
from sweepstake.stores.migrations import migrate
from sweepstake.stores.sqlite.boot import boot_id
from sweepstake.stores.sqlite.errors import translate
from sweepstake.stores.sqlite.filelock import LockFiles
from sweepstake.stores.sqlite.log import SqliteLog
from sweepstake.stores.sqlite.network import refuse_network
from sweepstake.stores.sqlite.place import (
    SqlitePlace,
    another_store,
    clear_leftovers,
    file_uri,
    refuse_gone,
    refuse_torn,
)
from sweepstake.stores.sqlite.transaction import SqliteTransaction
from sweepstake.stores.statements import load_statements

__all__ = ["SqliteConnections"]

_BUSY_SECONDS: Final = 30.0
#: A claim changes a few hundred bytes in five places, and whole pages are written: smaller ones are written sooner.
_PAGE_BYTES: Final = 1024

_locks: Final = LockFiles()
_forks: Final = ForkWatch()


class SqliteConnections(Forked):
    """A pool of connections to one file: each call takes one and gives it back, and none is open while a process forks.

    SQLite remembers per process who locks the file. A child that inherited an open connection would rely on locks that
    only its parent has, and lose what it wrote when the parent closes the file.

    Args:
        address: by which the store is reached; it may be a link.
        clock: by which leases are judged.
        sync: returns when what was written to a descriptor is on the disk.

    Attributes:
        path: the file to which the address leads.
        place: where the connections lead; None as long as there is none.
        identity: the store's name, once it has been opened.

    Raises:
        ConfigurationError, StoreRefusedError, StoreUnavailableError: the file cannot be opened.
    """

    def __init__(self, address: Path, clock: Clock, sync: Callable[[int], None]) -> None:
        self._address = address.absolute()  # the process may go elsewhere
        self.path = _follow(self._address)
        refuse_network(self.path)
        self.place: SqlitePlace | None = None
        self.identity: str | None = None
        self._clock = clock
        self._sync = sync
        self._statements = load_statements("sqlite")
        self._idle: list[SqliteTransaction] = []
        self._all: list[SqliteTransaction] = []
        self._closed = False
        self._in_queue = True
        self._reset()
        # Connections that nobody closed are closed when nobody refers to the pool any more.
        finalize(self, _close_all, self._all).atexit = False
        try:
            self._lock = _locks.open(_lock_path(self.path))
        except OSError as error:
            raise _refuse(self.path, error) from error
        try:
            self._find_store()
        except BaseException:
            self.close()
            raise
        _forks.add(_locks)
        _forks.add(self)

    def take(self) -> SqliteTransaction:
        """Return a connection for one call, which must give it back; a fork waits for that."""
        with self._mutex:  # the condition's own lock, without its detour
            while self._forking:
                self._change.wait()
            if self._closed:
                raise StoreUnavailableError(f"The store {self.path} was closed; connect to it again.")
            self._calls += 1
            if self._idle and not self._idle[-1].place.lost:
                return self._idle.pop()
        try:
            return self._open()
        except BaseException:
            self.give_back(None)
            raise

    def give_back(self, transaction: SqliteTransaction | None) -> None:
        """Give back what `take` returned; None if it could not make a connection."""
        with self._mutex:
            self._calls -= 1
            if transaction is not None:
                if transaction.place is self.place and not transaction.place.lost:
                    self._idle.append(transaction)
                else:
                    self._discard(transaction)
            if self._closed:
                self._close_idle()
            if self._forking:
                self._change.notify_all()

    def close(self) -> None:
        """Close what no call is using; the rest follows when the calls under way have ended."""
        with self._mutex:
            self._closed = True
            self._close_idle()

    def explain(self, error: sqlite3.Error | OSError) -> SweepstakeError | DuplicateError:
        """Return our error for one of the library's or the disk's; a file that was replaced explains any of them."""
        problem = None if self.place is None else self.place.look()
        return translate(error, self.path) if problem is None else StoreUnavailableError(problem)

    def before_fork(self) -> None:
        """Keep further calls out, and close all connections once the calls under way have ended."""
        with self._change:
            self._forking = True
            if self._change.wait_for(lambda: not self._calls, FORK_PATIENCE):
                self._close_idle()

    def after_fork_in_parent(self) -> None:
        """Let calls in again."""
        with self._change:
            self._forking = False
            self._change.notify_all()

    def after_fork_in_child(self) -> None:
        """Leave the parent's connections alone: to close one could let go of the parent's locks."""
        for transaction in self._all:
            transaction.forget()
        self._all.clear()
        self._idle.clear()
        self.place = None
        self._reset()

    def _reset(self) -> None:
        """Begin with no call under way."""
        self._mutex = threading.Lock()
        self._change = threading.Condition(self._mutex)
        self._finding = threading.Lock()
        self._forking = False
        self._calls = 0

    def _close_idle(self) -> None:
        """Close what is idle, and leave the queue of writers when the last call after `close` has ended."""
        while self._idle:
            self._discard(self._idle.pop())
        if not self._all and self.place is not None and not self.place.lost:
            self.place = None  # another file may get the numbers of one that nobody has open
        if self._closed and not self._calls and self._in_queue:
            self._in_queue = False
            _locks.close(self._lock)

    def _discard(self, transaction: SqliteTransaction) -> None:
        self._all.remove(transaction)
        transaction.close()

    def _open(self) -> SqliteTransaction:
        """Return a connection where none is idle."""
        place = self._find_store()
        with self._mutex:
            if self._idle:
                return self._idle.pop()
        try:
            return self._connect(place)
        except (sqlite3.Error, OSError) as error:
            raise self.explain(error) from error

    def _connect(self, place: SqlitePlace | None = None) -> SqliteTransaction:
        """Make one more connection to the files of a place, or the first to those that are there now."""
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
            if place is None:
                _switch_on_log(connection, self.path)
                place = SqlitePlace(self._address, self.path)
            log = SqliteLog(connection, self.path, self._lock, self._sync)
        except BaseException:
            connection.close()
            raise
        transaction = SqliteTransaction(connection, log, place, self._statements, self._clock)
        self._all.append(transaction)
        return transaction

    def _find_store(self) -> SqlitePlace:
        """Make the first connection to what is at the address now, unless there is one; return where it leads.

        Raises:
            StoreUnavailableError: it is not the store that this process began with, or nothing is there any more.
        """
        with self._finding:
            before = self.place
            if before is not None and not before.lost:
                return before
            with self._mutex:
                self._close_idle()
                if self._all:
                    raise StoreUnavailableError(
                        f"Other calls of this process still use the file that the store {self.path} was before; "
                        "it is opened anew when they have ended."
                    )
            try:
                self._find_files()
                self._lock.acquire()
                try:
                    if before is not None:
                        before.refuse_old_log()
                    return self._open_files()
                finally:
                    self._lock.release()
            except SweepstakeError:
                raise
            except (sqlite3.Error, OSError) as error:
                raise translate(error, self.path) from error

    def _find_files(self) -> None:
        """Learn which file the address leads to now, and open the queue of that file's writers."""
        if self.identity is not None:
            refuse_gone(self._address)
            self.path = _follow(self._address)
        lock, self._lock = self._lock, _locks.open(_lock_path(self.path))
        _locks.close(lock)

    def _open_files(self) -> SqlitePlace:
        """Make the first connection, while we have the turn, and return the files that it leads to."""
        if self.identity is None:
            _create_file(self.path)
        refuse_torn(self.path)
        transaction = self._connect()
        try:
            transaction.execute("begin immediate")
            self._identify(transaction)
            transaction.execute("commit")
            transaction.log.sync()
            transaction.place.confirm()
        except BaseException:
            self._discard(transaction)
            raise
        self._idle.append(transaction)
        self.place = transaction.place
        return self.place

    def _identify(self, transaction: SqliteTransaction) -> None:
        """Learn which store it is, or see that it is the same as before, and bring its schema up to date."""
        if self.identity is not None:
            known = None if transaction.row("has_meta") is None else transaction.row("meta", name="store")
            if known is None or known[0] != self.identity:
                raise another_store(self._address)
        migrate(transaction, "sqlite", transaction.execute)
        _end_old_leases(transaction)
        row = transaction.row("meta", name="store")
        assert row is not None, "a migration has given the store its name"
        self.identity = row[0]


def _end_old_leases(transaction: SqliteTransaction) -> None:
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
    """Return the file behind links, which has one lock, by a path that SQLite cannot take for a `file:` URL."""
    try:
        return Path(os.path.realpath(address))
    except OSError as error:
        raise _refuse(address, error) from error


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + "-lock")


def _switch_on_log(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(f"pragma page_size = {_PAGE_BYTES}")  # of a file that is new
    mode = connection.execute("pragma journal_mode = wal").fetchone()[0]
    if mode != "wal":
        raise StoreRefusedError(
            f"{path} cannot have a write-ahead log (its mode is {mode}), without which nothing is safe here. "
            "Name a file on another disk."
        )
    connection.execute("select count(*) from sqlite_master").fetchone()  # which opens the log, or makes it


def _create_file(path: Path) -> None:
    """Make the file, for its owner alone to read, if there is none.

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
