"""A connection to a store of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import sweepstake


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
