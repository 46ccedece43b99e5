"""The connections of one process to PostgreSQL: few, shared, and closed soon when the database has none to spare."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg

from sweepstake.errors import StoreUnavailableError
from sweepstake.stores.engine import Row

__all__ = ["NoConnectionError", "PostgresConnection", "PostgresConnections"]

#: The most connections of a process; an urgent call may have one more.
_MOST: Final = 10
#: How long a call waits for a connection before its store counts as away.
_WAIT_SECONDS: Final = 10.0
#: How long an idle connection is kept, and how long while the database has none to spare.
_IDLE_SECONDS: Final = 5.0
_SHORT_IDLE_SECONDS: Final = 0.05
#: While the database has none to spare: how long a connection is used before others have the chance, the chance that
#: they have, and the pause between two tries to get one.
_SLICE_SECONDS: Final = 0.25
_CHANCE_SECONDS: Final = 0.1
_TRY_PAUSE: Final = (0.02, 0.08)
#: How long it is remembered that the database had none to spare, and the time between two looks at whether it has.
_SHORT_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 5.0
#: How long an urgent call waits before it has a statement of this process cancelled that keeps it from its connection.
_CANCEL_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 30.0

#: What PostgreSQL and pgbouncer say when they have no connection for us; libpq gives no code with it.
_NONE_LEFT: Final = ("too many", "connection slots", "no more connections", "connection limit exceeded")


class PostgresConnection(psycopg.Connection[Row]):
    """A connection with one cursor for everything: to make a cursor costs as much as to read a row.

    Attributes:
        speaks_utf8: texts are sent and received as UTF-8, which is so unless the database has another encoding.
        asked: the names of the `PreparedStatement`s that were run on it before.
        loaders: how the columns of each statement's answer are read, by the name under which it is prepared here;
            empty until the first answer.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.only_cursor = self.cursor()
        self.speaks_utf8 = self.info.encoding == "utf-8"
        self.asked: set[bytes] = set()
        self.loaders: dict[bytes, Sequence[Callable[[bytes], Any]]] = {}
        self.made_at = self.taken_at = time.monotonic()

    def __del__(self, *_: Any) -> None:
        """Do not warn as the library does: its user has forgotten to close the store, and does not know this class."""


class NoConnectionError(StoreUnavailableError):
    """No connection came free in time."""


