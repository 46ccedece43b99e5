"""The engine for a PostgreSQL database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, Final

import psycopg
from psycopg import conninfo
from psycopg.pq import TransactionStatus

from sweepstake.errors import ConfigurationError, ServerError, StoreRefusedError, StoreUnavailableError, SweepstakeError
from sweepstake.stores.engine import MOST_TEXT, DuplicateError, Params, Row, first_of
from sweepstake.stores.forks import Forked, ForkWatch, abandon
from sweepstake.stores.migrations import migrate
from sweepstake.stores.postgres.connections import PostgresConnection, PostgresConnections
from sweepstake.stores.postgres.prepared import PreparedStatement
from sweepstake.stores.rows import JOB_COLUMNS, Limits
from sweepstake.stores.statements import load_statements, with_parameters
from sweepstake.stores.urls import PostgresUrl

__all__ = ["PostgresEngine", "connection_string"]

#: How many columns a finish answers with: those of the job, and its experiment's number.
_FINISHED_COLUMNS: Final = JOB_COLUMNS + 1
#: The statements that every job runs, each outside of a transaction.
_OF_EVERY_JOB: Final = ("claim", "finish", "finish_and_claim", "limits")
#: Statements that stop by themselves once their texts are as long as what is read at once; the last column is how long
#: those of the rows so far are.
_ADDING_UP: Final = frozenset({"jobs_page", "jobs_of_statuses", "jobs_of_tag"})
#: PostgreSQL's own clock judges leases and dates everything.
_CLOCK: Final = "date_part('epoch', clock_timestamp())"
#: The first version that has `materialized`, as its number of itself.
_OLDEST: Final = 120_000
#: How often an upgrade may give way to those at work.
_UPGRADES: Final = 10
#: How long a new limit waits for transactions that began before it, in seconds, and how long between two looks.
_WAIT_SECONDS: Final = 5.0
_WAIT_PAUSE: Final = 0.005
#: libpq's settings, unless the URL says otherwise: a server that is gone is noticed within half a minute.
_CONNECTION: Final = {
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "application_name": "sweepstake",
}
#: The server's settings. A plan that was prepared while a table was empty must not go on scanning it when it is full.
#: A claim must see what was committed when it has the locks that it waited for, whatever the database's default is.
#: A client that is stopped, or whose machine is gone, in the middle of a transaction must not keep its locks.
_SESSION: Final = (
    "-c statement_timeout=60s -c idle_in_transaction_session_timeout=5s -c enable_seqscan=off -c jit=off "
    "-c default_transaction_isolation=read\\ committed"
)

#: Errors after which the same call may succeed.
_AWAY: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
)

#: What PostgreSQL says of a first connection that will never succeed; libpq gives no code with it.
_NEVER: Final = ("authentication failed", "does not exist", "no pg_hba.conf entry", "permission denied for database")

_forks: Final = ForkWatch()

#: How many rows are taken from the library at once: each may hold two documents of 8 MiB, and one by one takes three
#: times as long. Before version 17 the library has only that.
_CHUNK: Final = 8 if psycopg.capabilities.has_stream_chunked() else 1


class PostgresTransaction:
    """One connection, and what can be asked through it."""

    def __init__(self, connection: PostgresConnection, statements: Mapping[str, str]) -> None:
        self._connection = connection
        self._statements = statements
        self._execute = connection.only_cursor.execute

    def now(self) -> float:
        """Return Unix time by the database's clock."""
        row = self.row("clock")
        assert row is not None, "the time always has a row"
        now: float = row[0]
        return now

    def row(self, statement: str, /, **params: Any) -> Row | None:
        """Run a statement and return the first row of its answer."""
        return self._execute(self._statements[statement], params).fetchone()

    def rows(self, statement: str, /, **params: Any) -> list[Row]:
        """Run a statement and return all rows of its answer."""
        return self._execute(self._statements[statement], params).fetchall()

    def first_rows(self, statement: str, /, **params: Any) -> tuple[list[Row], bool]:
        """Run a statement and return the first rows of its answer, and whether it is all; the rest is not sent."""
        if statement in _ADDING_UP:
            found = self.rows(statement, most=MOST_TEXT, **params)
            return found, not found or found[-1][-1] < MOST_TEXT
        with self._connection.cursor() as cursor:
            rows: Any = cursor.stream(self._statements[statement], params, size=_CHUNK)
            with closing(rows):  # a generator, which stops the statement
                return first_of(rows)

    def run(self, statement: str, /, **params: Any) -> int:
        """Run a statement and return how many rows it changed."""
        return self._execute(self._statements[statement], params).rowcount

    def run_many(self, statement: str, /, params: Sequence[Params]) -> None:
        """Run a statement with each of these parameters."""
        with self._connection.cursor() as cursor:
            cursor.executemany(self._statements[statement], params)

    def add_jobs(self, jobs: Sequence[Row]) -> None:
        """Insert many jobs."""
        with self._connection.cursor() as cursor, cursor.copy(self._statements["copy_jobs"]) as copy:
            for job in jobs:
                copy.write_row(job)

    def atomically(self) -> AbstractContextManager[object]:
        """Make the statements of a block take effect together."""
        return self._connection.transaction()

    @property
    def server_version(self) -> int:
        """PostgreSQL's number of its version."""
        return self._connection.info.server_version

    def migrate(self, statement: str) -> None:
        """Run a statement of a migration."""
        self._connection.execute(statement.encode())

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
        """Claim a ready job: the lock comes first, so that the claim sees who else runs."""
        self.row("lock_experiment", name=name)
        if fitting is not None:
            wanted = {"fitting": fitting, "member": member, "least": least}
            return self.row("claim_fitting", name=name, worker=worker, key=key, **wanted)
        if ids is not None:
            return self.row("claim_of", name=name, worker=worker, key=key, ids=ids)
        return self.row("claim_limited", name=name, worker=worker, key=key)


