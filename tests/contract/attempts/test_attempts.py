"""What a put does to the attempt and its lease: the holder keeps them, everybody else ends them."""

import pytest

from sweepstake.domain.keys import name_of
from sweepstake.domain.records import UNGUARDED, Claim, Guard, NoJob
from sweepstake.domain.status import JobStatus, NoJobReason, Outcome
from sweepstake.errors import LeaseLostError, LimitReachedError, UnsafeUpdateError
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, document, new_key

ENDED_BY_STATUS = [
    (JobStatus.DONE, Outcome.DONE),
    (JobStatus.CRASHED, Outcome.CRASHED),
    (JobStatus.PRUNED, Outcome.PRUNED),
]


@pytest.fixture
def claim(lab: Lab) -> Claim:
    """A leased job."""
    lab.add_one(of=document(hyperparameters={"x": 1}))
    return lab.claim()


def test_a_holders_put_keeps_its_lease(lab: Lab, claim: Claim) -> None:
    """Results written while running: a new etag, the same attempt, the lease goes on."""
    of = document(JobStatus.RUNNING, {"x": 1}, {"loss": 0.5})
    put = lab.put(claim.job.id, of, guard=Guard.match(claim.job.etag), attempt=claim.key).record
    assert put == lab.job(claim.job.id)
    assert (put.results, put.attempt, put.leased) == (of.results, 1, True)
    assert put.etag != claim.job.etag
    assert put.started_at == claim.job.started_at
    assert lab.beat(claim) == "continue"
    assert lab.finish(claim, results={"loss": 0.25}).recorded


@pytest.mark.parametrize("status, outcome", ENDED_BY_STATUS)
def test_a_holders_put_may_end_its_attempt(lab: Lab, claim: Claim, status: JobStatus, outcome: Outcome) -> None:
    """The attempt ends as the status says."""
    put = lab.put(claim.job.id, document(status), guard=Guard.match(claim.job.etag), attempt=claim.key).record
    assert (put.status, put.leased) == (status, False)
    assert put.ended_at is not None
    assert [attempt.outcome for attempt in lab.attempts(claim.job.id)] == [outcome]


def test_a_holders_put_may_give_the_job_back(lab: Lab, claim: Claim) -> None:
    """QUEUED by its holder is a release."""
    lab.put(claim.job.id, document(JobStatus.QUEUED), attempt=claim.key)
    assert [attempt.outcome for attempt in lab.attempts(claim.job.id)] == [Outcome.RELEASED]
    assert lab.claim().job.attempt == 2


def test_repeating_a_holders_last_put_answers_the_same(lab: Lab, claim: Claim) -> None:
    """Its attempt is over by then, by this very write."""
    of, key = document(JobStatus.DONE, {"x": 1}, {"y": 2}), new_key()
    guard = Guard.match(claim.job.etag)
    first = lab.put(claim.job.id, of, guard=guard, key=key, attempt=claim.key)
    assert lab.put(claim.job.id, of, guard=guard, key=key, attempt=claim.key) == first


@pytest.mark.parametrize("guarded", [True, False])
def test_who_is_no_longer_the_holder_cannot_put_as_one(lab: Lab, claim: Claim, *, guarded: bool) -> None:
    """Neither guarded nor unguarded does a stale worker change a newer attempt."""
    lab.put(claim.job.id, document(JobStatus.QUEUED))
    newer = lab.claim()
    guard = Guard.match(newer.job.etag) if guarded else UNGUARDED
    with pytest.raises(LeaseLostError):
        lab.put(claim.job.id, document(JobStatus.DONE), attempt=claim.key, guard=guard)
    assert lab.job(claim.job.id) == newer.job


def test_a_stale_holders_guard_fails(lab: Lab, claim: Claim) -> None:
    """After somebody else wrote, the worker's guarded put is refused as any other."""
    newest = lab.put(claim.job.id, document(JobStatus.PRUNED)).record
    with pytest.raises(UnsafeUpdateError):
        lab.put(claim.job.id, document(JobStatus.DONE), guard=Guard.match(claim.job.etag))
    assert lab.job(claim.job.id) == newest


@pytest.mark.parametrize(
    "status, outcome",
    [
        (JobStatus.DONE, Outcome.SUPERSEDED),
        (JobStatus.CRASHED, Outcome.SUPERSEDED),
        (JobStatus.PRUNED, Outcome.PRUNED),
        (JobStatus.QUEUED, Outcome.SUPERSEDED),
    ],
)
def test_somebody_elses_put_ends_the_attempt(lab: Lab, claim: Claim, status: JobStatus, outcome: Outcome) -> None:
    """The worker learns it by its next heartbeat; what another states of the job is not how its attempt ended."""
    lab.put(claim.job.id, document(status))
    job = lab.job(claim.job.id)
    assert (job.status, job.leased) == (status, False)
    (attempt,) = lab.attempts(claim.job.id)
    assert attempt.outcome is outcome
    assert attempt.ended_at is not None
    assert lab.beat(claim) == ("prune" if status is JobStatus.PRUNED else "lost")


