"""Offers: the next job, still queued, for a client that claims by a guarded put."""

import pytest

from sweepstake.domain.records import Guard, JobRecord, NoJob, SearchDefinition
from sweepstake.domain.status import JobStatus, NoJobReason
from sweepstake.errors import UnsafeUpdateError
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, document, draft, eventually, new_key

GRID = SearchDefinition("Grid", '{"x":[1,2]}')


def _offered(lab: Lab) -> JobRecord:
    answer = lab.offer()
    assert isinstance(answer, JobRecord), answer
    return answer


def test_an_offered_job_stays_queued(lab: Lab) -> None:
    """Offering changes neither status nor etag; a guarded put takes the job."""
    lab.add_many(2)
    before = lab.jobs()
    job = _offered(lab)
    assert job == before[0]
    assert lab.jobs() == before
    assert lab.put(job.id, document(JobStatus.RUNNING), guard=Guard.match(job.etag)).record.attempt == 1


def test_what_was_just_offered_is_passed_over(lab: Lab) -> None:
    """Many clients that ask at once are offered different jobs, by priority and age."""
    ids = lab.add(draft("c"), draft("d"), draft("a", priority=9), draft("b", priority=9))
    assert sorted(ids) == [_offered(lab).id for _ in ids]


def test_the_first_job_is_offered_again_when_nothing_else_is_ready(lab: Lab) -> None:
    """A queue of one never looks empty."""
    job_id = lab.add_one()
    assert [_offered(lab).id for _ in range(3)] == [job_id] * 3


def test_an_offer_is_forgotten_after_a_second(lab: Lab) -> None:
    """A client that took nothing delays nobody: the oldest job is offered first again."""
    oldest, _ = lab.add_many(2)
    assert _offered(lab).id == oldest
    eventually(lambda: _offered(lab).id == oldest or None, within=5)


def test_an_offered_job_can_be_claimed_meanwhile(lab: Lab) -> None:
    """An offer promises nothing: the put of the slower client is refused."""
    lab.add_one()
    job = _offered(lab)
    lab.claim()
    with pytest.raises(UnsafeUpdateError):
        lab.put(job.id, document(JobStatus.RUNNING), guard=Guard.match(job.etag))
    assert lab.job(job.id).leased


def test_nothing_to_offer(lab: Lab) -> None:
    """The reason is that of a claim."""
    answer = lab.offer()
    assert isinstance(answer, NoJob)
    assert answer.reason is NoJobReason.EMPTY


def test_an_offered_proposal_is_stored_queued(queue: Queue) -> None:
    """When nothing is ready the search proposes, and the job waits to be taken."""
    lab = Lab.new(queue, search=GRID)
    first = _offered(lab)
    assert first == lab.job(first.id)
    assert (first.status, first.hyperparameters.decode()) == (JobStatus.QUEUED, {"x": 1})
    assert (lab.record().proposals, lab.record().created) == (1, 1)
    lab.claim()
    assert _offered(lab).hyperparameters.decode() == {"x": 2}
    lab.claim()
    answer = lab.offer()
    assert isinstance(answer, NoJob)
    assert answer.reason is NoJobReason.EXHAUSTED


def test_a_new_job_is_proposed_although_others_are_ready(queue: Queue) -> None:
    """Each once, however often it is asked for; a search that has no more leaves the experiment open for them."""
    lab = Lab.new(queue, search=GRID)
    key = new_key()
    first = queue.offer(lab.name, new=True, key=key)
    assert queue.offer(lab.name, new=True, key=key) == first
    second = queue.offer(lab.name, new=True)
    assert [(job.status, job.hyperparameters.decode()) for job in lab.jobs()] == [
        (JobStatus.QUEUED, {"x": 1}),
        (JobStatus.QUEUED, {"x": 2}),
    ]
    assert second == lab.jobs()[1]
    third = queue.offer(lab.name, new=True)
    assert isinstance(third, NoJob)
    assert [lab.claim().job.id for _ in range(2)] == [job.id for job in lab.jobs()]


def test_no_more_are_proposed_than_there_may_be(queue: Queue) -> None:
    """The reason is that of a claim; a manual search proposes none."""
    lab = Lab.new(queue, search=GRID, max_jobs=1)
    assert isinstance(queue.offer(lab.name, new=True), JobRecord)
    answer = queue.offer(lab.name, new=True)
    assert isinstance(answer, NoJob)
    assert answer.reason is NoJobReason.EXHAUSTED
    manual = Lab.new(queue)
    manual.add_one()
    assert isinstance(queue.offer(manual.name, new=True), NoJob)


def test_repeating_an_offer_proposes_once(queue: Queue) -> None:
    """The job of the lost answer is queued and is offered again; once it is taken, a repeat may get another."""
    lab = Lab.new(queue, search=GRID)
    key = new_key()
    first = queue.offer(lab.name, key=key)
    assert queue.offer(lab.name, key=key) == first
    assert lab.record().proposals == 1
    lab.claim()
    again = queue.offer(lab.name, key=key)
    assert isinstance(again, (JobRecord, NoJob))
    assert lab.record().proposals <= 2
