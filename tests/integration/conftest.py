"""Stores and servers of their own for tests that kill, race and count."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import sweepstake
from sweepstake import Database
from tests.kit.shell import Command, Shell
from tests.kit.stack import KINDS, reached, store_of


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path, new_database: Callable[[], str]) -> str:
    """The URL of a new store."""
    return store_of(request.param, tmp_path, new_database)


@pytest.fixture(params=KINDS)
def address(request: pytest.FixtureRequest, tmp_path: Path, new_database: Callable[[], str]) -> Iterator[str]:
    """The URL of a new store, or of a server over one."""
    with reached(request.param, tmp_path, new_database) as url:
        yield url


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A new file."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def sw(url: str, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command on a new file."""
    return Command(url, capsys)


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    """A connection to the same file."""
    with sweepstake.connect(url) as database:
        yield database


@pytest.fixture
def shell(url: str) -> Iterator[Shell]:
    """Processes of the command on the same file."""
    with closing(Shell(url)) as opened:
        yield opened
