"""A batch on its way: its folder, what it waits for, and how it stands."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

import sweepstake
from sweepstake.batch import AllocationState, Batch, BatchJob, BatchSpec, Capacity, Submission, TestBatch, plan
from sweepstake.batch.ending import CATEGORIES, Ending, Phase, ending_of
from sweepstake.domain.status import JobStatus
from sweepstake.errors import ConfigurationError, SubmissionError
from tests.kit.checkout import ROOT

__all__: list[str] = []


def spec_of(*runtimes: float, session: str = "", **more: object) -> BatchSpec:
    """Return the spec of jobs that run so long."""
    jobs = [BatchJob(id=f"j{number}", runtime=runtime) for number, runtime in enumerate(runtimes)]
    return BatchSpec(layout="flat", jobs=jobs, session=session, **more)  # type: ignore[arg-type]


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    """A batch of two jobs."""
    return Batch(spec_of(10, 20, session="s"), tmp_path / "b")


def waiting_for(tmp_path: Path, *others: Batch, supports: bool = False) -> Batch:
    """Return a batch that waits for others."""
    return Batch(spec_of(1), tmp_path / "next", list(others), supports)


def test_a_batch_is_its_jobs(batch: Batch) -> None:
    """And has the id of its spec."""
    assert [job.id for job in batch] == ["j0", "j1"]
    assert (len(batch), batch.id, batch.session) == (2, batch.spec.id, "s")
    assert (batch.cpus, batch.gpus, batch.required_resources()) == (1, 0, [{"type": "cpus", "slots": 1}])
    assert TestBatch is Batch
    assert not TestBatch.__test__, "pytest would take it for tests"
    assert list(Phase) == ["PENDING", "STAGING", "RUNNING", "FINISHING", "DONE"]
    assert (batch.queue_timeout, batch.timeout_multiplier, batch.total_timeout()) == (14400.0, 1.0, 14700.0)


def test_resources_are_replaced_and_given_back(batch: Batch) -> None:
    """What is given back leaves nothing; what is shown is a copy."""
    batch.assign_resources(
        {"cpus": [{"id": "0", "slots": 1}, {"id": "1", "slots": 1}], "gpus": [{"id": "7", "slots": 1}]}
    )
    assert (batch.cpu_ids, batch.gpu_ids) == (["0", "1"], ["7"])
    batch.resources["cpus"].clear()
    batch.assign_resources({"cpus": [{"id": "2", "slots": 1}]})
    assert (batch.cpu_ids, batch.gpu_ids) == (["2"], [])
    assert batch.free_resources() == {"cpus": [{"id": "2", "slots": 1}]}
    assert (batch.resources, batch.free_resources()) == ({}, {})


@pytest.mark.parametrize(
    "spec, runtime",
    [(spec_of(10, 20), 30.0), (spec_of(7), 7.0), (spec_of(10, 20, estimated_runtime=20.0), 20.0)],
)
def test_its_runtime_is_planned_or_that_of_its_jobs(tmp_path: Path, spec: BatchSpec, runtime: float) -> None:
    """One after another, if nobody planned it."""
    batch = Batch(spec, tmp_path)
    assert (batch.runtime, batch.estimated_runtime(), batch.find_approximate_runtime()) == (runtime,) * 3
    assert batch.cost() == pytest.approx(math.hypot(1, runtime))


@pytest.mark.parametrize(
    "runtime, limit",
    [
        (99, 300),
        (100, 600),
        (299, 600),
        (300, 1200),
        (600, 2400),
        (1799, 2400),
        (1800, 5000),
        (3600, 5000),
        (8000, 10000),
    ],
)
def test_its_limit_has_slack(tmp_path: Path, runtime: float, limit: float) -> None:
    """More of it, the shorter it is; a longer one never gets less than a shorter one."""
    assert Batch(spec_of(runtime), tmp_path).timeout == limit


def test_its_limit_is_what_was_said_else_what_was_planned(tmp_path: Path) -> None:
    """Its end is waited for after its time in the site's queue."""
    [spec] = plan([BatchJob(id="a", runtime=50)], capacity=Capacity(cpus=1))
    assert Batch(spec, tmp_path).timeout == spec.timeout
    batch = Batch(spec, tmp_path, time_limit=70, queue_timeout=100, timeout_multiplier=2)
    assert (batch.timeout, batch.total_timeout()) == (70, 240)


