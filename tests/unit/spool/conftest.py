"""A store in a file, a job claimed from it, and the spool of the store."""

from pathlib import Path

import pytest

from sweepstake.queue.queue import Queue
from sweepstake.spool import Spool
from tests.kit.lab import Lab
from tests.kit.stores import Kept


@pytest.fixture
def queue(store: Kept) -> Queue:
    """The queue over an empty store."""
    return store


@pytest.fixture
def lab(queue: Queue) -> Lab:
    """An experiment in the store."""
    return Lab.new(queue)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """The spool of the store, which has no folder yet."""
    return Spool.of(tmp_path / "spool", "sqlite:////store.db")