class PostgresConnections:
    """Lends connections to the calls of a process; one that the database allows is enough.

    A call that has a connection must not wait for a second one. A connection that nobody uses is closed after some
    seconds, or after a moment if the database has none to spare, because other processes wait for it. A call that is
    urgent goes before others.

    Args:
        connect: makes a connection, and raises what the library raises.
        is_full: tells through a connection whether the database has none left for us.
    """

    def __init__(
        self, connect: Callable[[], PostgresConnection], is_full: Callable[[PostgresConnection], bool]
    ) -> None:
        self._connect = connect
        self._is_full = is_full
        self._change = threading.Condition(threading.Lock())
        self._idle: list[PostgresConnection] = []
        self._busy: list[PostgresConnection] = []
        self._opening = 0
        self._urgent = 0
        self._short_until = self._next_look = self._not_before = 0.0
        self._closer: threading.Thread | None = None
        self._closed = False

    def take(self, *, urgent: bool = False) -> PostgresConnection:
        """Return a connection that nobody else uses; `give_back` must follow.

        Args:
            urgent: go before the others of this process, and have one of them interrupted if it takes too long.

        Raises:
            NoConnectionError: none came free in time.
            psycopg.Error: none can be made, for another reason than too many connections.
        """
        with self._change:
            if (connection := self._take_idle(urgent=urgent)) is not None:
                return connection
            began = time.monotonic()
            self._urgent += urgent
            try:
                while (connection := self._take_idle(urgent=urgent)) is None:
                    if self._may_open(urgent=urgent) and (connection := self._open()) is not None:
                        break
                    self._wait(began, urgent=urgent)
            finally:
                self._urgent -= urgent
        return connection

    def give_back(self, connection: PostgresConnection, *, keep: bool) -> None:
        """Give back what `take` returned.

        Args:
            connection: no longer used by the caller.
            keep: it can be used again.
        """
        now = time.monotonic()
        if keep and now > self._next_look:
            keep = self._look(connection)
        with self._change:
            self._busy.remove(connection)
            short = now < self._short_until
            kept = keep and not self._closed and not (short and now - connection.made_at > _SLICE_SECONDS)
            if kept or (keep and self._urgent and not self._closed):
                connection.taken_at = now
                self._idle.append(connection)
                if self._closer is None:
                    self._watch()
            else:
                connection.close()
                if short:
                    self._not_before = now + _CHANCE_SECONDS
            if self._urgent or short or self._closed or len(self._busy) >= _MOST - 1:
                self._change.notify_all()

    def distrust(self) -> None:
        """Close the idle connections: if the server was restarted, they are dead."""
        with self._change:
            self._close_idle()

    def close(self) -> None:
        """Close all connections, at the latest when the calls that use them have ended."""
        with self._change:
            self._closed = True
            self._close_idle()
            self._change.notify_all()
            self._change.wait_for(lambda: not self._busy, _CLOSE_SECONDS)

    # All below is called with the lock, unless it says otherwise.

    def _take_idle(self, *, urgent: bool) -> PostgresConnection | None:
        if self._closed:
            raise StoreUnavailableError("The store was closed; connect to it again.")
        if not self._idle or (self._urgent and not urgent):
            return None
        connection = self._idle.pop()
        connection.taken_at = time.monotonic()
        self._busy.append(connection)
        return connection

    def _may_open(self, *, urgent: bool) -> bool:
        if self._urgent and not urgent:
            return False
        now = time.monotonic()
        if now < self._not_before and not urgent:
            return False
        return len(self._busy) + len(self._idle) + self._opening < _MOST + urgent

    def _open(self) -> PostgresConnection | None:
        """Make a connection, with the lock released meanwhile; None if the database has none to spare."""
        self._opening += 1
        self._change.release()
        connection = None
        try:
            connection = self._connect()
        except psycopg.OperationalError as error:
            if not any(words in str(error) for words in _NONE_LEFT):
                raise
            self._short_until = time.monotonic() + _SHORT_SECONDS
        finally:
            self._change.acquire()
            self._opening -= 1
            if connection is not None:
                self._busy.append(connection)
        return connection

    def _wait(self, began: float, *, urgent: bool) -> None:
        now = time.monotonic()
        if now - began > _WAIT_SECONDS:
            raise NoConnectionError(
                f"PostgreSQL had no connection for this process within {_WAIT_SECONDS:g} s: too many are open. "
                "The call is repeated; allow more connections, or start fewer workers."
            )
        if urgent and now - began > _CANCEL_SECONDS:
            self._interrupt(now)
        self._change.wait(random.uniform(*_TRY_PAUSE))  # noqa: S311 -- so that processes do not try all at once

    def _interrupt(self, now: float) -> None:
        """Cancel the statement that has kept its connection longest; its call is then repeated."""
        held = min(self._busy, key=lambda busy: busy.taken_at, default=None)
        if held is None or now - held.taken_at < _CANCEL_SECONDS:
            return
        held.taken_at = now
        self._change.release()
        try:
            with suppress(psycopg.Error):
                held.cancel_safe(timeout=_CANCEL_SECONDS)
        finally:
            self._change.acquire()

    def _look(self, connection: PostgresConnection) -> bool:
        """See, without the lock, whether the database has connections left; False if this one is dead."""
        self._next_look = time.monotonic() + _LOOK_SECONDS
        try:
            if self._is_full(connection):
                self._short_until = time.monotonic() + _SHORT_SECONDS
        except psycopg.Error:
            return False
        return True

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _watch(self) -> None:
        """Close connections that nobody has used for a while, on a thread that ends with the last of them."""
        thread = threading.Thread(target=self._close_unused, name="sweepstake-connections", daemon=True)
        with suppress(RuntimeError):  # no room for a thread, or the interpreter ends
            thread.start()
            self._closer = thread

    def _close_unused(self) -> None:
        with self._change:
            while self._idle or self._busy:
                now = time.monotonic()
                most = _SHORT_IDLE_SECONDS if now < self._short_until else _IDLE_SECONDS
                while self._idle and now - self._idle[0].taken_at >= most:
                    self._idle.pop(0).close()
                self._change.wait(most / 2 if now < self._short_until else 1.0)
            self._closer = None
