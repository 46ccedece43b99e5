"""A real Slurm for the tests of clusters."""

from collections.abc import Iterator

import pytest

from tests.kit.slurm import Slurm, slurm

__all__: list[str] = []


@pytest.fixture(scope="session")
def running_slurm() -> Iterator[Slurm]:
    """Give one cluster to all tests of a process."""
    with slurm() as started:
        yield started


@pytest.fixture
def cluster(running_slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """Give the cluster to what calls Slurm's commands; what is left there ends, or came back after a kill."""
    for name, value in running_slurm.environment.items():
        monkeypatch.setenv(name, value)
    yield running_slurm
    running_slurm.run("scancel", "--user=root")
    running_slurm.wait_idle()
