"""A store of its own for each test, as the server and as a user holds it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import sweepstake
from tests.kit.stores import Kept, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Kept]:
    """An empty store in a file."""
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as opened:
        yield opened


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sweepstake.Database]:
    """An empty store in a file."""
    monkeypatch.setenv("SWEEPSTAKE_STATE", str(tmp_path / "state"))
    with sweepstake.connect(f"sqlite:///{tmp_path}/store.db") as database:
        yield database


@pytest.fixture
def exp(db: sweepstake.Database) -> sweepstake.ManualSearch:
    """An experiment without jobs."""
    return db.add_experiment(sweepstake.ManualSearch("exp"))
