"""A store as the first release made it, and a client that knows no other: the first schema and the SQL of then."""

import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from importlib.resources import files
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import unquote

import psycopg

from sweepstake.stores.sqlite.boot import boot_id
from sweepstake.stores.statements import load_migrations
from tests.kit.lab import new_key

__all__ = ["OldClient", "make_before", "make_first", "run_plainly"]

T = TypeVar("T")

_META: Final = "create table meta (name text primary key, value text not null)"
_SCHEMA: Final = "insert into meta (name, value) values ('schema', '1')"

_EVENT: Final = """insert into events (at, verb, experiment, job, key, detail)
    values (:now, :verb, :name, '', :key, :detail)"""
_EXPERIMENT: Final = """insert into experiments (
        name, status, search_kind, search_params, settings, lease, timeout, max_attempts, max_lost, max_preemptions,
        retry_delay, max_running, max_jobs, etag, created_at
    ) values (:name, 'RUNNING', 'Manual', 'null', '{}', 60.0, null, 1, 3, null, 0.0, null, null, :key, :now)"""
_RESERVE: Final = "update experiments set created = created + :count where name = :name"
_ADD: Final = """insert into jobs (
        experiment_id, id, status, etag, priority, due, not_before, created_at, tags, notes, origin, hyperparameters,
        results
    ) select id, :id, 'QUEUED', :etag, 0, null, null, :now, '[]', '', null, '{}', '{}'
    from experiments where name = :name"""
_PICK: Final = """select j.seq, j.attempt + 1, e.lease from experiments e join jobs j on j.experiment_id = e.id
    where e.name = :name and e.status = 'RUNNING' and j.status = 'QUEUED' and j.waiting = 0 and j.due is null
    order by j.priority desc, j.seq limit 1"""
_TAKE: Final = """update jobs set status = 'RUNNING', etag = :key, attempt = :number, due = :tick + :lease,
    worker = 'old', started_at = :now, ended_at = null where seq = :seq"""
_BEGIN: Final = """insert into attempts (job_seq, number, key, worker, lease, started_at)
    values (:seq, :number, :key, 'old', :lease, :now)"""
_FINISH: Final = """update jobs set status = 'DONE', results = :results, etag = :finish, due = null, ended_at = :now
    where seq = :seq and attempt = :number and status = 'RUNNING'"""
_END: Final = """update attempts set ended_at = :now, outcome = 'done', reason = '', finish_key = :finish
    where job_seq = :seq and number = :number"""


def make_first(url: str) -> None:
    """Make an empty store of the first schema."""
    dialect = "sqlite" if url.startswith("sqlite") else "postgres"
    statements = [_META, *load_migrations(dialect)[0].statements, _SCHEMA]
    if dialect == "sqlite":
        with closing(sqlite3.connect(unquote(url.removeprefix("sqlite:///")))) as file, file:
            file.execute("pragma journal_mode = wal")
            for statement in statements:
                file.execute(statement)
            file.execute("insert into meta (name, value) values ('boot', ?)", [boot_id()])
        return
    with psycopg.connect(url) as database:
        for statement in statements:
            database.execute(statement.encode())


def make_before(url: str, name: str) -> None:
    """Make an empty store of the schema before the migration whose file has this name after its number."""
    make_first(url)
    dialect = "sqlite" if url.startswith("sqlite") else "postgres"
    folder = files("sweepstake.stores") / "sql" / dialect / "migrations"
    version = next(int(file.name[:4]) for file in folder.iterdir() if file.name.endswith(f"_{name}.sql")) - 1
    migrations = load_migrations(dialect)[1:version]
    run_plainly(url, *(statement for migration in migrations for statement in migration.statements))
    run_plainly(url, f"update meta set value = '{version}' where name = 'schema'")


def run_plainly(url: str, *statements: str) -> None:
    """Run statements on a store as its operator would."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(unquote(url.removeprefix("sqlite:///")))) as file, file:
            for statement in statements:
                file.execute(statement)
        return
    with psycopg.connect(url) as database:
        for statement in statements:
            database.execute(statement.encode())


class OldClient:
    """One open connection, with statements that were written before there was any other schema."""

    def __init__(self, url: str) -> None:
        self._sqlite = url.startswith("sqlite")
        self._connection: Any
        if self._sqlite:
            path = unquote(url.removeprefix("sqlite:///"))
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=False)
        else:
            self._connection = psycopg.connect(url, autocommit=True, prepare_threshold=0)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._connection.close()

    def add(self, name: str, count: int) -> None:
        """Make an experiment with so many jobs."""
        made, added = new_key(), new_key()

        def add() -> None:
            self._run(_EVENT, {"verb": "put_experiment", "name": name, "key": made, "detail": ""})
            self._run(_EXPERIMENT, {"name": name, "key": made})
            self._run(_EVENT, {"verb": "add_jobs", "name": name, "key": added, "detail": str(count)})
            self._run(_RESERVE, {"name": name, "count": count})
            for i in range(count):
                self._run(_ADD, {"name": name, "id": new_key(), "etag": f"{added}.{i}"})

        self._together(add)

    def claim(self, name: str) -> dict[str, Any] | None:
        """Take the next job; what is returned names the attempt."""
        key = new_key()

        def claim() -> dict[str, Any] | None:
            lock = "" if self._sqlite else " for update of j skip locked"
            found = self._run(_PICK + lock, {"name": name}).fetchone()
            if found is None:
                return None
            taken = {"seq": found[0], "number": found[1], "lease": found[2], "key": key}
            self._run(_TAKE, taken)
            self._run(_BEGIN, taken)
            return taken

        return self._together(claim)

    def finish(self, claim: dict[str, Any]) -> None:
        """Report that the job is done."""
        report = {**claim, "finish": new_key(), "results": '{"by":"old"}'}

        def finish() -> None:
            self._run(_FINISH, report)
            self._run(_END, report)

        self._together(finish)

    def set_schema(self, version: int) -> None:
        """Let the store say that it has this schema."""
        self._run("update meta set value = :value where name = 'schema'", {"value": str(version)})

    def _together(self, work: Callable[[], T]) -> T:
        """Do something in one transaction, and again if it had to give way, as the client of then did."""
        while True:
            self._run("begin immediate" if self._sqlite else "begin", {})
            try:
                answer = work()
                self._run("commit", {})
                return answer
            except psycopg.errors.DeadlockDetected:
                self._run("rollback", {})

    def _run(self, statement: str, params: dict[str, Any]) -> Any:
        now, tick = time.time(), time.monotonic()
        if self._sqlite:
            return self._connection.execute(statement, {**params, "now": now, "tick": tick})
        spelled = re.sub(r"(?<![:\w]):(\w+)", r"%(\1)s", statement)
        return self._connection.execute(spelled.encode(), {**params, "now": now, "tick": now})
