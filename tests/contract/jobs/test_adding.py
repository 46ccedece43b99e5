"""Adding many jobs in one call."""

import pytest

from sweepstake.domain.keys import item_key, name_of
from sweepstake.domain.lengths import MAX_BULK
from sweepstake.domain.records import Claim, Guard, NoJob
from sweepstake.domain.status import JobStatus, NoJobReason
from sweepstake.errors import InvalidInputError, LimitReachedError, NotFoundError, ResourceExistsError
from sweepstake.queue.queue import Queue
from sweepstake.values import JsonObject
from tests.kit.lab import Lab, document, draft, eventually, new_key


def test_every_part_of_a_draft_is_kept(lab: Lab) -> None:
    """Document, queueing, labels and origin come back; the etag is the key of the item."""
    of = document(JobStatus.DONE, {"x": [1, {"y": None}]}, {"z": 2.5})
    origin = JsonObject.of({"generation": 3})
    key = new_key()
    full = draft(of=of, priority=-(2**31), tags=("a", "b c"), notes="n\nm", origin=origin)
    lab.queue.add_jobs(lab.name, [draft(), full], key=key)
    job = lab.job(full.id)
    assert (job.status, job.hyperparameters, job.results) == (of.status, of.hyperparameters, of.results)
    assert (job.priority, job.tags, job.notes, job.origin) == (-(2**31), ("a", "b c"), "n\nm", origin)
    assert (job.etag, job.attempt, job.worker, job.leased) == (item_key(name_of(key), 1), 0, None, False)


def test_the_etag_of_an_added_job_guards_it(lab: Lab) -> None:
    """A job that was added in bulk can be put safely."""
    key = new_key()
    lab.queue.add_jobs(lab.name, [draft("a")], key=key)
    assert lab.put("a", document(JobStatus.DONE), guard=Guard.match(item_key(key, 0))).record.status is JobStatus.DONE


def test_jobs_are_kept_in_the_order_of_the_call(lab: Lab) -> None:
    """Seq grows from draft to draft, and from call to call."""
    ids = lab.add_many(50) + lab.add_many(50)
    jobs = lab.jobs()
    assert [job.id for job in jobs] == ids
    assert [job.seq for job in jobs] == sorted({job.seq for job in jobs})
    assert lab.record().created == 100


def test_a_taken_id_refuses_the_whole_call(lab: Lab) -> None:
    """The error names the id, and no other job of the call is there."""
    lab.add_one(of=document(JobStatus.DONE))
    taken = lab.jobs()[0].id
    with pytest.raises(ResourceExistsError, match=taken):
        lab.add(draft(), draft(taken), draft())
    assert [job.id for job in lab.jobs()] == [taken]
    assert lab.record().created == 1


def test_an_id_twice_in_a_call_refuses_it(lab: Lab) -> None:
    """Drafts of one call cannot share an id."""
    with pytest.raises(ResourceExistsError, match="twin"):
        lab.add(draft("twin"), draft(), draft("twin"))
    assert lab.jobs() == []


def test_repeating_a_call_adds_nothing(lab: Lab) -> None:
    """Also after its jobs were claimed, changed and deleted."""
    drafts, key = [draft(), draft(), draft()], new_key()
    lab.queue.add_jobs(lab.name, drafts, key=key)
    lab.queue.add_jobs(lab.name, drafts, key=key)
    assert len(lab.jobs()) == 3
    lab.claim()
    lab.put(drafts[1].id, document(JobStatus.DONE))
    lab.delete(drafts[2].id)
    before = lab.jobs()
    lab.queue.add_jobs(lab.name, drafts, key=key)
    assert lab.jobs() == before
    assert lab.record().created == 3


def test_repeating_a_call_whose_jobs_are_all_gone_adds_nothing(lab: Lab) -> None:
    """A deleted job does not come back because somebody else missed an answer."""
    drafts, key = [draft(), draft()], new_key()
    lab.queue.add_jobs(lab.name, drafts, key=key)
    for one in drafts:
        lab.delete(one.id)
    lab.queue.add_jobs(lab.name, drafts, key=key)
    assert lab.jobs() == []


