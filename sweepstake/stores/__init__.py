"""Where experiments and jobs are kept: SQLite files and PostgreSQL databases, behind one seam, `Engine`."""

from __future__ import annotations

import os
from pathlib import Path

from sweepstake.clock import Clock, SystemClock
from sweepstake.errors import ConfigurationError, MissingExtraError
from sweepstake.stores.engine import Engine
from sweepstake.stores.upkeep import Upkeep
from sweepstake.stores.urls import SqliteUrl, parse_store_url

__all__ = ["open_engine", "open_upkeep"]


def open_engine(url: str, clock: Clock | None = None) -> Engine:
    """Open the database at a URL; one that is new is set up.

    Args:
        url: `sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://user@host/database`.
        clock: judges the leases of a SQLite file; a PostgreSQL database has its own. The machine's if not given.

    Raises:
        ConfigurationError: the URL is no store's, or the file cannot be opened, or its folder is not there.
        MissingExtraError: PostgreSQL's driver is not installed.
        StoreRefusedError: the schema is newer than this version, or the file is on a network file system.
        StoreUnavailableError: the database does not answer.
    """
    place = parse_store_url(url)
    if isinstance(place, SqliteUrl):
        from sweepstake.stores.sqlite.engine import SqliteEngine

        _check_folder(place.path.absolute())
        return SqliteEngine(place.path, clock or SystemClock())
    try:
        from sweepstake.stores.postgres.engine import PostgresEngine
    except ImportError as error:
        raise _no_driver() from error
    return PostgresEngine(place)


def _check_folder(path: Path) -> None:
    """Refuse a file whose folder is not there: a slip in a path would begin an empty store where nobody looks."""
    if not os.path.lexists(path.parent):
        raise ConfigurationError(
            f"there is no folder {path.parent} for the store {path.name}; make it, or mend the URL"
        )


def open_upkeep(url: str) -> Upkeep:
    """Return what an operator does to the store at a URL; nothing is opened before it is asked for.

    Raises:
        ConfigurationError: the URL is no store's.
        MissingExtraError: PostgreSQL's driver is not installed.
    """
    place = parse_store_url(url)
    if isinstance(place, SqliteUrl):
        from sweepstake.stores.sqlite.upkeep import SqliteUpkeep

        return SqliteUpkeep(place.path)
    try:
        from sweepstake.stores.postgres.upkeep import PostgresUpkeep
    except ImportError as error:
        raise _no_driver() from error
    return PostgresUpkeep(place)


def _no_driver() -> MissingExtraError:
    return MissingExtraError.of("A postgresql:// store needs PostgreSQL's driver", "postgres")