def test_it_is_ready_when_what_it_waits_for_is_complete(batch: Batch, tmp_path: Path) -> None:
    """Or submitted, where schedulers let allocations wait for each other."""
    here, there = waiting_for(tmp_path, batch), waiting_for(tmp_path, batch, supports=True)
    assert (here.is_ready(), there.is_ready(), batch.is_ready()) == (False, False, True)
    batch.setstate({"jobid": "7", "phase": "RUNNING"})
    assert (here.is_ready(), there.is_ready(), batch.is_ready(), batch.is_runnable()) == (False, True, False, True)
    assert (here.dependency_batches_submitted(), here.dependency_batches_complete()) == (True, False)
    batch.phase = Phase.DONE
    assert (here.is_ready(), there.is_ready(), batch.is_runnable()) == (True, True, False)
    assert here.dependency_batches_complete()


@pytest.mark.parametrize("supports", [False, True])
@pytest.mark.parametrize("outcome", ["FAILED", "CANCELLED", "SKIPPED"])
def test_it_is_blocked_when_what_it_waits_for_failed(
    batch: Batch, tmp_path: Path, outcome: str, supports: bool
) -> None:
    """Its jobs need those: nothing is submitted for them."""
    last = waiting_for(tmp_path, batch, supports=supports)
    after = waiting_for(tmp_path, last, supports=supports)
    batch.jobid, batch.phase = "7", Phase.DONE
    batch.set_status(outcome=outcome)
    assert not last.is_ready()
    for each in (last, after):
        each.refresh_readiness()
        assert (each.phase, each.status.category, each.status.outcome) == (Phase.DONE, "SKIP", "BLOCKED")
    assert batch.display_name() in (last.status.reason or "")


@pytest.mark.parametrize(
    "category, outcome, code", [(category, *each) for category, many in CATEGORIES.items() for each in many.items()]
)
def test_an_outcome_implies_its_category_and_number(batch: Batch, category: str, outcome: str, code: int) -> None:
    """Said alone, or with both."""
    batch.set_status(outcome=outcome, reason="so")
    assert batch.status == Ending(category=category, outcome=outcome, reason="so", code=code)
    batch.set_status(category, outcome, "so", code)
    assert (batch.status.category, batch.status.code) == (category, code)


@pytest.mark.parametrize(
    "said, names",
    [
        ({"outcome": "GREAT"}, "outcome"),
        ({"category": "GOOD"}, "category"),
        ({"category": "PASS", "outcome": "FAILED"}, "category"),
        ({"outcome": "FAILED", "code": 0}, "code"),
        ({"category": "PASS", "code": 0}, "code"),
    ],
)
def test_a_contradiction_is_refused(batch: Batch, said: dict[str, object], names: str) -> None:
    """And changes nothing."""
    with pytest.raises(ValueError, match=f"^{names}: "):
        batch.set_status(**said)  # type: ignore[arg-type]
    assert batch.status == Ending()


def test_it_survives_whoever_submitted_it(batch: Batch, tmp_path: Path) -> None:
    """In its folder, as text or as a path."""
    batch.setup()
    batch.setstate({"jobid": "123_4", "phase": "RUNNING"})
    batch.save()
    found = Batch.loadconfig(str(tmp_path / "b"))
    assert (found["id"], found["session"], found["jobs"]) == (batch.id, "s", ["j0", "j1"])
    assert (found["jobid"], found["phase"], found["status"]["outcome"]) == ("123_4", "RUNNING", None)
    other = Batch(batch.spec, str(tmp_path / "b"))
    other.setstate(found)
    assert other.getstate() == batch.getstate()