def test_max_jobs_counts_all_that_were_ever_created(queue: Queue) -> None:
    """The call that would exceed it adds nothing; deleting makes no room."""
    lab = Lab.new(queue, max_jobs=3)
    lab.add_many(2)
    with pytest.raises(LimitReachedError):
        lab.add_many(2)
    assert len(lab.jobs()) == 2
    lab.put("third", document())
    lab.delete("third")
    with pytest.raises(LimitReachedError):
        lab.put("fourth", document())
    with pytest.raises(LimitReachedError):
        lab.add_one()
    assert (len(lab.jobs()), lab.record().created) == (2, 3)


def test_a_running_draft_has_an_attempt_without_a_lease(lab: Lab) -> None:
    """It is nobody's to claim, and is not overdue."""
    job_id = lab.add_one(of=document(JobStatus.RUNNING))
    job = lab.job(job_id)
    (attempt,) = lab.attempts(job_id)
    assert (job.attempt, job.leased) == (1, False)
    assert (attempt.number, attempt.lease, attempt.outcome) == (1, None, None)
    assert lab.why_none() is NoJobReason.EMPTY


def test_running_drafts_count_for_max_running(queue: Queue) -> None:
    """A call that would exceed it adds nothing."""
    lab = Lab.new(queue, max_running=2)
    with pytest.raises(LimitReachedError):
        lab.add(*(draft(of=document(JobStatus.RUNNING)) for _ in range(3)))
    assert lab.jobs() == []
    lab.add(*(draft(of=document(JobStatus.RUNNING)) for _ in range(2)), draft())
    assert lab.why_none() is NoJobReason.AT_LIMIT


def test_jobs_of_any_status_may_be_added(lab: Lab) -> None:
    """Each is counted under its status, and only the queued one is claimed."""
    lab.add(*(draft(of=document(status)) for status in JobStatus))
    counts = lab.queue.count_jobs(lab.name)
    assert (counts.ready, counts.running, counts.done, counts.crashed, counts.pruned) == (1, 1, 1, 1, 1)
    lab.claim()
    assert lab.why_none() is NoJobReason.EMPTY


def test_a_full_call_is_taken_and_a_fuller_one_refused(lab: Lab) -> None:
    """MAX_BULK jobs go in one call; one more is refused before anything is stored."""
    lab.add_many(MAX_BULK)
    assert lab.queue.count_jobs(lab.name).ready == MAX_BULK
    with pytest.raises(InvalidInputError):
        lab.add_many(MAX_BULK + 1)
    assert lab.record().created == MAX_BULK


def test_adding_to_a_missing_experiment(queue: Queue) -> None:
    """It is not created on the way."""
    with pytest.raises(NotFoundError):
        Lab(queue, new_key()).add(draft())


def test_a_delayed_job_waits_for_its_time(lab: Lab) -> None:
    """It is not claimed before `not_before`, and is claimed soon after."""
    start = lab.queue.get_experiment(lab.name).created_at
    far = lab.add_one(not_before=start + 10_000.0, priority=9)
    soon = lab.add_one(not_before=start + 1.5, priority=5)
    past = lab.add_one(not_before=start - 10.0)
    assert lab.queue.count_jobs(lab.name).delayed == 2
    assert lab.claim().job.id == past
    assert lab.why_none() is NoJobReason.DELAYED
    claim = eventually(lab.claimed_or_none, within=6.5)
    assert claim.job.id == soon
    assert claim.job.started_at is not None
    assert claim.job.started_at >= start + 1.5
    assert lab.job(far).not_before == pytest.approx(start + 10_000.0, abs=1e-3)
    assert isinstance(lab.ask(), NoJob)


def test_a_queue_of_any_size_is_drained_in_order(lab: Lab) -> None:
    """Nothing is lost between the calls, and age decides."""
    ids = lab.add_many(100)
    claims = [lab.ask() for _ in range(101)]
    assert [claim.job.id for claim in claims if isinstance(claim, Claim)] == ids
