"""Claiming: order, what a claim holds, repeats, and why there is none."""

from collections.abc import Callable

import attrs
import pytest

from sweepstake.domain.keys import name_of
from sweepstake.domain.names import MAX_IDS
from sweepstake.domain.records import UNGUARDED, Claim, ExperimentDraft, Guard, NoJob, SearchDefinition
from sweepstake.domain.status import ExperimentStatus, JobStatus, NoJobReason, Outcome
from sweepstake.errors import KeyReusedError, LeaseLostError, UnsafeUpdateError
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, document, draft, eventually, new_key


def test_a_claim_says_all_that_a_worker_needs(queue: Queue) -> None:
    """Its job is RUNNING in its first attempt, under the claim's key, for the experiment's lease and timeout."""
    lab = Lab.new(queue, lease=30.0, timeout=600.0)
    added = lab.job(lab.add_one(of=document(hyperparameters={"x": 1}), priority=3, tags=("t",)))
    key = new_key()
    claim = lab.claim(worker="host:1 ü", key=key)
    job = claim.job
    assert (claim.key, claim.lease, claim.timeout) == (key, 30.0, 600.0)
    assert (job.id, job.status, job.etag, job.attempt, job.leased) == (
        added.id,
        JobStatus.RUNNING,
        name_of(key),
        1,
        True,
    )
    assert (job.hyperparameters, job.results, job.priority, job.tags) == (
        added.hyperparameters,
        added.results,
        3,
        ("t",),
    )
    assert job.worker == "host:1 ü"
    assert job.started_at is not None
    assert job.ended_at is None
    assert lab.job(job.id) == job


def test_an_attempt_tells_who_runs_it(queue: Queue) -> None:
    """The claim's attempt is open, numbered 1, and names worker and lease, and its key as everybody may know it."""
    lab = Lab.new(queue, lease=30.0)
    lab.add_one()
    claim = lab.claim(worker="me")
    (attempt,) = lab.attempts(claim.job.id)
    assert (attempt.number, attempt.key, attempt.worker, attempt.lease) == (1, name_of(claim.key), "me", 30.0)
    assert (attempt.outcome, attempt.ended_at, attempt.late_results) == (None, None, None)
    assert attempt.started_at == claim.job.started_at


def test_a_claim_may_name_as_many_jobs_as_ids_are_taken_at_once(lab: Lab) -> None:
    """Each with a name as full of commas as it may be; it gets the one of them that is ready."""
    last = "," * 200
    lab.add(draft(last))
    claim = lab.queue.claim(lab.name, "me", ids=[*(f"{i},,,,," for i in range(MAX_IDS - 1)), last])
    assert isinstance(claim, Claim)
    assert claim.job.id == last


def test_priority_goes_before_age(lab: Lab) -> None:
    """The highest priority first, the oldest among equals."""
    drafts = [draft(str(i), priority=priority) for i, priority in enumerate([0, 2**31 - 1, -5, 3, 0, 3])]
    lab.add(*drafts)
    order = [lab.claim().job.id for _ in drafts]
    assert order == ["1", "3", "5", "0", "4", "2"]


def test_a_job_that_came_back_keeps_its_place(lab: Lab) -> None:
    """Given back, the oldest job is the next one again."""
    first, second = lab.add_many(2)
    lab.finish(lab.claim(), Outcome.RELEASED)
    assert [lab.claim().job.id, lab.claim().job.id] == [first, second]


def test_only_queued_jobs_are_claimed(lab: Lab) -> None:
    """A put can take a job out of the queue, and put one back into it."""
    one, two = lab.add_many(2)
    lab.put(one, document(JobStatus.DONE))
    assert lab.claim().job.id == two
    lab.put(one, document(JobStatus.QUEUED))
    assert lab.claim().job.id == one
    assert lab.why_none() is NoJobReason.EMPTY


def test_claiming_fences_who_read_before(lab: Lab) -> None:
    """A put guarded by the etag of the queued job fails once the job is claimed."""
    job_id = lab.add_one()
    etag = lab.job(job_id).etag
    lab.claim()
    with pytest.raises(UnsafeUpdateError):
        lab.put(job_id, document(JobStatus.RUNNING), guard=Guard.match(etag))
    assert lab.job(job_id).leased


def test_repeating_a_claim_answers_the_same(lab: Lab) -> None:
    """A claim whose answer was lost holds one job, not two."""
    lab.add_many(3)
    key = new_key()
    first = lab.claim(key=key)
    assert lab.claim(key=key, repeat=True) == first
    assert lab.claim(key=key, repeat=True) == first
    assert lab.queue.count_jobs(lab.name).running == 1


