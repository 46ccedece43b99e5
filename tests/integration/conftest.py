"""Stores and servers of their own for tests that kill, race and count."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stack import KINDS, reached, store_of


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path, new_database: Callable[[], str]) -> str:
    """The URL of a new store."""
    return store_of(request.param, tmp_path, new_database)


@pytest.fixture(params=KINDS)
def address(request: pytest.FixtureRequest, tmp_path: Path, new_database: Callable[[], str]) -> Iterator[str]:
    """The URL of a new store, or of a server over one."""
    with reached(request.param, tmp_path, new_database) as url:
        yield url