def test_it_is_saved_whole_or_not_at_all(batch: Batch, tmp_path: Path) -> None:
    """A disk that is full leaves what was there."""
    batch.setup()
    before = (tmp_path / "b/batch.json").read_bytes()
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\\n"
        "from sweepstake.batch import *\\n"
        "Batch(BatchSpec(layout='flat', jobs=[BatchJob(id='x', runtime=1)]), 'b').save()"
    ).replace("\\n", "\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-B", "-c", script]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False)
    assert b"File too large" in ran.stderr
    assert (tmp_path / "b/batch.json").read_bytes() == before
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["batch.json"]


@pytest.mark.parametrize("content", [None, "", "[1]", "{}"])
def test_what_is_no_folder_of_a_batch_is_told(tmp_path: Path, content: str | None) -> None:
    """With its path."""
    if content is not None:
        (tmp_path / "batch.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"batch\.json"):
        Batch.loadconfig(tmp_path)


@pytest.mark.parametrize(
    "state, names", [({"id": "other"}, "id"), ({"phase": "LATE"}, "phase"), ({"colour": 1, "jobid": "9"}, "colour")]
)
def test_the_state_of_another_is_refused(batch: Batch, state: dict[str, object], names: str) -> None:
    """And changes nothing."""
    before = batch.getstate()
    with pytest.raises(ValueError, match=f"^{names}: "):
        batch.setstate(state)
    assert batch.getstate() == before


def test_it_ends_as_its_jobs_did(tmp_path: Path) -> None:
    """As the store says; a job that is gone is not asked for any more."""
    experiment = sweepstake.connect(f"sqlite:///{tmp_path}/store.db").add_experiment(sweepstake.ManualSearch("e"))
    ids = [experiment.add_job({"x": x}).job_id for x in range(2)]
    gone = BatchJob(id="gone", runtime=1)
    spec = BatchSpec(layout="flat", jobs=[*(BatchJob(id=each, runtime=1) for each in ids), gone])
    outcomes = []
    for _ in ids:
        with experiment.next_job():
            pass
        batch = Batch(spec, tmp_path / "b", experiment=experiment)
        batch.setup()
        batch.refresh()
        batch.finish()
        outcomes.append((batch.phase, batch.status.outcome, batch.status.reason))
    assert outcomes == [(Phase.DONE, "FAILED", "1 job of 3 not DONE"), (Phase.DONE, "SUCCESS", None)]
    assert json.loads((tmp_path / "b/batch.json").read_text())["status"]["code"] == 0


class Plain:
    """A scheduler of a test, which is no more than a backend must be, and says of an allocation one word after another.

    Args:
        words: what it says; the last is said for ever.
    """

    name = "plain"
    supports_dependencies = True

    def __init__(self, *words: str) -> None:
        self.words = list(words)
        self.asked: list[Submission] = []
        self.cancelled: list[str] = []

    def script(self, submission: Submission) -> str:
        """Return nothing that anybody runs."""
        return submission.name

    def submit(self, submission: Submission) -> str:
        """Take whatever comes."""
        if not self.words:
            raise SubmissionError("no account")
        self.asked.append(submission)
        return "12"

    def poll(self, jobids: Mapping[str, str]) -> Mapping[str, str]:
        """Say the next word."""
        word = self.words.pop(0) if len(self.words) > 1 else self.words[0]
        return dict.fromkeys(jobids, word)

    def cancel(self, jobids: Mapping[str, str]) -> None:
        """Remember whom."""
        self.cancelled += jobids


@pytest.mark.parametrize(
    "word, outcome",
    [
        ("DONE", "SUCCESS"),
        ("FAILED", "FAILED"),
        ("TIMEOUT", "TIMEOUT"),
        ("CANCELLED", "CANCELLED"),
        ("PREEMPTED", "INTERRUPTED"),
        ("NODE_FAIL", "BROKEN"),
    ],
)
def test_it_is_run_to_its_end(batch: Batch, word: str, outcome: str) -> None:
    """Whoever waits is told that it was submitted, that it began, and at last how it stands."""
    told: SimpleQueue[Any] = SimpleQueue()
    naps = list[float]()
    batch.run(Plain("PENDING", "PENDING", "UNKNOWN", "RUNNING", word), told, pause=naps.append)
    events = [told.get() for _ in range(told.qsize())]
    assert [each.get("event") for each in events] == ["job_submitted", "job_started", None]
    assert (events[0]["jobid"], events[0]["id"]) == ("12", batch.id)
    assert events[-1] == batch.getstate()
    assert (batch.phase, batch.status.outcome, batch.jobid) == (Phase.DONE, outcome, "12")
    assert Batch.loadconfig(batch.workspace)["status"]["outcome"] == outcome
    assert naps == [0.5, 1.0, 2.0, 0.5]
    assert None not in batch.times()


def test_a_refusal_is_how_it_ended(batch: Batch) -> None:
    """Nothing was submitted; whoever waits is told that at once."""
    told: SimpleQueue[Any] = SimpleQueue()
    batch.run(Plain(), told)
    assert told.get() == batch.getstate()
    assert (batch.status.outcome, batch.status.reason, batch.jobid) == ("FAILED", "no account", None)


def test_one_that_does_not_end_is_ended(tmp_path: Path) -> None:
    """After its time in the site's queue and its limit."""
    batch = Batch(spec_of(1), tmp_path / "b", queue_timeout=0.0, time_limit=0.0)
    backend = Plain("PENDING")
    batch.run(backend, SimpleQueue())
    assert backend.cancelled == ["12"]
    assert (batch.phase, batch.status.outcome) == (Phase.DONE, "TIMEOUT")


def test_it_is_submitted_behind_what_it_waits_for(batch: Batch, tmp_path: Path) -> None:
    """Where the scheduler knows of that, and only behind what has not ended."""
    batch.setstate({"jobid": "7"})
    backend, last = Plain("DONE"), waiting_for(tmp_path, batch, supports=True)
    last.run(backend, SimpleQueue())
    assert backend.asked[0].after == ["7"]
    assert (backend.asked[0].time_limit, backend.asked[0].folder) == (300.0, tmp_path / "next")


@pytest.mark.parametrize(
    "states, allocation, outcome, reason",
    [
        ({"a": JobStatus.DONE}, AllocationState.TIMEOUT, "SUCCESS", None),
        ({"a": JobStatus.CRASHED}, AllocationState.DONE, "FAILED", "1 job of 2 not DONE"),
        ({"a": JobStatus.QUEUED}, AllocationState.NODE_FAIL, "BROKEN", "1 job of 2 not DONE; its allocation: n3 down"),
        ({}, None, None, None),
        ({}, AllocationState.UNKNOWN, None, None),
        ({}, AllocationState.CANCELLED, "CANCELLED", "n3 down"),
    ],
)
def test_its_jobs_say_how_it_ended(
    states: dict[str, JobStatus], allocation: AllocationState | None, outcome: str | None, reason: str | None
) -> None:
    """Its allocation does where nobody knows of them, or says why they have not ended."""
    found = ending_of(states, 2, allocation, "n3 down")
    assert (found.outcome, found.reason) == (outcome, reason)


def test_its_times_are_what_is_known(batch: Batch) -> None:
    """In all, running, and waiting for its allocation."""
    assert batch.times() == (None, None, None)
    batch.setstate({"submitted_at": 10.0, "started_at": 15.0})
    assert batch.times() == (None, None, 5.0)
    batch.setstate({"ended_at": 40.0})
    assert batch.times() == (30.0, 25.0, 5.0)


def test_people_see_how_it_stands(batch: Batch) -> None:
    """Its short id, its number at the scheduler, and its phase or end."""
    assert batch.display_name() == batch.id[:8]
    batch.jobid = "7"
    assert batch.display_name(status=True) == f"{batch.id[:8]} (7) PENDING"
    batch.set_status(outcome="TIMEOUT")
    assert batch.display_name(status=True).endswith("TIMEOUT")
    assert repr(batch) == f"<Batch {batch.id[:8]} (7): 2 jobs, PENDING>"


@pytest.mark.parametrize("name", ["timeout_multiplier", "queue_timeout", "time_limit"])
@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_a_time_that_is_none_is_refused(name: str, value: float, tmp_path: Path) -> None:
    """With the name of what is wrong."""
    times: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"{name}: must be a number from 0"):
        Batch(spec_of(1), tmp_path, **times)