def test_a_repeat_of_a_claim_that_never_arrived_claims(lab: Lab) -> None:
    """Marked as a repeat, a new key claims as any other."""
    job_id, key = lab.add_one(), new_key()
    claim = lab.claim(key=key, repeat=True)
    assert (claim.job.id, claim.key) == (job_id, key)


@pytest.mark.parametrize("how", ["done", "pruned", "released", "put", "deleted"])
def test_repeating_a_claim_that_is_over_says_so(lab: Lab, how: str) -> None:
    """The repeat claims nothing instead: the caller shall claim anew."""
    lab.add_many(2)
    key = new_key()
    claim = lab.claim(key=key)
    ends: dict[str, Callable[[], object]] = {
        "done": lambda: lab.finish(claim),
        "pruned": lambda: lab.prune(claim.job.id),
        "released": lambda: lab.finish(claim, Outcome.RELEASED),
        "put": lambda: lab.put(claim.job.id, document()),
        "deleted": lambda: lab.delete(claim.job.id),
    }
    ends[how]()
    running = lab.queue.count_jobs(lab.name).running
    if how == "deleted":
        # Nothing is left of the attempt, so the repeat is a first call; it must not bring the dead job back.
        assert lab.claim(key=key, repeat=True).job.id != claim.job.id
        return
    with pytest.raises(LeaseLostError):
        lab.ask(key=key, repeat=True)
    assert lab.queue.count_jobs(lab.name).running == running == 0


def test_a_repeat_after_an_empty_answer_may_find_something(lab: Lab) -> None:
    """No job is an answer that the next call with the key is not bound to."""
    key = new_key()
    assert isinstance(lab.ask(key=key), NoJob)
    job_id = lab.add_one()
    assert lab.claim(key=key, repeat=True).job.id == job_id


def test_one_key_cannot_claim_in_two_experiments(lab: Lab) -> None:
    """The key belongs to the attempt that it began."""
    other = Lab.new(lab.queue)
    lab.add_one()
    other.add_one()
    claim = lab.claim()
    for repeat in (False, True):
        with pytest.raises(KeyReusedError):
            other.ask(key=claim.key, repeat=repeat)
    assert other.queue.count_jobs(other.name).ready == 1


@pytest.mark.parametrize("most", [None, 1])
def test_a_key_of_another_write_claims_nothing(queue: Queue, most: int | None) -> None:
    """Claimed under the etag that a job has from a put, it would hold for both: the job stays queued."""
    lab = Lab.new(queue, max_running=most)
    key = new_key()
    lab.queue.put_job(lab.name, "mine", document(), guard=UNGUARDED, key=key)
    for repeat in (False, True):
        with pytest.raises(KeyReusedError):
            lab.ask(key=key, repeat=repeat)
    assert lab.queue.count_jobs(lab.name).ready == 1
    assert lab.claim().job.id == "mine"


def test_a_claims_key_without_the_mark_never_claims_twice(lab: Lab) -> None:
    """A client that forgets to mark its repeat still gets the one job that the key claimed."""
    lab.add_many(3)
    claim = lab.claim()
    assert lab.claim(key=claim.key) == claim
    assert lab.queue.count_jobs(lab.name).running == 1


def test_an_experiment_without_jobs_is_empty(lab: Lab) -> None:
    """So is one whose jobs have all ended."""
    assert lab.why_none() is NoJobReason.EMPTY
    lab.add_one()
    lab.finish(lab.claim())
    assert lab.why_none() is NoJobReason.EMPTY


def test_nothing_is_claimed_from_a_done_experiment(lab: Lab) -> None:
    """Its running job may still report; made RUNNING again, the queue goes on."""
    lab.add_many(3)
    claim = lab.claim()
    lab.set_status(ExperimentStatus.DONE)
    assert lab.why_none() is NoJobReason.FINISHED
    offered = lab.offer()
    assert isinstance(offered, NoJob)
    assert offered.reason is NoJobReason.FINISHED
    assert lab.beat(claim) == "continue"
    finished = lab.finish(claim, results={"y": 1}, next_key=new_key())
    assert finished.recorded
    assert finished.next == NoJob(NoJobReason.FINISHED)
    lab.set_status(ExperimentStatus.RUNNING)
    assert lab.claim().job.attempt == 1


