"""Jobs that are stopped: because somebody asks, or because a task ends the others with its own end."""

import time

import pytest

from sweepstake.domain.records import Claim, NoJob
from sweepstake.domain.status import JobStatus, Outcome, Signal
from sweepstake.domain.tasks.needs import Offer
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, document, draft, eventually, new_key, spec

TASKS = (
    {"name": "leader", "propagateFailure": True, "propagatePreemption": True},
    {"name": "follower"},
)


def statuses(lab: Lab) -> dict[str, str]:
    """Return what each job is."""
    return {job.id: str(job.status) for job in lab.jobs()}


def test_all_jobs_are_stopped(lab: Lab) -> None:
    """Those that are queued, delayed, blocked or run are PRUNED; what has ended stays."""
    lab.add(draft("done"), draft("runs"))
    lab.finish(lab.claim())
    claim = lab.claim()
    lab.add(draft("ready"), draft("later", not_before=4e9), draft("blocked", depends_on=("ready",)))
    assert lab.queue.stop(lab.name) == 4
    assert statuses(lab) == {"done": "DONE"} | dict.fromkeys(("runs", "ready", "later", "blocked"), "PRUNED")
    assert lab.beat(claim) is Signal.PRUNE
    (attempt,) = lab.attempts("runs")
    assert (attempt.outcome, attempt.reason) == (Outcome.PRUNED, "stopped")
    assert [lab.why(job).sentence.count("(stopped)") for job in ("runs", "ready")] == [1, 1]
    assert lab.queue.count_jobs(lab.name).pruned == 4


def test_some_jobs_are_stopped(lab: Lab) -> None:
    """Those named, and what asked to be pruned with them."""
    lab.add(draft("a"), draft("b"), draft("c", depends_on=("a",), prune_with=True), draft("d", depends_on=("a",)))
    assert lab.queue.stop(lab.name, ["a", "nobody"]) == 1
    assert statuses(lab) == {"a": "PRUNED", "b": "QUEUED", "c": "PRUNED", "d": "QUEUED"}


def test_stopping_again_with_its_key_stops_nothing_more(lab: Lab) -> None:
    """A repeat gives the first answer, and leaves alone what was queued since."""
    lab.add_many(3)
    key = new_key()
    assert lab.queue.stop(lab.name, key=key) == 3
    lab.retry(lab.jobs()[0].id)
    lab.add_many(2)
    assert lab.queue.stop(lab.name, key=key) == 3
    assert lab.queue.count_jobs(lab.name).ready == 3


def test_many_jobs_are_stopped_in_pages(lab: Lab) -> None:
    """However many there are."""
    lab.add(*(draft() for _ in range(1201)))
    assert lab.queue.stop(lab.name) == 1201
    assert lab.queue.count_jobs(lab.name).pruned == 1201


def test_a_retry_queues_what_was_stopped(lab: Lab) -> None:
    """It is claimed as if it had never been stopped."""
    (job,) = lab.add_many(1)
    lab.queue.stop(lab.name)
    lab.retry(job)
    assert lab.claim().job.id == job


@pytest.fixture
def fellows(queue: Queue) -> tuple[Lab, Claim, Claim]:
    """Jobs of one spec, of which the leader and a follower run and another follower is queued; and one of another."""
    lab = Lab.new(queue)
    queue.put_spec(lab.name, spec({"name": "follower"}))
    lab.add(draft("older", task="follower", priority=-1))
    queue.put_spec(lab.name, spec(*TASKS))
    lab.add(draft("leader", task="leader", priority=2), draft("runs", task="follower", priority=1))
    lab.add(draft("queued", task="follower"), draft("plain"))
    leader, runs = queue.claim_jobs(lab.name, "w", 2, offer=Offer(cpu=2)).claims
    return lab, leader, runs


def test_a_failure_stops_the_other_tasks(fellows: tuple[Lab, Claim, Claim]) -> None:
    """If the task says so: those of the same spec that run or are queued, and none else."""
    lab, leader, runs = fellows
    lab.add(draft("after", depends_on=("queued",), prune_with=True))
    lab.finish(leader, Outcome.CRASHED)
    assert lab.job("after").status is JobStatus.PRUNED
    lab.delete("after")
    found = {"older": "QUEUED", "leader": "CRASHED", "runs": "PRUNED", "queued": "PRUNED", "plain": "QUEUED"}
    assert statuses(lab) == found
    assert lab.beat(runs) is Signal.PRUNE
    assert [attempt.reason for attempt in lab.attempts("runs")] == ["stopped, because leader failed"]


def test_a_failure_that_is_tried_again_stops_nothing(queue: Queue) -> None:
    """Nor does the failure of a task that does not say so."""
    lab = Lab.new(queue, max_attempts=2)
    queue.put_spec(lab.name, spec(*TASKS))
    lab.add(draft("leader", task="leader", priority=2), draft("runs", task="follower", priority=1))
    leader, runs = queue.claim_jobs(lab.name, "w", 2, offer=Offer(cpu=2)).claims
    lab.finish(leader, Outcome.CRASHED)
    assert statuses(lab) == {"leader": "QUEUED", "runs": "RUNNING"}
    lab.finish(runs, Outcome.CRASHED)
    assert statuses(lab) == {"leader": "QUEUED", "runs": "QUEUED"}


def test_a_preemption_preempts_the_other_tasks(fellows: tuple[Lab, Claim, Claim]) -> None:
    """Those that run are queued again, and their workers are told that they have lost them."""
    lab, leader, runs = fellows
    lab.finish(leader, Outcome.PREEMPTED)
    assert statuses(lab) == dict.fromkeys(("older", "leader", "runs", "queued", "plain"), "QUEUED")
    assert lab.beat(runs) is Signal.LOST
    assert [attempt.outcome for attempt in lab.attempts("runs")] == [Outcome.PREEMPTED]
    late = lab.finish(runs, Outcome.DONE, {"x": 1})
    assert (late.recorded, late.ended) == (False, Outcome.PREEMPTED)


def _lost(lab: Lab, job: str) -> bool:
    """Let the store look for leases that are over, and tell whether that of a job was; nothing is claimed."""
    assert isinstance(lab.ask(), NoJob)
    return lab.job(job).status is not JobStatus.RUNNING


def test_what_a_loss_stops_stays_stopped_though_it_is_lost_as_well(queue: Queue) -> None:
    """Both leases are settled together; the job that the other's end stops does not come back."""
    lab = Lab.new(queue, lease=0.5, max_lost=1)
    queue.put_spec(lab.name, spec(*TASKS))
    lab.add(draft("leader", task="leader", priority=2))
    queue.claim_jobs(lab.name, "w", 1, offer=Offer(cpu=1))
    eventually(lambda: _lost(lab, "leader"))
    lab.add(draft("runs", task="follower"))
    assert len(queue.claim_jobs(lab.name, "w", 2, offer=Offer(cpu=2)).claims) == 2
    both = time.monotonic() + 0.6  # nobody looks before both leases are over, though one of them begins later
    eventually(lambda: time.monotonic() > both)
    eventually(lambda: _lost(lab, "leader"))
    assert statuses(lab) == {"leader": "CRASHED", "runs": "PRUNED"}
    assert [attempt.outcome for attempt in lab.attempts("runs")] == [Outcome.LEASE_LOST]


def test_a_job_that_was_put_as_done_is_stopped_no_more(lab: Lab) -> None:
    """Only what is queued or runs can be stopped."""
    (job,) = lab.add_many(1)
    lab.put(job, document(JobStatus.DONE))
    assert lab.queue.stop(lab.name, [job]) == 0
