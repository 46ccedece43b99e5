"""Time that passes at once: what the store notes as due is moved into the past."""

import sqlite3
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import psycopg

__all__ = ["Meddler"]

#: Longer than any lease and delay of the tests.
_SECONDS = 1e7


class Meddler:
    """Somebody with a connection of his own to the tables of a store.

    Args:
        store: the URL of a SQLite file or a PostgreSQL database.
        name: of the experiment; without quotes.
    """

    def __init__(self, store: str, name: str) -> None:
        self._jobs = f"experiment_id = (select id from experiments where name = '{name}')"
        self._moved: dict[str, float] = {}
        self._connection: sqlite3.Connection | psycopg.Connection[Any]
        if store.startswith("sqlite"):
            path = unquote(store.partition("://")[2])
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        else:
            self._connection = psycopg.connect(store, autocommit=True)

    def hurry(self, job_id: str) -> None:
        """Let a job's lease, or the time before which it shall not be claimed, be over since long."""
        moved = f"due = due - {_SECONDS}, not_before = not_before - {_SECONDS}"
        self._execute(f"update jobs set {moved} where due is not null and id = '{job_id}' and {self._jobs}")
        ((due,),) = self._execute(f"select due from jobs where id = '{job_id}' and {self._jobs}")
        self._moved[job_id] = due

    def unsettled(self) -> set[str]:
        """Return the hurried jobs at which the store has not looked since."""
        due = dict(self._execute(f"select id, due from jobs where due is not null and {self._jobs}"))
        return {job_id for job_id, moved in self._moved.items() if due.get(job_id) == moved}

    def _execute(self, statement: str) -> Iterable[Any]:
        cursor: Any = self._connection.execute(statement)
        return cursor.fetchall() if cursor.description else ()

    def close(self) -> None:
        """Let go of the store."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Stay connected for the length of a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the store."""
        self.close()