class PostgresEngine(Forked):
    """One PostgreSQL database.

    Attributes:
        identity: which store it is; see `Engine.identity`.
    """

    def __init__(self, url: PostgresUrl) -> None:
        self._conninfo = connection_string(url)
        self._prepare = url.prepare
        self._statements = {
            name: with_parameters(text.replace("%", "%%"), _spell) for name, text in load_statements("postgres").items()
        }
        self._prepared = {name: PreparedStatement.of(name, self._statements[name]) for name in _OF_EVERY_JOB}
        #: Experiments that were seen to have a limit of running jobs: for them the plain claim is not tried.
        self._limited: set[str] = set()
        self._identity: str | None = None
        self._connections = self._make_connections()
        self.identity: Final = self._set_up()
        _forks.add(self)

    @contextmanager
    def read(self, *, urgent: bool = False) -> Iterator[PostgresTransaction]:
        """Begin to read; each statement may see a later state than the one before."""
        connection = self._take(urgent=urgent)
        try:
            yield PostgresTransaction(connection, self._statements)
        except psycopg.Error as error:
            raise self._explain(error) from error
        finally:
            self._connections.give_back(connection, keep=_is_usable(connection))

    @contextmanager
    def write(self, *, urgent: bool = False) -> Iterator[PostgresTransaction]:
        """Begin a transaction."""
        with self.read(urgent=urgent) as transaction, transaction.atomically():
            yield transaction

    def claim(self, *, name: str, worker: str, key: str, ids: str | None = None) -> Row | None:
        """Claim a ready job in one statement, or after a lock where only so many may run."""
        if name not in self._limited and ids is None:
            row = self._ask("claim", {"name": name, "worker": worker, "key": key})
            if row is not None:
                return row
            limits = self._ask("limits", {"name": name})
            if limits is None or Limits._make(limits).max_running is None:
                return None
            self._limited.add(name)
        with self.write() as transaction:
            return transaction.claim(name=name, worker=worker, key=key, ids=ids)

    def finish(self, params: Params, *, claim: Mapping[str, str] | None) -> tuple[Row, Row | None] | None:
        """Finish the plain case and claim the next job in the same statement."""
        if claim is None:
            row = self._ask("finish", params)
            return None if row is None else (row, None)
        if claim["name"] in self._limited:
            return None
        row = self._ask("finish_and_claim", {**params, **claim})
        if row is None:
            return None
        finished, taken = row[:_FINISHED_COLUMNS], row[_FINISHED_COLUMNS:]
        return finished, self.claim(**claim) if taken[0] is None else taken

    def finish_several(
        self, reports: Sequence[Params], *, claims: Sequence[Mapping[str, str]]
    ) -> tuple[list[Row | None], list[Row]]:
        """Finish several attempts in the plain case and claim several jobs, each in a statement of its own.

        Together in one transaction they would lock jobs in an order that is not everybody's.
        """
        ended = [self._ask("finish", params) for params in reports]
        taken: list[Row] = []
        for claim in claims if None not in ended else ():
            row = self.claim(**claim)
            if row is None:
                break
            taken.append(row)
        return ended, taken

    def sync(self) -> None:
        """Do nothing: what others can read is on the disk."""

    def wait_for_transactions(self) -> None:
        """Wait until the transactions that are under way have ended, at most some seconds.

        A plain claim locks nothing but its job. One that began before the experiment got a limit does not know of it,
        and those that begin afterwards would count without it as long as it is not committed.
        """
        deadline = time.monotonic() + _WAIT_SECONDS
        left = self._under_way()
        while left and time.monotonic() < deadline:
            time.sleep(_WAIT_PAUSE)
            left &= self._under_way()

    def _under_way(self) -> set[Row]:
        with self.read() as transaction:
            return set(transaction.rows("under_way"))

    def confirm(self) -> None:
        """See that it is still the same store: another database, or other tables in it, have another name."""
        with self.read() as transaction:
            self._recognize(transaction)

    def _recognize(self, transaction: PostgresTransaction) -> None:
        row = None if transaction.row("has_meta") is None else transaction.row("meta", name="store")
        if row is None or row[0] != self._identity:
            raise StoreUnavailableError(
                "Another store is at this PostgreSQL address now, or its tables are gone: the database or its schema "
                "was made anew. Put the former one back, or end this process to work with the new one."
            )

    def _ask(self, statement: str, params: Params) -> Row | None:
        """Run one statement outside of a transaction: what `read` and `row` do, without the cost of either."""
        connection = self._take()
        try:
            if self._prepare and connection.speaks_utf8:
                return self._prepared[statement].ask(connection, params)
            return connection.only_cursor.execute(self._statements[statement], params).fetchone()
        except psycopg.Error as error:
            raise self._explain(error) from error
        finally:
            self._connections.give_back(connection, keep=_is_usable(connection))

    def _take(self, *, urgent: bool = False) -> PostgresConnection:
        try:
            return self._connections.take(urgent=urgent)
        except psycopg.Error as error:
            raise self._explain(error) from error

    def close(self) -> None:
        """Close all connections when the calls that use them have ended."""
        self._connections.close()

    def after_fork_in_child(self) -> None:
        """Leave the parent's connections alone, and begin with none."""
        abandon(self._connections)
        self._connections = self._make_connections()

    def _make_connections(self) -> PostgresConnections:
        return PostgresConnections(self._connect, self._is_full)

    def _connect(self) -> PostgresConnection:
        """Make a connection, and see that it leads to the same store as those before."""
        connection = PostgresConnection.connect(
            self._conninfo, autocommit=True, prepare_threshold=1 if self._prepare else None
        )
        try:
            if self._identity is not None:
                self._recognize(PostgresTransaction(connection, self._statements))
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_full(self, connection: PostgresConnection) -> bool:
        return PostgresTransaction(connection, self._statements).row("connections_used_up") is not None

    def _set_up(self) -> str:
        """Bring the schema up to date, and return which store it is."""
        try:
            with self.read() as transaction:
                _check_version(transaction.server_version)
                _upgrade(transaction)
                row = transaction.row("meta", name="store")
        except BaseException:
            self.close()
            raise
        assert row is not None, "a migration has given the store its name"
        self._identity = identity = str(row[0])
        return identity

    def _explain(self, error: psycopg.Error) -> SweepstakeError | DuplicateError:
        """Return our error, and close the other connections if this one was cut off."""
        if isinstance(error, psycopg.OperationalError) and (
            error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))
        ):
            self._connections.distrust()
        if self._identity is None and error.sqlstate is None and any(words in str(error) for words in _NEVER):
            return StoreRefusedError(
                f"PostgreSQL lets nobody in by this URL: {_first_line(error)}. Check the URL's user and database."
            )
        return _translate(error)


