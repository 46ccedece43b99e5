"""The addresses of queues that are reached over a network, which may lose answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import PostgresServer
from tests.stack import reached


@pytest.fixture(params=["http-sqlite", "postgres", "http-postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a PostgreSQL database, or of a server over a new store."""

    def new_database() -> str:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return server.new_database()

    with reached(request.param, tmp_path, new_database) as url:
        yield url
