"""Leases in real time: kept by heartbeats, lost without, settled by whoever claims next."""

import threading
import time
from collections.abc import Callable

import attrs
import pytest

from sweepstake.domain.records import Claim, ExperimentDraft, Guard, JobRecord, NoJob
from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome
from sweepstake.errors import LeaseLostError, UnsafeUpdateError
from sweepstake.queue.queue import Queue
from sweepstake.values import JsonObject
from tests.kit.lab import GRACE_SECONDS, Lab, document, draft, eventually, new_key

SHORT = 0.5


def _lose(lab: Lab, claim: Claim) -> Claim:
    """Let the lease of a claim run out, and return the claim that takes the job over."""
    started = time.monotonic()
    taken = eventually(lab.claimed_or_none, within=claim.lease + GRACE_SECONDS)
    assert taken.job.id == claim.job.id
    assert time.monotonic() - started > claim.lease * 0.5
    return taken


def _every(seconds: float, until: float, do: Callable[[], None]) -> None:
    """Do something at a pace until a time of the monotonic clock."""
    pace = threading.Event()
    while time.monotonic() < until:
        do()
        pace.wait(seconds)


def test_a_lost_job_is_claimed_again_in_time(queue: Queue) -> None:
    """Within its lease and 5 seconds the next claim brings it, with a new etag, as its next attempt."""
    lab = Lab.new(queue, lease=SHORT)
    lab.add_one(of=document(hyperparameters={"x": 1}))
    first = lab.claim(worker="dead")
    assert isinstance(lab.ask(), NoJob)
    second = _lose(lab, first)
    assert second.job.attempt == 2
    assert second.job.hyperparameters == first.job.hyperparameters
    assert second.job.etag != first.job.etag
    lost, running = lab.attempts(first.job.id)
    assert (lost.outcome, lost.worker, running.outcome) == (Outcome.LEASE_LOST, "dead", None)
    assert lost.ended_at is not None


def test_a_stale_worker_changes_nothing(queue: Queue) -> None:
    """Its heartbeat, guarded put, holder's put, repeat and report all meet the newer attempt, which goes on."""
    lab = Lab.new(queue, lease=SHORT)
    lab.add_one()
    stale = lab.claim()
    newer = _lose(lab, stale)
    assert lab.beat(stale) == "lost"
    with pytest.raises(UnsafeUpdateError):
        lab.put(stale.job.id, document(JobStatus.DONE), guard=Guard.match(stale.job.etag))
    with pytest.raises(LeaseLostError):
        lab.put(stale.job.id, document(JobStatus.DONE), attempt=stale.key)
    with pytest.raises(LeaseLostError):
        lab.ask(key=stale.key, repeat=True)
    late = lab.finish(stale, results={"y": 1})
    assert (late.recorded, late.ended) == (False, Outcome.LEASE_LOST)
    assert lab.attempts(stale.job.id)[0].late_results == JsonObject.of({"y": 1})
    assert lab.job(newer.job.id) == newer.job


def test_heartbeats_keep_a_lease_for_longer_than_it_lasts(queue: Queue) -> None:
    """A job of five leases keeps its lease; one of three that the old client runs is not run twice either."""
    lab = Lab.new(queue, lease=2.0)
    old_client, leased = lab.add_many(2)
    lab.put(old_client, document(JobStatus.RUNNING))
    claim = lab.claim()

    def beat_and_compete() -> None:
        assert lab.beat(claim) == "continue"
        assert isinstance(lab.ask(), NoJob)

    _every(0.4, time.monotonic() + 5 * claim.lease, beat_and_compete)
    assert lab.finish(claim, results={"y": 1}).recorded
    assert lab.job(leased).status is JobStatus.DONE
    assert (lab.job(old_client).status, lab.job(old_client).attempt) == (JobStatus.RUNNING, 1)


def test_one_heartbeat_renews_leases_of_many_experiments(queue: Queue) -> None:
    """Each attempt gets its own answer, in the order of the question."""
    labs = [Lab.new(queue) for _ in range(3)]
    for lab in labs:
        lab.add_one()
    claims = [lab.claim() for lab in labs]
    labs[1].prune(claims[1].job.id)
    labs[2].finish(claims[2])
    beats = queue.heartbeat([claims[2].key, claims[1].key, claims[0].key, new_key()])
    assert [beat.signal for beat in beats] == ["lost", "prune", "continue", "lost"]
    assert [beat.attempt for beat in beats[:3]] == [claims[2].key, claims[1].key, claims[0].key]
    assert queue.heartbeat([]) == ()


def test_an_overdue_lease_revives_until_it_is_settled(queue: Queue) -> None:
    """A worker that woke up late goes on if nobody claimed meanwhile, and may report as well."""
    lab = Lab.new(queue, lease=SHORT)
    lab.add_many(2)
    beating, reporting = lab.claim(), lab.claim()
    _every(SHORT, time.monotonic() + 2.5 * SHORT, lambda: None)
    assert lab.beat(beating) == "continue"
    assert lab.finish(reporting, results={"y": 1}).recorded
    assert isinstance(lab.ask(), NoJob)
    assert lab.finish(beating).recorded


