"""The four ways to reach a queue: SQLite and PostgreSQL, each directly and through a server."""

from collections.abc import Callable, Iterator

import pytest

from sweepstake.ports import Queue
from tests.lab import Lab
from tests.postgres import PostgresServer
from tests.stack import ServerProcess, open_queue


@pytest.fixture(scope="session", params=["sqlite", "http-sqlite", "postgres", "http-postgres"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where clients find the queue: the URL of a store or of a server over it."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param.endswith("sqlite"):
        store = f"sqlite:///{folder}/store.db"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        store = server.new_database()
    if not request.param.startswith("http"):
        yield store
        return
    with ServerProcess(store, folder) as server_process:
        yield server_process.url


@pytest.fixture
def reach(address: str) -> Iterator[Callable[[], Queue]]:
    """Open one more client of the queue, as another process would."""
    opened: list[Queue] = []

    def open_another() -> Queue:
        opened.append(open_queue(address))
        return opened[-1]

    yield open_another
    for queue in opened:
        queue.close()


@pytest.fixture(scope="session")
def queue(address: str) -> Iterator[Queue]:
    """The queue under test; other tests keep other experiments in it."""
    opened = open_queue(address)
    yield opened
    opened.close()


@pytest.fixture
def lab(queue: Queue) -> Lab:
    """A new experiment without a search, of default settings."""
    return Lab.new(queue)
