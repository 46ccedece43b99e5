"""The addresses of queues that are reached over a network, which may lose answers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.stack import reached


@pytest.fixture(params=["http-sqlite", "postgres", "http-postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path, new_database: Callable[[], str]) -> Iterator[str]:
    """The URL of a PostgreSQL database, or of a server over a new store."""
    with reached(request.param, tmp_path, new_database) as url:
        yield url
