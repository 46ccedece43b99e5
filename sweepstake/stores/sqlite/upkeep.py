"""The health of a SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sweepstake.errors import ConfigurationError, StoreUnavailableError
from sweepstake.stores.sqlite.errors import is_damage, translate
from sweepstake.stores.statements import load_migrations

__all__ = ["SqliteUpkeep"]

#: Pages of one step of a backup: a few milliseconds, after which the progress is told.
_STEP: Final = 1024
_BUSY_SECONDS: Final = 30.0


class SqliteUpkeep:
    """`Upkeep` of a SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def known(self) -> int:
        """The schema to which this version brings a store."""
        return load_migrations("sqlite")[-1].version

    def schema(self) -> int:
        """Return the schema that the file has; 0 if it has no tables yet."""
        with self._open() as connection:
            if not connection.execute("select 1 from sqlite_master where name = 'meta'").fetchone():
                return 0
            row = connection.execute("select value from meta where name = 'schema'").fetchone()
            return 0 if row is None else int(row[0])

    def problems(self) -> Sequence[str]:
        """Let SQLite check the file, and return what it finds wrong."""
        with self._open() as connection:
            try:
                found = [str(row[0]) for row in connection.execute("pragma integrity_check(100)")]
            except sqlite3.DatabaseError as error:
                if is_damage(error):
                    return [str(error)]
                raise
        return [] if found == ["ok"] else found

    def back_up(self, target: Path, progress: Callable[[int, int], None]) -> None:
        """Copy the file to a new one, as it is at one moment; see `Upkeep.back_up`."""
        with self._open() as source:
            # The copy is of the snapshot that begins here: without one, it would begin anew with each write of others.
            source.execute("begin")
            source.execute("select count(*) from sqlite_master").fetchone()
            _create(target)
            try:
                with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                    source.backup(copy, pages=_STEP, progress=lambda _, left, total: progress(total - left, total))
                _sync(target)
            except BaseException:
                target.unlink(missing_ok=True)
                raise
            source.execute("rollback")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if not self._path.is_file():
            raise ConfigurationError(f"There is no store {self._path}. Check the path in the store's URL.")
        address = f"file:{quote(str(self._path.absolute()))}?mode=rw"
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                raise translate(error, self._path) from error
            raise StoreUnavailableError(f"The store {self._path} could not answer: {error}.") from error


def _create(target: Path) -> None:
    """Make the file, for its owner alone to read."""
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise ConfigurationError(f"{target} exists already, and is not overwritten; name another file.") from None
    except OSError as error:
        raise ConfigurationError(f"The backup {target} cannot be made: {error.strerror}. Check the path.") from None


def _sync(target: Path) -> None:
    """Make the file and its name survive a power cut."""
    for path in (target, target.absolute().parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