def _check_version(version: int) -> None:
    if version < _OLDEST:
        raise StoreRefusedError(f"PostgreSQL {version // 10_000} is too old: Sweepstake needs 12 or newer.")


def _is_usable(connection: PostgresConnection) -> bool:
    """Tell whether a connection is as it was made: open, and outside of any transaction."""
    return connection.pgconn.transaction_status == TransactionStatus.IDLE  # a closed one has none


def _upgrade(transaction: PostgresTransaction) -> None:
    """Bring the schema up to date while others are at work.

    They lock the tables in another order than a migration, so that one of two may have to give way and begin again.
    """
    for left in reversed(range(_UPGRADES)):
        try:
            with transaction.atomically():
                transaction.row("lock_schema")
                migrate(transaction, "postgres", transaction.migrate)
            return
        except psycopg.errors.DeadlockDetected:
            if not left:
                raise


def _translate(error: psycopg.Error) -> SweepstakeError | DuplicateError:
    """Return our error for one of the library's."""
    if isinstance(error, psycopg.errors.UniqueViolation):
        return DuplicateError(str(error))
    shown = _first_line(error)
    if isinstance(error, _AWAY):
        return StoreUnavailableError(f"PostgreSQL could not answer: {shown}.")
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
        return StoreUnavailableError(
            f"The tables of the store are gone ({shown}): they were removed while it was in use. Put them back; until "
            "then nothing can be written."
        )
    if isinstance(error, psycopg.ProgrammingError):
        return StoreRefusedError(
            f"PostgreSQL refused a statement: {shown}. Does the user own the tables, and did nobody change them?"
        )
    return ServerError(f"PostgreSQL failed at a statement: {shown}")


def _first_line(error: psycopg.Error) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _spell(name: str) -> str:
    return _CLOCK if name in ("now", "tick") else f"%({name})s"


def connection_string(url: PostgresUrl) -> str:
    """Return the connection string for libpq: the URL's settings, and ours where it has none."""
    try:
        given = conninfo.conninfo_to_dict(url.conninfo)
    except psycopg.ProgrammingError:  # whose text may hold a part of the password
        raise ConfigurationError(
            "The store's URL is not one that PostgreSQL understands; check that its options are those of libpq, and "
            "that special characters in them are percent-encoded."
        ) from None
    settings: dict[str, Any] = {**_CONNECTION, **given}
    if url.prepare:
        # Behind pgbouncer it would be refused.
        settings["options"] = f"{_SESSION} {given.get('options', '')}".rstrip()
    return conninfo.make_conninfo("", **settings)
