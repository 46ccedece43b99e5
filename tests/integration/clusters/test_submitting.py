"""Batches are submitted to a real Slurm, by submitters that die at each step."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from attrs import evolve

import sweepstake
from sweepstake.batch import BatchSpec, Capacity, plan
from sweepstake.batch.backends.allocations import Allocation
from sweepstake.batch.backends.calls import Answer, run_command
from sweepstake.batch.backends.scheduler import Scheduler
from sweepstake.batch.backends.slurm import SlurmDialect
from sweepstake.batch.backends.submissions import Site, Submission
from sweepstake.batch.cancelling import cancel_batches
from sweepstake.batch.reading import read_waiting
from sweepstake.batch.settling import live_batches, settle
from sweepstake.batch.submitting import Order, submit_plan
from sweepstake.domain.batches.records import AllocationState, BatchRecord, BatchStatus
from sweepstake.errors import LiveBatchError, SubmissionError, SubmissionLostError
from tests.kit.slurm import Slurm

__all__: list[str] = []

CAPACITY = Capacity(cpus=2)


class Died(BaseException):
    """What ends a submitter in the middle, as a kill would: nothing of it runs afterwards."""


class Dying(Scheduler):
    """Slurm, for a submitter that dies before, or right after, it has asked for something."""

    def __init__(self, *, after: bool) -> None:
        super().__init__(SlurmDialect())
        self._after = after

    def submit(self, submission: Submission) -> Sequence[str]:
        """Ask, or not, and die."""
        if self._after:
            super().submit(submission)
        raise Died


@pytest.fixture
def experiment(tmp_path: Path, cluster: Slurm) -> sweepstake.Experiment:
    """Eight jobs, for two processors."""
    del cluster
    found = sweepstake.connect(f"sqlite:///{tmp_path}/store.db").add_experiment(sweepstake.ManualSearch("e"))
    for x in range(8):
        found.add_job({"x": x})
    return found


def order(tmp_path: Path, site: Site | None = None) -> Order:
    """Return how to submit: a worker that only holds its allocation, as these tests are of submitting alone."""
    return Order(called="e", folder=tmp_path / "out", command=["--", "true"], site=site or Site(extra=["--hold"]))


def planned(experiment: sweepstake.Experiment, under_way: Mapping[str, str] | None = None) -> tuple[BatchSpec, ...]:
    """Pack what waits and is not under way: four jobs a batch."""
    read = read_waiting(experiment, estimate=60, under_way=under_way or {})
    return plan(read.jobs, capacity=CAPACITY, duration=120)


def settled(experiment: sweepstake.Experiment, later: float = 0.0) -> list[tuple[BatchRecord, Allocation | None]]:
    """Tell the queue what Slurm says, so many seconds later."""
    return list(settle(experiment, lambda _: Scheduler(SlurmDialect()), lambda: time.time() + later))


def allocations(names: Sequence[str]) -> list[Allocation]:
    """Return the allocations of these names that are up."""
    found = Scheduler(SlurmDialect()).find(names)
    assert found is not None
    return [each for each in found.values() if not each.is_over]


def cancel(records: Sequence[BatchRecord]) -> None:
    """Leave none behind."""
    Scheduler(SlurmDialect()).cancel({each.jobid: each.name for each in records if each.jobid is not None})


def test_batches_that_are_alike_are_one_array(experiment: sweepstake.Experiment, tmp_path: Path) -> None:
    """The queue knows each with its own id, and a second submitter finds nothing left."""
    backend = Scheduler(SlurmDialect())
    made = submit_plan(experiment, planned(experiment), CAPACITY, backend, order(tmp_path))
    assert [len(each.jobs) for each in made] == [4, 4]
    assert [each.jobid.partition("_")[2] for each in made if each.jobid is not None] == ["0", "1"]
    found = settled(experiment)
    assert [record.status for record, _ in found] == [BatchStatus.SUBMITTED] * 2
    assert all(allocation is not None and allocation.hopeless for _, allocation in found), "they are held"
    under_way = {job: record.jobid or "" for record, _ in found for job in record.jobs}
    assert planned(experiment, under_way) == ()
    with pytest.raises(LiveBatchError):
        submit_plan(experiment, planned(experiment), CAPACITY, backend, order(tmp_path))
    cancel(made)
    assert settled(experiment) == []
    assert len(planned(experiment)) == 2


def test_what_is_refused_leaves_nothing(experiment: sweepstake.Experiment, tmp_path: Path) -> None:
    """Its jobs are free again at once."""
    backend = Scheduler(SlurmDialect())
    with pytest.raises(SubmissionError, match="invalid partition"):
        submit_plan(experiment, planned(experiment), CAPACITY, backend, order(tmp_path, Site(partition="none")))
    assert list(live_batches(experiment)) == []
    made = submit_plan(experiment, planned(experiment), CAPACITY, backend, order(tmp_path))
    assert [each.number for each in made] == [2, 2]
    cancel(made)


def test_of_a_chain_of_which_the_last_is_refused_none_is_left(
    experiment: sweepstake.Experiment, tmp_path: Path, cluster: Slurm
) -> None:
    """What was submitted before it is ended."""
    last = experiment.add_job({"x": 9}, depends_on=[job.job_id for job in experiment.all_jobs()])
    specs = planned(experiment)
    assert [job.id for job in specs[-1].jobs] == [last.job_id]
    refused = [specs[0], specs[1], evolve(specs[-1], timeout=10.0**8)]
    with pytest.raises(SubmissionError, match="time limit"):
        submit_plan(experiment, refused, CAPACITY, Scheduler(SlurmDialect()), order(tmp_path))
    assert list(live_batches(experiment)) == []
    assert not cluster.run("squeue", "-h").strip()


def test_a_submitter_that_died_before_it_asked_is_forgotten(experiment: sweepstake.Experiment, tmp_path: Path) -> None:
    """After half a minute: until then it may still be about it."""
    with pytest.raises(Died):
        submit_plan(experiment, planned(experiment), CAPACITY, Dying(after=False), order(tmp_path))
    assert [(record.status, allocation) for record, allocation in settled(experiment)] == [
        (BatchStatus.INTENDED, None)
    ] * 2
    assert settled(experiment, later=31) == []
    assert len(planned(experiment)) == 2


def test_a_submitter_that_died_before_it_could_say_so_is_found(
    experiment: sweepstake.Experiment, tmp_path: Path
) -> None:
    """Whoever comes next finds each allocation by its name, and which batch it is for by its place in the array."""
    specs = planned(experiment)
    with pytest.raises(Died):
        submit_plan(experiment, specs, CAPACITY, Dying(after=True), order(tmp_path))
    names = [record.name for record in live_batches(experiment)]
    assert len(allocations(names)) == 2
    found = [record for record, _ in settled(experiment, later=31)]
    assert [(record.id, (record.jobid or "").partition("_")[2]) for record in found] == [
        (specs[0].id, "0"),
        (specs[1].id, "1"),
    ]
    assert {record.status for record in found} == {BatchStatus.SUBMITTED}
    cancel(found)
    assert allocations(names) == []


def lost(arguments: Sequence[str], text: str) -> Answer:
    """Run a command of Slurm's whose answer is lost if it is a submission."""
    answer = run_command(arguments, text)
    return Answer(code=None, output="", errors="") if arguments[0] == "sbatch" else answer


