"""Slurm by way of hpc-connect: it is asked for exactly what we ask for, and nothing that it says is relied on."""

from pathlib import Path

import pytest

from sweepstake.batch import AllocationState, Site, Submission
from sweepstake.batch.backends.kinds import backend_of
from sweepstake.batch.backends.scheduler import Backend
from sweepstake.errors import SubmissionError
from tests.kit.allocations import over, running, until
from tests.kit.lab import eventually
from tests.kit.slurm import Slurm

__all__: list[str] = []


@pytest.fixture
def backend(cluster: Slurm) -> Backend:
    """Give the backend, which hands a variable on."""
    del cluster
    return backend_of("hpc-slurm", {"SWEEPSTAKE_URL": "sqlite:////tmp/x y.db"})


def test_an_array_runs_each_its_own_command(backend: Backend, cluster: Slurm, tmp_path: Path) -> None:
    """With the limit, the name and the comment that we say, whatever else hpc-connect writes; cancelled by both ids."""
    asked = Submission(
        name="sw-1",
        commands=[["sh", "-c", f'echo "{each} $SWEEPSTAKE_URL $X"; exec sleep 60'] for each in "ab"],
        time_limit=100,
        folder=tmp_path,
        site=Site(environment={"X": "it's"}),
    )
    ids = backend.submit(asked)
    named = dict.fromkeys(ids, "sw-1")
    until(backend, named, running)
    told = cluster.run("squeue", "-h", "--array", "-o", "%i|%l|%j|%k|%C").split()
    assert sorted(told) == [f"{each}|2:00|sw-1|sw-1|1" for each in sorted(ids)]
    logs = [backend.log(tmp_path, "sw-1", each) for each in ids]
    eventually(lambda: all(each.exists() and each.read_text() for each in logs))
    assert [each.read_text() for each in logs] == [f"{each} sqlite:////tmp/x y.db it's\n" for each in "ab"]
    assert set(backend.find(["sw-1"]) or ()) == set(ids)
    backend.cancel(dict.fromkeys(ids, "another"))
    until(backend, named, running)
    backend.cancel(named)
    ended = until(backend, named, over)
    assert {each.state for each in ended.values()} == {AllocationState.CANCELLED}


def test_a_refusal_is_told_in_the_schedulers_words(backend: Backend, tmp_path: Path) -> None:
    """As by Slurm's own commands."""
    asked = Submission(name="sw-1", commands=[["true"]], folder=tmp_path, site=Site(partition="none"))
    with pytest.raises(SubmissionError, match=r"hpc-slurm refused it: .*invalid partition specified: none"):
        backend.submit(asked)