def test_somebody_elses_running_takes_the_job_over(lab: Lab, claim: Claim) -> None:
    """RUNNING put over RUNNING begins an attempt of its own, without a lease."""
    put = lab.put(claim.job.id, document(JobStatus.RUNNING), guard=Guard.match(claim.job.etag)).record
    assert (put.attempt, put.leased) == (2, False)
    first, second = lab.attempts(claim.job.id)
    assert (first.outcome, second.outcome, second.lease) == (Outcome.SUPERSEDED, None, None)
    assert lab.beat(claim) == "lost"
    late = lab.finish(claim, results={"y": 1})
    assert not late.recorded
    assert lab.job(claim.job.id) == put


def test_a_running_put_begins_an_attempt_without_a_lease(lab: Lab) -> None:
    """As the old client does it: nobody else claims the job, and its guarded put ends it."""
    job = lab.job(lab.add_one())
    running = lab.put(job.id, document(JobStatus.RUNNING), guard=Guard.match(job.etag)).record
    assert (running.status, running.attempt, running.leased, running.ended_at) == (JobStatus.RUNNING, 1, False, None)
    assert running.started_at is not None
    assert lab.why_none() is NoJobReason.EMPTY
    done = lab.put(job.id, document(JobStatus.DONE), guard=Guard.match(running.etag)).record
    assert done.status is JobStatus.DONE
    assert [attempt.outcome for attempt in lab.attempts(job.id)] == [Outcome.DONE]


def test_who_put_a_job_running_may_finish_it(lab: Lab) -> None:
    """The key of the put names the attempt that it began."""
    job_id, key = lab.add_one(), new_key()
    running = lab.put(job_id, document(JobStatus.RUNNING), key=key).record
    assert lab.attempts(job_id)[0].key == running.etag == name_of(key)
    assert lab.finish(Claim(job=running, key=key, lease=1.0), results={"y": 1}).recorded
    assert lab.job(job_id).status is JobStatus.DONE


def test_of_two_old_clients_one_gets_the_job(lab: Lab) -> None:
    """Both read the same etag; the second RUNNING is refused."""
    job = lab.job(lab.add_one())
    lab.put(job.id, document(JobStatus.RUNNING), guard=Guard.match(job.etag))
    with pytest.raises(UnsafeUpdateError):
        lab.put(job.id, document(JobStatus.RUNNING), guard=Guard.match(job.etag))
    assert lab.job(job.id).attempt == 1


def test_putting_a_job_running_counts_for_max_running(queue: Queue) -> None:
    """At the limit the put is refused, so that the old client asks again; a running job may still be written."""
    lab = Lab.new(queue, max_running=1)
    one, two = lab.add_many(2)
    lab.put(one, document(JobStatus.RUNNING))
    before = lab.job(two)
    with pytest.raises(LimitReachedError):
        lab.put(two, document(JobStatus.RUNNING), guard=Guard.match(before.etag))
    assert lab.job(two) == before
    assert lab.why_none() is NoJobReason.AT_LIMIT
    lab.put(one, document(JobStatus.RUNNING, {}, {"y": 1}))
    lab.put(one, document(JobStatus.DONE))
    assert lab.claim().job.id == two


def test_any_status_may_follow_any_other(lab: Lab) -> None:
    """A put states a fact; each entry into RUNNING is one attempt, and no attempt stays open outside it."""
    job_id, entered = lab.add_one(), 0
    for before in JobStatus:
        for after in JobStatus:
            entered += lab.put(job_id, document(before)).record.status is JobStatus.RUNNING
            job = lab.put(job_id, document(after)).record
            entered += after is JobStatus.RUNNING
            assert job.status is after
            assert job.attempt == entered
            still_open = [attempt for attempt in lab.attempts(job_id) if attempt.outcome is None]
            assert len(still_open) == (after is JobStatus.RUNNING)
    assert [attempt.number for attempt in lab.attempts(job_id)] == list(range(1, entered + 1))


def test_a_done_job_put_back_is_claimed_again(lab: Lab, claim: Claim) -> None:
    """Its next claim is its next attempt; the results are those of the put."""
    lab.finish(claim, results={"y": 1})
    lab.put(claim.job.id, document(JobStatus.QUEUED, {"x": 1}, {"y": 1}))
    again = lab.claim()
    assert (again.job.id, again.job.attempt) == (claim.job.id, 2)
    assert isinstance(lab.ask(), NoJob)
