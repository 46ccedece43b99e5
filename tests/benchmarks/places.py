"""New files, databases and servers for the benchmarks, all gone after the run."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from attrs import field, frozen

from tests.kit.postgres import PostgresServer, postgres_server

__all__ = ["Places", "open_places"]


@frozen
class Places:
    """Where sides keep their jobs; each call gives a place that nobody used before."""

    folder: Path
    exits: contextlib.ExitStack
    numbers: Iterator[int] = field(factory=lambda: itertools.count(1))
    servers: list[PostgresServer] = field(factory=list)

    def file(self) -> str:
        """Return the path of a file that does not exist yet."""
        return str(self.folder / f"{next(self.numbers)}.db")

    def sqlite_url(self) -> str:
        """Return the URL of a new SQLite store."""
        return f"sqlite:///{self.file()}"

    @property
    def postgres(self) -> PostgresServer:
        """The PostgreSQL server of the run; it starts when it is first asked for."""
        if not self.servers:
            self.servers.append(self.exits.enter_context(postgres_server()))
        return self.servers[0]

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty PostgreSQL database for the length of the block."""
        url = self.postgres.new_database()
        try:
            yield url
        finally:
            self.postgres.drop_database(url)


@contextlib.contextmanager
def open_places(folder: Path | None = None) -> Iterator[Places]:
    """Make places below `folder` (which should be on a disk), or below the temporary directory."""
    with tempfile.TemporaryDirectory(prefix="sweepstake-speed-", dir=folder) as made, contextlib.ExitStack() as exits:
        yield Places(Path(made), exits)
