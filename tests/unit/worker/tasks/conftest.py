"""A bench for the tests of workers that run tasks."""

from pathlib import Path

import pytest

import sweepstake
from sweepstake import ManualSearch
from tests.kit.bench import Bench


@pytest.fixture
def bench(db: sweepstake.Database, tmp_path: Path) -> Bench:
    """An experiment without a spec."""
    return Bench(db.add_experiment(ManualSearch("exp", max_attempts=1)), tmp_path)