def test_max_running_holds_further_claims_back(queue: Queue) -> None:
    """At the limit the claim says so; ending one job lets one more run."""
    lab = Lab.new(queue, max_running=2)
    lab.add_many(4)
    first, _ = lab.claim(), lab.claim()
    assert lab.why_none() is NoJobReason.AT_LIMIT
    lab.finish(first)
    lab.claim()
    assert lab.why_none() is NoJobReason.AT_LIMIT


def test_max_running_of_zero_runs_nothing(queue: Queue) -> None:
    """The limit is exact also at its least."""
    lab = Lab.new(queue, max_running=0)
    lab.add_one()
    assert lab.why_none() is NoJobReason.AT_LIMIT


def test_a_raised_limit_holds_at_once(queue: Queue) -> None:
    """Settings are read by every claim, not remembered."""
    lab = Lab.new(queue, max_running=1)
    lab.add_many(2)
    lab.claim()
    assert lab.why_none() is NoJobReason.AT_LIMIT
    record = lab.record()
    raised = ExperimentDraft(search=record.search, settings=attrs.evolve(record.settings, max_running=None))
    queue.put_experiment(lab.name, raised, guard=Guard.match(record.etag), key=new_key())
    assert lab.claim().job.attempt == 1


def test_a_claim_that_is_delivered_twice_says_twice_what_it_took(lab: Lab) -> None:
    """Not that nothing is left, although that is so, and although nothing says that it is a repeat."""
    lab.add_one()
    key = new_key()
    assert lab.claim(key=key) == lab.claim(key=key)


@pytest.mark.parametrize("limit", [None, 5], ids=["unlimited", "limited"])
def test_of_jobs_asked_for_by_their_ids_only_those_are_taken(queue: Queue, limit: int | None) -> None:
    """Priority and age choose among them; when none is ready, that is the answer, and nothing else is touched."""
    lab = Lab.new(queue, max_running=limit)
    lab.add(draft("other", priority=9), draft("old"), draft("new"), draft("first", priority=1))
    key = new_key()
    taken = lab.claim(ids=["new", "first", "missing", "old"], key=key, worker="me")
    assert (taken.job.id, taken.job.etag, taken.job.worker, taken.job.leased) == ("first", name_of(key), "me", True)
    assert taken.job == lab.job("first")
    assert lab.claim(ids=["new", "first", "old"]).job.id == "old"
    assert lab.ask(ids=["old", "missing"]) == NoJob(NoJobReason.NOT_READY)
    assert [lab.job(each).status for each in ("other", "new")] == [JobStatus.QUEUED] * 2
    assert lab.claim().job.id == "other"


def test_a_job_asked_for_by_its_id_must_be_ready(queue: Queue) -> None:
    """A claim by id goes round no limit: nor delays, nor dependencies, nor pauses, nor `max_running`."""
    lab = Lab.new(queue, max_running=1)
    lab.add(draft("first"), draft("blocked", depends_on=("first",)), draft("late", not_before=4e9), draft("over"))
    lab.put("over", document(JobStatus.DONE))
    for each in ("blocked", "late", "over"):
        assert lab.ask(ids=[each]) == NoJob(NoJobReason.NOT_READY)
    held = lab.claim(ids=["first"])
    lab.add(draft("second"))
    assert lab.ask(ids=["second"]) == NoJob(NoJobReason.NOT_READY)
    lab.finish(held)
    assert lab.claim(ids=["blocked"]).job.id == "blocked"


def test_no_search_proposes_for_a_claim_by_id(queue: Queue) -> None:
    """Who asks for one job does not want another."""
    lab = Lab.new(queue, search=SearchDefinition("RandomSearch", '{"x":{"uniform":{"low":0.0,"high":1.0}}}'))
    assert lab.ask(ids=["missing"]) == NoJob(NoJobReason.NOT_READY)
    assert lab.jobs() == []


def test_repeating_a_claim_by_id_brings_the_same_job(lab: Lab) -> None:
    """As every claim that is repeated with its key."""
    lab.add(draft("one"), draft("two"))
    key = new_key()
    first = lab.claim(ids=["two"], key=key)
    assert lab.claim(ids=["two"], key=key, repeat=True) == first
    assert lab.claim(ids=["two"], key=key) == first


def test_a_claim_by_id_takes_what_a_dead_worker_left(queue: Queue) -> None:
    """The lease that is overdue is settled first."""
    lab = Lab.new(queue, lease=0.1, max_lost=3)
    lab.add_one()
    held = lab.claim()

    def taken() -> bool | None:
        return isinstance(lab.ask(ids=[held.job.id]), Claim) or None

    assert eventually(taken)
    assert lab.job(held.job.id).attempt == 2
