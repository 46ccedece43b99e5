"""The moments of a call: before and after each statement, begin and commit that it sends to its database."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

import psycopg

from sweepstake.stores.engine import Engine, Params, Row, Transaction

__all__ = ["ObservedEngine", "observing", "watched"]

#: Who is told of the moments of this thread.
_watch: ContextVar[Callable[[str], None] | None] = ContextVar("watch", default=None)


@contextmanager
def watched(reached: Callable[[str], None]) -> Iterator[None]:
    """Tell `reached` of every moment of this thread, on connections that are opened while `observing`."""
    before = _watch.set(reached)
    try:
        yield
    finally:
        _watch.reset(before)


@contextmanager
def observing() -> Iterator[None]:
    """Look at the two libraries that talk to databases, from outside, for the length of a block."""
    connect = sqlite3.connect

    def connect_observed(*arguments: Any, **options: Any) -> sqlite3.Connection:
        return connect(*arguments, **options, factory=_SqliteConnection)

    with ExitStack() as stack:
        stack.enter_context(patch.object(sqlite3, "connect", connect_observed))
        for owner, name in ((psycopg.Cursor, "execute"), (psycopg.Cursor, "copy")):
            stack.enter_context(patch.object(owner, name, _around(getattr(owner, name))))
        stack.enter_context(patch.object(psycopg.Connection, "transaction", _transaction))
        yield


class ObservedEngine:
    """An engine that also tells of the moment before each of its turns, when it waits for nobody and holds nothing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.read = engine.read
        self.sync = engine.sync
        self.wait_for_transactions = engine.wait_for_transactions
        self.confirm = engine.confirm
        self.close = engine.close

    @property
    def identity(self) -> str:
        """As `Engine.identity`."""
        return self._engine.identity

    def write(self, *, urgent: bool = False) -> AbstractContextManager[Transaction]:
        """As `Engine.write`."""
        _tell("before turn")
        return self._engine.write(urgent=urgent)

    def claim(
        self, *, name: str, worker: str, key: str, ids: str | None = None, fitting: str | None = None
    ) -> Row | None:
        """As `Engine.claim`."""
        _tell("before turn")
        return self._engine.claim(name=name, worker=worker, key=key, ids=ids, fitting=fitting)

    def finish_several(
        self, reports: Sequence[Params], *, claims: Sequence[Mapping[str, str]]
    ) -> tuple[list[Row | None], list[Row]]:
        """As `Engine.finish_several`."""
        _tell("before turn")
        return self._engine.finish_several(reports, claims=claims)

    def finish(self, params: Params, *, claim: Mapping[str, str] | None) -> tuple[Row, Row | None] | None:
        """As `Engine.finish`."""
        _tell("before turn")
        return self._engine.finish(params, claim=claim)


class _SqliteCursor(sqlite3.Cursor):
    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        with _moment(sql):
            return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Self:
        with _moment(sql):
            return super().executemany(sql, parameters)


class _SqliteConnection(sqlite3.Connection):
    def cursor(self, factory: Any = _SqliteCursor, /) -> Any:
        """Return a cursor that tells what it runs; the connection's own ways to run something use one."""
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = self.cursor().execute(sql, parameters)
        return cursor

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = self.cursor().executemany(sql, parameters)
        return cursor


@contextmanager
def _transaction(connection: "psycopg.Connection[Any]") -> Iterator[psycopg.Transaction]:
    block = psycopg.Transaction(connection)
    with _moment("begin"):
        block.__enter__()
    kind: type[BaseException] | None = None
    error: BaseException | None = None
    trace: TracebackType | None = None
    try:
        yield block
    except BaseException as raised:
        kind, error, trace = type(raised), raised, raised.__traceback__
        raise
    finally:
        with _moment("commit" if error is None else "rollback"):
            block.__exit__(kind, error, trace)


def _around(call: Callable[..., Any]) -> Callable[..., Any]:
    def observed(cursor: Any, statement: Any, *arguments: Any, **options: Any) -> Any:
        with _moment(str(statement)):
            return call(cursor, statement, *arguments, **options)

    return observed


@contextmanager
def _moment(statement: str) -> Iterator[None]:
    words = " ".join(statement.split()[:3]).lower()
    _tell(f"before {words}")
    yield
    _tell(f"after {words}")


def _tell(moment: str) -> None:
    told = _watch.get()
    if told is not None:
        told(moment)
