"""The four ways to reach a queue: SQLite and PostgreSQL, each directly and through a server."""

from collections.abc import Iterator

import pytest

from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab
from tests.kit.postgres import PostgresServer
from tests.kit.stack import KINDS, open_queue, reached


@pytest.fixture(scope="session", params=KINDS)
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where clients find the queue: the URL of a store or of a server over it."""

    def new_database() -> str:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return server.new_database()

    with reached(request.param, tmp_path_factory.mktemp(request.param), new_database) as url:
        yield url


@pytest.fixture(scope="session")
def queue(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queue]:
    """The queue under test; other tests keep other experiments in it. What a database is beside is told where."""
    told = f"file://{tmp_path_factory.mktemp('files')}" if address.startswith("postgres") else None
    opened = open_queue(address, told)
    yield opened
    opened.close()


@pytest.fixture
def lab(queue: Queue) -> Lab:
    """A new experiment without a search, of default settings."""
    return Lab.new(queue)
