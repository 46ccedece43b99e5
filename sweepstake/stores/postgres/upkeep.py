"""The health of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg

from sweepstake.errors import ConfigurationError, StoreUnavailableError
from sweepstake.stores.postgres.engine import connection_string
from sweepstake.stores.statements import load_migrations
from sweepstake.stores.urls import PostgresUrl

__all__ = ["PostgresUpkeep"]


class PostgresUpkeep:
    """`Upkeep` of a PostgreSQL database, which has better tools of its own for most of it."""

    def __init__(self, url: PostgresUrl) -> None:
        self._conninfo = connection_string(url)

    @property
    def known(self) -> int:
        """The schema to which this version brings a store."""
        return load_migrations("postgres")[-1].version

    def schema(self) -> int:
        """Return the schema that the database has; 0 if it has no tables yet."""
        try:
            with psycopg.connect(self._conninfo, prepare_threshold=None) as connection:
                there = connection.execute("select to_regclass('meta') is not null").fetchone()
                if there is None or not there[0]:
                    return 0
                row = connection.execute("select value from meta where name = 'schema'").fetchone()
        except psycopg.Error as error:
            raise StoreUnavailableError(f"PostgreSQL could not answer: {error}.") from error
        return 0 if row is None else int(row[0])

    def problems(self) -> Sequence[str]:
        """Return nothing: the database checks its pages as it reads them, if it was set up with checksums."""
        return []

    def back_up(self, target: Path, progress: Callable[[int, int], None]) -> None:  # noqa: ARG002 -- others need it
        """Refuse: pg_dump does this."""
        raise ConfigurationError(
            f"PostgreSQL has a tool for this: pg_dump --format=custom --file={target} URL, and pg_restore to put it "
            "back; or your server's own backups."
        )
