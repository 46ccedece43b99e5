"""One connection to a SQLite file, and the statements that are run on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from sweepstake.clock import Clock
from sweepstake.stores.engine import Params, Row, first_of
from sweepstake.stores.forks import abandon
from sweepstake.stores.rows import JOB_COLUMNS, JobRow
from sweepstake.stores.sqlite.log import SqliteLog
from sweepstake.stores.sqlite.place import SqlitePlace

__all__ = ["SqliteTransaction"]


class SqliteTransaction:
    """One connection, and what can be asked through it; at most one thread uses it at a time.

    Args:
        connection: an open connection.
        log: the file's write-ahead log, as this connection sees it.
        place: the files to which the connection leads.
        statements: the SQL, by name.
        clock: what `:now` and `:tick` are read from.

    Attributes:
        needs_no_sync: set it when nothing was written, and the answer relies on nothing that others wrote.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        log: SqliteLog,
        place: SqlitePlace,
        statements: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self.connection = connection
        self.log = log
        self.place = place
        self.needs_no_sync = False
        self._statements = statements
        #: Returns Unix time.
        self.now = clock.wall
        self._monotonic = clock.monotonic
        self.execute = connection.execute
        #: As `execute`, for what every claim and finish runs: it makes no new cursor, and ends the statement before.
        self._cursor = connection.cursor()
        self.execute_quickly = self._cursor.execute

    def forget(self) -> None:
        """Leave the connection to the parent of this forked child."""
        abandon(self._cursor)
        abandon(self.connection)
        self.log.forget()

    def close(self) -> None:
        """Close the connection."""
        self._cursor.close()  # with a cursor that is open, the file stays open too
        self.connection.close()
        self.log.close()

    def row(self, statement: str, /, **params: Any) -> Row | None:
        """Run a statement and return the first row of its answer."""
        params["now"] = self.now()
        params["tick"] = self._monotonic()
        row: Row | None = self.execute(self._statements[statement], params).fetchone()
        return row

    def rows(self, statement: str, /, **params: Any) -> list[Row]:
        """Run a statement and return all rows of its answer."""
        params["now"] = self.now()
        params["tick"] = self._monotonic()
        return self.execute(self._statements[statement], params).fetchall()

    def first_rows(self, statement: str, /, **params: Any) -> tuple[list[Row], bool]:
        """Run a statement and return the first rows of its answer, and whether it is all."""
        params["now"] = self.now()
        params["tick"] = self._monotonic()
        with closing(self.connection.cursor()) as cursor:
            return first_of(cursor.execute(self._statements[statement], params))

    def run(self, statement: str, /, **params: Any) -> int:
        """Run a statement and return how many rows it changed."""
        params["now"] = self.now()
        params["tick"] = self._monotonic()
        return self.execute(self._statements[statement], params).rowcount

    def run_many(self, statement: str, /, params: Sequence[Params]) -> None:
        """Run a statement with each of these parameters."""
        times = {"now": self.now(), "tick": self._monotonic()}
        self.connection.executemany(self._statements[statement], [{**each, **times} for each in params])

    def add_jobs(self, jobs: Sequence[Row]) -> None:
        """Insert many jobs."""
        self.connection.executemany(self._statements["add_job"], jobs)

    def claim(
        self,
        *,
        name: str,
        worker: str,
        key: str,
        ids: str | None = None,
        fitting: str | None = None,
        member: str | None = None,
        least: int | None = None,
    ) -> Row | None:
        """Claim a ready job; no other writer is at work, so what is read here stays true."""
        execute = self.execute_quickly
        pick = self._statements["pick_of" if ids is not None else "pick" if fitting is None else "pick_fitting"]
        wanted = {"name": name, "key": key, "ids": ids, "fitting": fitting, "member": member, "least": least}
        picked = execute(pick, wanted).fetchone()
        if picked is None:
            return None
        job, (lease, *rest) = JobRow._make(picked[:JOB_COLUMNS]), picked[JOB_COLUMNS:]
        number, now, tick = job.attempt + 1, self.now(), self._monotonic()
        params = {"seq": job.seq, "number": number, "lease": lease, "worker": worker, "key": key, "now": now}
        execute(self._statements["take"], {**params, "tick": tick})
        execute(self._statements["begin_attempt"], params)
        taken = job._replace(
            status="RUNNING", etag=key, attempt=number, worker=worker, due=tick + lease, started_at=now, ended_at=None
        )
        return (*taken, lease, *rest)

    def finish(self, params: Params) -> Row | None:
        """Finish the plain case and return the job's columns."""
        execute = self.execute_quickly
        held = execute(self._statements["held_plain"], params).fetchone()
        if held is None:
            return None
        job, now, report = JobRow._make(held), self.now(), params["report"]
        ends = {**params, "seq": job.seq, "number": job.attempt, "now": now, "finish_key": report}
        execute(self._statements["finish"], ends)
        execute(self._statements["end_attempt"], ends)
        return job._replace(status=params["status"], results=params["results"], etag=report, due=None, ended_at=now)
