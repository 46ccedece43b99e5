"""The backend for Slurm, with a real one."""

from pathlib import Path

import pytest
from attrs import evolve

from sweepstake.batch.backends.allocations import AllocationState
from sweepstake.batch.backends.scheduler import Scheduler
from sweepstake.batch.backends.slurm import SlurmDialect
from sweepstake.batch.backends.submissions import Site, Submission
from sweepstake.errors import ConfigurationError, SubmissionError
from tests.kit.allocations import over, until
from tests.kit.slurm import CPUS, GPUS, NODES, Slurm

__all__: list[str] = []


@pytest.fixture
def backend(cluster: Slurm) -> Scheduler:
    """Give the backend."""
    del cluster
    return Scheduler(SlurmDialect())


def asked(tmp_path: Path, *scripts: str, name: str = "sw-test") -> Submission:
    """Return what asks for an allocation for each of some shell scripts."""
    return Submission(name=name, commands=[["sh", "-c", each] for each in scripts], time_limit=60, folder=tmp_path)


def test_an_array_runs_each_command_with_what_it_asked_for(backend: Scheduler, tmp_path: Path) -> None:
    """On nodes with GPUs; the worker takes the place of the script, whose process it is."""
    script = 'echo "$SLURM_CPUS_ON_NODE $CUDA_VISIBLE_DEVICES $(ps -o comm= -p $PPID)" > "$0"'
    submission = evolve(
        asked(tmp_path, script.replace("$0", f"{tmp_path}/a"), script.replace("$0", f"{tmp_path}/b")), cpus=2, gpus=1
    )
    ids = backend.submit(submission)
    assert len(ids) == 2
    found = until(backend, dict.fromkeys(ids, submission.name), over)
    assert {each.state for each in found.values()} == {AllocationState.DONE}
    written = [(tmp_path / each).read_text().split() for each in "ab"]
    assert [(cpus, parent) for cpus, _, parent in written] == [("2", "slurmstepd")] * 2
    assert {gpu for _, gpu, _ in written} <= {"0", "1"}


def test_it_says_what_there_is(backend: Scheduler) -> None:
    """Of the usual partition, and how long an allocation may be in another."""
    found = backend.cluster(None)
    assert (found.capacity.nodes, found.capacity.cpus, found.capacity.gpus) == (len(NODES), CPUS, GPUS)
    assert backend.cluster("short").longest == 300.0
    with pytest.raises(ConfigurationError, match="'none'"):
        backend.cluster("none")


def test_a_chain_goes_on_whatever_became_of_the_one_before(backend: Scheduler, tmp_path: Path) -> None:
    """The queue knows which jobs may run; an allocation that finds none ends."""
    first = backend.submit(asked(tmp_path, "exit 3", name="sw-first"))[0]
    second = backend.submit(evolve(asked(tmp_path, "true", name="sw-second"), after=[first]))[0]
    found = until(backend, {first: "sw-first", second: "sw-second"}, over)
    assert (found[first].state, found[second].state) == (AllocationState.FAILED, AllocationState.DONE)


def test_a_cancelled_allocation_ends(backend: Scheduler, tmp_path: Path) -> None:
    """One that runs and one that waits; nothing happens to one that has another name by now."""
    held = evolve(asked(tmp_path, "sleep 60", name="sw-held"), site=Site(extra=["--hold"]))
    runs = backend.submit(asked(tmp_path, "sleep 60", name="sw-runs"))[0]
    waits = backend.submit(held)[0]
    named = {runs: "sw-runs", waits: "sw-held"}
    found = until(backend, named, lambda found: found[runs].state is AllocationState.RUNNING)
    assert (found[waits].state, found[waits].hopeless) == (AllocationState.PENDING, True)
    assert 0 < (found[runs].left or 0) <= 60
    backend.cancel({runs: "another"})
    assert not backend.poll(named)[runs].is_over
    backend.cancel(named)
    found = until(backend, named, over)
    assert {each.state for each in found.values()} == {AllocationState.CANCELLED}


def test_what_slurm_refuses_is_told_in_its_words(backend: Scheduler, tmp_path: Path) -> None:
    """And nothing was submitted."""
    submission = evolve(asked(tmp_path, "true", name="sw-refused"), site=Site(partition="none"))
    with pytest.raises(SubmissionError, match="invalid partition specified: none"):
        backend.submit(submission)
    with pytest.raises(SubmissionError, match="time limit"):
        backend.submit(evolve(submission, site=Site(partition="short"), time_limit=3600))
    assert backend.find(["sw-refused"]) == {}


def test_a_controller_that_was_killed_is_believed_by_names_alone(
    cluster: Slurm, backend: Scheduler, tmp_path: Path
) -> None:
    """While it is away nothing is over; afterwards a number that it gave out again is another's."""
    submission = asked(tmp_path, "sleep 60", name="sw-lost")
    jobid = backend.submit(submission)[0]
    until(backend, {jobid: "sw-lost"}, lambda found: found[jobid].state is AllocationState.RUNNING)
    cluster.kill_controller()
    found = backend.poll({jobid: "sw-lost"})[jobid]
    assert (found.state, found.is_over) == (AllocationState.UNKNOWN, False)
    assert backend.find(["sw-lost"]) is None
    cluster.start_controller()
    others = [backend.submit(asked(tmp_path, "sleep 60", name="sw-other"))[0] for _ in range(2)]
    found = backend.poll({jobid: "sw-lost"})[jobid]
    assert found.gone == (jobid in others or not backend.find(["sw-lost"]))
    everything = {**dict.fromkeys(others, "sw-other"), **({} if jobid in others else {jobid: "sw-lost"})}
    backend.cancel(everything)
    until(backend, everything, over)
