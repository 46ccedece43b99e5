"""The statements that every job runs: prepared once on each connection, and run without a cursor."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import psycopg
from attrs import frozen
from psycopg import generators
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from sweepstake.stores.engine import Params, Row
from sweepstake.stores.postgres.connections import PostgresConnection

__all__ = ["PreparedStatement"]

_PLACE: Final = re.compile(r"%\((\w+)\)s")

#: How the text of a column is read, by PostgreSQL's number of the column's type.
_LOADERS: Final[Mapping[int, Callable[[bytes], Any]]] = {
    20: int,  # bigint
    23: int,  # integer
    25: bytes.decode,  # text
    701: float,  # double precision
}


@frozen
class PreparedStatement:
    """One statement that answers with one row or none and takes only texts, for connections that speak UTF-8.

    A cursor takes twice as long: it works out anew for each call what its statement, parameters and columns are.

    Attributes:
        statement: as the library takes it.
        text: as the server takes it.
        order: the names of the parameters.
    """

    statement: str
    name: bytes
    text: bytes
    order: tuple[str, ...]

    @classmethod
    def of(cls, name: str, statement: str) -> PreparedStatement:
        """Read a statement whose parameters are written as `%(name)s`."""
        order = tuple(dict.fromkeys(_PLACE.findall(statement)))
        text = _PLACE.sub(lambda match: f"${order.index(match[1]) + 1}", statement).replace("%%", "%")
        return cls(statement, f"sweepstake_{name}".encode(), text.encode(), order)

    def ask(self, connection: PostgresConnection, params: Params) -> Row | None:
        """Run the statement and return the first row of its answer.

        It is prepared on a connection when it is run there for the second time, so that one call on a new connection is
        one round trip.

        Raises:
            psycopg.Error: as a cursor would.
        """
        if self.name not in connection.asked:
            connection.asked.add(self.name)
            return connection.only_cursor.execute(self.statement, params, prepare=False).fetchone()
        if self.name not in connection.loaders:
            self._prepare(connection)
        values = [_dump(params[name]) for name in self.order]
        try:
            result = self._execute(connection, values)
        except psycopg.errors.InvalidSqlStatementName:  # the library forgets all that is prepared after a rollback
            self._prepare(connection)
            result = self._execute(connection, values)
        loaders = connection.loaders[self.name]
        if not loaders:
            loaders = [_LOADERS[result.ftype(column)] for column in range(result.nfields)]
            connection.loaders[self.name] = loaders
        if not result.ntuples:
            return None
        found = [result.get_value(0, column) for column in range(len(loaders))]
        return tuple([None if text is None else load(text) for text, load in zip(found, loaders, strict=True)])

    def _execute(self, connection: PostgresConnection, values: list[bytes | None]) -> PGresult:
        connection.pgconn.send_query_prepared(self.name, values)
        return _answer(connection)

    def _prepare(self, connection: PostgresConnection) -> None:
        try:
            connection.pgconn.send_prepare(self.name, self.text)
            _answer(connection)
        except BaseException:  # an interrupt, too, after which nobody knows whether it is prepared
            connection.close()
            raise
        connection.loaders[self.name] = ()


def _dump(value: str | None) -> bytes | None:
    if value is None:
        return None
    if "\0" in value:
        raise psycopg.DataError("PostgreSQL's texts hold no NUL")
    return value.encode()


def _answer(connection: PostgresConnection) -> PGresult:
    """Wait for the answer to what was sent; an interrupt cancels it, as it does a cursor's."""
    result: PGresult = connection.wait(generators.execute(connection.pgconn))[-1]
    if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        raise psycopg.errors.error_from_result(result)
    return result