def test_a_report_that_claims_as_well_does_not_settle_its_own_lease(queue: Queue) -> None:
    """What nobody took from its holder is recorded, however long ago its lease ran out."""
    lab = Lab.new(queue, lease=1.0)  # as long as the store goes without looking for overdue leases
    lab.add_many(2)
    claim = lab.claim()
    until = time.monotonic() + 1.1
    eventually(lambda: time.monotonic() > until or None)
    finished = lab.finish(claim, results={"y": 1}, next_key=new_key())
    assert finished.recorded
    assert isinstance(finished.next, Claim)
    assert finished.next.job.id != claim.job.id


def test_a_holders_put_keeps_the_lease_but_not_for_ever(queue: Queue) -> None:
    """Writing the document takes nothing from the lease; without heartbeats it still ends."""
    lab = Lab.new(queue, lease=SHORT)
    lab.add_one()
    claim = lab.claim()
    lab.put(claim.job.id, document(JobStatus.RUNNING, {}, {"loss": 1}), attempt=claim.key)
    taken = eventually(lab.claimed_or_none, within=SHORT + GRACE_SECONDS)
    assert taken.job.results.decode() == {"loss": 1}


def test_a_job_lost_too_often_crashes(queue: Queue) -> None:
    """`max_lost` leases may be lost; with the next one the job is CRASHED and no longer claimed."""
    lab = Lab.new(queue, lease=0.2, max_lost=1)
    job_id = lab.add_one()
    _lose(lab, lab.claim())
    crashed = eventually(lambda: _crashed_by_a_claim(lab, job_id), within=0.2 + GRACE_SECONDS)
    assert not crashed.leased
    assert [attempt.outcome for attempt in lab.attempts(job_id)] == [Outcome.LEASE_LOST] * 2


def _crashed_by_a_claim(lab: Lab, job_id: str) -> JobRecord | None:
    assert isinstance(lab.ask(), NoJob)
    job = lab.job(job_id)
    return job if job.status is JobStatus.CRASHED else None


def test_finishing_settles_and_brings_what_was_lost(queue: Queue) -> None:
    """A draining worker, which only ever finishes and claims in one call, gets a dead worker's job as well."""
    lab = Lab.new(queue, lease=SHORT)
    dead, *rest = lab.add_many(8)
    lab.claim(worker="dead")
    claim: Claim | NoJob | None = lab.claim()
    deadline = time.monotonic() + SHORT + GRACE_SECONDS
    done = []
    while isinstance(claim, Claim) and time.monotonic() < deadline:
        done.append(claim.job.id)
        _every(0.2, time.monotonic() + 0.15, lambda: None)
        claim = lab.finish(claim, next_key=new_key()).next
    if dead not in done:
        done.append(eventually(lab.claimed_or_none, within=deadline - time.monotonic()).job.id)
    assert set(done) == {dead, *rest}


def test_a_lost_job_makes_room_under_max_running(queue: Queue) -> None:
    """A dead worker does not hold its place for ever."""
    lab = Lab.new(queue, lease=SHORT, max_running=1)
    first, _ = lab.add_many(2)
    lab.claim()
    assert eventually(lab.claimed_or_none, within=SHORT + GRACE_SECONDS).job.id == first


def test_a_job_is_lost_by_the_lease_it_was_claimed_with(queue: Queue) -> None:
    """A shorter lease in new settings does not take a job from who claimed it under the longer one."""
    lab = Lab.new(queue, lease=300.0)
    lab.add_one()
    claim = lab.claim()
    record = lab.record()
    shorter = ExperimentDraft(search=record.search, settings=attrs.evolve(record.settings, lease=0.1))
    queue.put_experiment(lab.name, shorter, guard=Guard.match(record.etag), key=new_key())
    assert lab.beat(claim) == "continue"
    _every(0.5, time.monotonic() + 1.5, lambda: None)
    assert isinstance(lab.ask(), NoJob)
    assert lab.finish(claim).recorded


def test_paused_experiments_lose_no_leases_for_good(queue: Queue) -> None:
    """A lease that ran out while the experiment was DONE is settled once it goes on."""
    lab = Lab.new(queue, lease=0.2)
    lab.add(draft("only"))
    lab.claim()
    lab.set_status(ExperimentStatus.DONE)
    _every(0.1, time.monotonic() + 0.5, lambda: _is_none(lab))
    lab.set_status(ExperimentStatus.RUNNING)
    assert eventually(lab.claimed_or_none, within=GRACE_SECONDS).job.id == "only"


def _is_none(lab: Lab) -> None:
    assert isinstance(lab.ask(), NoJob)