def test_a_submission_whose_answer_was_lost_is_found(experiment: sweepstake.Experiment, tmp_path: Path) -> None:
    """It stays as it was intended, which is no refusal, and is there when its name is looked for."""
    with pytest.raises(SubmissionLostError, match="not known yet"):
        submit_plan(experiment, planned(experiment), CAPACITY, Scheduler(SlurmDialect(), lost), order(tmp_path))
    assert [each.status for each in live_batches(experiment)] == [BatchStatus.INTENDED] * 2
    with pytest.raises(LiveBatchError):
        submit_plan(experiment, planned(experiment), CAPACITY, Scheduler(SlurmDialect()), order(tmp_path))
    found = [record for record, _ in settled(experiment, later=31)]
    assert [record.status for record in found] == [BatchStatus.SUBMITTED] * 2
    cancel(found)


def test_what_is_cancelled_before_its_answer_came_leaves_no_allocation(
    experiment: sweepstake.Experiment, tmp_path: Path
) -> None:
    """By whoever cancels it, by its name; or else by its submitter, who learns of it with the answer."""
    with pytest.raises(SubmissionLostError):
        submit_plan(experiment, planned(experiment), CAPACITY, Scheduler(SlurmDialect(), lost), order(tmp_path))
    intended = list(live_batches(experiment))
    cancel_batches(experiment, intended, lambda _: Scheduler(SlurmDialect()))
    assert (list(live_batches(experiment)), allocations([each.name for each in intended])) == ([], [])

    def overtaken(arguments: Sequence[str], text: str) -> Answer:
        if arguments[0] == "sbatch":
            cancel_batches(experiment, list(live_batches(experiment)), lambda _: Scheduler(SlurmDialect()))
        return run_command(arguments, text)

    made = submit_plan(experiment, planned(experiment), CAPACITY, Scheduler(SlurmDialect(), overtaken), order(tmp_path))
    assert (list(live_batches(experiment)), allocations([each.name for each in made])) == ([], [])


def test_while_slurm_is_away_nothing_is_over(experiment: sweepstake.Experiment, tmp_path: Path, cluster: Slurm) -> None:
    """No answer is never taken for an end, however long ago it was submitted."""
    made = submit_plan(experiment, planned(experiment), CAPACITY, Scheduler(SlurmDialect()), order(tmp_path))
    more = experiment.add_job({"x": 8})
    specs = planned(experiment, {job: "" for each in made for job in each.jobs})
    cluster.kill_controller()
    with pytest.raises(SubmissionLostError, match="Unable to contact slurm controller"):
        submit_plan(experiment, specs, CAPACITY, Scheduler(SlurmDialect()), order(tmp_path))
    found = settled(experiment, later=3600)
    assert [(record.status, allocation and allocation.state) for record, allocation in found] == [
        *[(BatchStatus.SUBMITTED, AllocationState.UNKNOWN)] * 2,
        (BatchStatus.INTENDED, None),
    ]
    assert found[-1][0].jobs == (more.job_id,)
    cluster.start_controller()
    left = [record for record, _ in settled(experiment, later=31)]
    assert {record.jobid for record in left} <= {record.jobid for record in made}, "it was not submitted"
