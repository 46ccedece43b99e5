"""The end of an attempt: outcomes, the next claim in the same call, repeats, late results and budgets."""

import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.keys import report_name
from sweepstake.domain.records import Claim, NoJob
from sweepstake.domain.status import JobStatus, NoJobReason, Outcome
from sweepstake.errors import KeyReusedError, NotFoundError
from sweepstake.queue.queue import Queue
from sweepstake.values import JsonObject
from tests.kit.lab import Lab, document, new_key

RESULTS = JsonObject.of({"accuracy": 0.9})


@pytest.mark.parametrize(
    "outcome, status",
    [(Outcome.DONE, JobStatus.DONE), (Outcome.CRASHED, JobStatus.CRASHED), (Outcome.PRUNED, JobStatus.PRUNED)],
)
def test_an_outcome_becomes_the_jobs_status(lab: Lab, outcome: Outcome, status: JobStatus) -> None:
    """Results are recorded, the attempt is closed, and its worker has nothing more to say."""
    lab.add_one(of=document(hyperparameters={"x": 1}, results={"old": True}))
    claim, key = lab.claim(), new_key()
    finished = lab.finish(claim, outcome, {"accuracy": 0.9}, key=key, reason="why\nso")
    job = lab.job(claim.job.id)
    assert (finished.recorded, finished.ended, finished.next) == (True, outcome, None)
    assert finished.job == job
    assert (job.status, job.results, job.etag, job.leased) == (status, RESULTS, report_name(key, claim.key), False)
    assert job.hyperparameters == claim.job.hyperparameters
    assert job.ended_at is not None
    (attempt,) = lab.attempts(job.id)
    assert (attempt.outcome, attempt.reason) == (outcome, "why\nso")
    assert attempt.ended_at == pytest.approx(job.ended_at, abs=1.0)
    assert lab.why_none() is NoJobReason.EMPTY


def test_no_traceback_is_too_odd_to_be_recorded(lab: Lab) -> None:
    """A reason with NULs, half characters, or of a megabyte does not cost the results; its end is kept."""
    for reason in ("first\x00\udcfflast", "é" * 1_000_000 + "\x00last"):
        lab.add_one()
        claim = lab.claim()
        finished = lab.finish(claim, Outcome.CRASHED, {"accuracy": 0.9}, reason=reason)
        assert finished.job.results == RESULTS
        (attempt,) = lab.attempts(claim.job.id)
        assert attempt.reason.endswith("last")


@pytest.mark.parametrize("outcome", [Outcome.RELEASED, Outcome.PREEMPTED])
def test_a_job_can_be_given_back(lab: Lab, outcome: Outcome) -> None:
    """It is queued again with a new etag, and its next claim is its next attempt."""
    lab.add_one()
    claim = lab.claim()
    finished = lab.finish(claim, outcome)
    job = lab.job(claim.job.id)
    assert (finished.recorded, finished.ended) == (True, outcome)
    assert finished.job == job
    assert (job.status, job.leased, job.attempt) == (JobStatus.QUEUED, False, 1)
    assert job.etag != claim.job.etag
    assert lab.beat(claim) == "lost"
    assert lab.claim().job.attempt == 2
    assert [attempt.outcome for attempt in lab.attempts(job.id)] == [outcome, None]


def test_a_report_may_replace_hyperparameters(lab: Lab) -> None:
    """They are replaced when given, and only then."""
    lab.add_one(of=document(hyperparameters={"x": 1}))
    claim = lab.claim()
    lab.finish(claim, hyperparameters=JsonObject.of({"x": 2}))
    assert lab.job(claim.job.id).hyperparameters.decode() == {"x": 2}


def test_finishing_claims_the_next_job(lab: Lab) -> None:
    """One call ends an attempt and begins another, under its own key."""
    first, second = lab.add_many(2)
    key = new_key()
    finished = lab.finish(lab.claim(), next_key=key)
    assert finished.job.id == first
    assert isinstance(finished.next, Claim)
    assert (finished.next.job.id, finished.next.key, finished.next.job.attempt) == (second, key, 1)
    assert lab.job(second) == finished.next.job
    assert lab.finish(finished.next, next_key=new_key()).next == NoJob(NoJobReason.EMPTY)


def test_finishing_makes_room_for_the_next_claim(queue: Queue) -> None:
    """At `max_running` 1 a draining loop goes on: its own job has ended when the next is claimed."""
    lab = Lab.new(queue, max_running=1)
    lab.add_many(3)
    finished = lab.finish(lab.claim(), next_key=new_key())
    assert isinstance(finished.next, Claim)
    assert lab.why_none() is NoJobReason.AT_LIMIT


def test_a_job_given_back_may_be_claimed_by_the_same_call(lab: Lab) -> None:
    """Given back and alone in the queue, it is the next one."""
    job_id = lab.add_one()
    finished = lab.finish(lab.claim(), Outcome.RELEASED, next_key=new_key())
    assert isinstance(finished.next, Claim)
    assert (finished.next.job.id, finished.next.job.attempt) == (job_id, 2)


@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.CRASHED, Outcome.PRUNED, Outcome.RELEASED])
@pytest.mark.parametrize("repeat", [True, False])
def test_repeating_a_finish_answers_the_same(lab: Lab, outcome: Outcome, *, repeat: bool) -> None:
    """A report whose answer was lost is recorded once, and said to be recorded."""
    lab.add_one()
    claim, key = lab.claim(), new_key()
    first = lab.finish(claim, outcome, {"accuracy": 0.9}, key=key)
    assert lab.finish(claim, outcome, {"accuracy": 0.9}, key=key, repeat=repeat) == first
    (attempt,) = lab.attempts(claim.job.id)
    assert (attempt.outcome, attempt.late_results) == (outcome, None)


def test_repeating_a_finish_with_claim_answers_both_the_same(lab: Lab) -> None:
    """Neither is the report recorded twice nor a second job claimed."""
    lab.add_many(3)
    claim, key, next_key = lab.claim(), new_key(), new_key()
    first = lab.finish(claim, key=key, next_key=next_key)
    for _ in range(2):
        again = lab.finish(claim, key=key, next_key=next_key, repeat=True)
        assert again == first
    counts = lab.queue.count_jobs(lab.name)
    assert (counts.done, counts.running, counts.ready) == (1, 1, 1)


@pytest.mark.parametrize("repeat", [True, False])
def test_a_repeat_after_the_next_job_was_lost_takes_no_other(lab: Lab, *, repeat: bool) -> None:
    """It may come late, with nobody who waits for its answer: the report stands, and no job is taken for it."""
    lab.add_many(3)
    claim, key, next_key = lab.claim(), new_key(), new_key()
    finished = lab.finish(claim, key=key, next_key=next_key)
    assert isinstance(finished.next, Claim)
    lab.put(finished.next.job.id, document(JobStatus.PRUNED))
    again = lab.finish(claim, key=key, next_key=next_key, repeat=repeat)
    assert (again.recorded, again.next) == (True, None)
    assert lab.job(claim.job.id).status is JobStatus.DONE
    assert lab.queue.count_jobs(lab.name).running == 0


@pytest.mark.parametrize("repeat", [True, False])
def test_a_repeat_of_a_finish_that_claimed_nothing_takes_no_job(lab: Lab, *, repeat: bool) -> None:
    """A job that was added meanwhile is for those who ask now; by itself, the same claim may be made again."""
    lab.add_one()
    claim, key, next_key = lab.claim(), new_key(), new_key()
    assert lab.finish(claim, key=key, next_key=next_key).next == NoJob(NoJobReason.EMPTY)
    job_id = lab.add_one()
    assert lab.finish(claim, key=key, next_key=next_key, repeat=repeat).next is None
    assert lab.claim(key=next_key, repeat=True).job.id == job_id


@pytest.mark.parametrize("repeat", [True, False])
def test_a_repeat_of_a_second_late_report_brings_the_job_it_took(lab: Lab, *, repeat: bool) -> None:
    """Nothing is kept of the report itself, but the claim that was made with it is known by its key."""
    first, second = lab.add_many(2)
    claim, key, next_key = lab.claim(), new_key(), new_key()
    lab.prune(first)
    lab.finish(claim)
    finished = lab.finish(claim, key=key, next_key=next_key)
    assert isinstance(finished.next, Claim)
    assert finished.next.job.id == second
    assert lab.finish(claim, key=key, next_key=next_key, repeat=repeat).next == finished.next


def test_a_second_report_is_refused_and_the_first_stands(lab: Lab) -> None:
    """An attempt is finished once: another key is another report."""
    lab.add_one()
    claim = lab.claim()
    lab.finish(claim, results={"accuracy": 0.9})
    with pytest.raises(KeyReusedError):
        lab.finish(claim, Outcome.CRASHED, {"accuracy": 0.1})
    assert lab.job(claim.job.id).status is JobStatus.DONE
    assert lab.job(claim.job.id).results == RESULTS


@pytest.mark.parametrize("same", ["attempt", "claim", "both"])
def test_a_report_needs_a_key_of_its_own(lab: Lab, same: str) -> None:
    """Under the key of its attempt or of the claim after it, two writes would have one etag; nothing is done."""
    lab.add_many(2)
    claim = lab.claim()
    key = new_key() if same == "claim" else claim.key
    with pytest.raises(KeyReusedError):
        lab.finish(claim, key=key, next_key=None if same == "attempt" else key)
    assert lab.job(claim.job.id).status is JobStatus.RUNNING


@pytest.mark.parametrize("how", ["pruned", "put"])
def test_a_late_report_is_kept_on_its_attempt(lab: Lab, how: str) -> None:
    """It changes nothing of the job, and is not thrown away."""
    job_id = lab.add_one()
    claim = lab.claim()
    if how == "pruned":
        lab.prune(job_id)
    else:
        lab.put(job_id, document(JobStatus.QUEUED))
    before = lab.job(job_id)
    finished = lab.finish(claim, results={"accuracy": 0.9})
    assert not finished.recorded
    assert finished.ended is (Outcome.PRUNED if how == "pruned" else Outcome.SUPERSEDED)
    assert finished.job == lab.job(job_id) == before
    assert lab.attempts(job_id)[0].late_results == RESULTS


def test_a_late_report_does_not_touch_a_newer_attempt(lab: Lab) -> None:
    """The job is another worker's by now, and stays so."""
    job_id = lab.add_one()
    old = lab.claim()
    lab.put(job_id, document(JobStatus.QUEUED))
    new = lab.claim()
    assert not lab.finish(old, results={"accuracy": 0.1}).recorded
    assert lab.job(job_id) == new.job
    assert lab.beat(new) == "continue"
    assert lab.finish(new, results={"accuracy": 0.9}).recorded
    assert lab.job(job_id).results == RESULTS
    first, second = lab.attempts(job_id)
    assert (first.outcome, second.outcome) == (Outcome.SUPERSEDED, Outcome.DONE)
    assert first.late_results == JsonObject.of({"accuracy": 0.1})
    assert second.late_results is None


def test_repeating_a_late_report_answers_the_same(lab: Lab) -> None:
    """Late stays late, and is kept once."""
    lab.add_one()
    claim, key = lab.claim(), new_key()
    lab.prune(claim.job.id)
    first = lab.finish(claim, results={"accuracy": 0.9}, key=key)
    assert lab.finish(claim, results={"accuracy": 0.9}, key=key, repeat=True) == first
    assert lab.attempts(claim.job.id)[0].late_results == RESULTS


def test_a_late_report_claims_the_next_all_the_same(lab: Lab) -> None:
    """The loop of a worker whose job was taken away goes on."""
    first, second = lab.add_many(2)
    claim = lab.claim()
    lab.prune(first)
    finished = lab.finish(claim, next_key=new_key())
    assert not finished.recorded
    assert isinstance(finished.next, Claim)
    assert finished.next.job.id == second


def test_an_unknown_attempt_is_not_found(lab: Lab) -> None:
    """A report needs an attempt of this very job."""
    one, two = lab.add_many(2)
    first, second = lab.claim(), lab.claim()
    with pytest.raises(NotFoundError):
        lab.queue.finish(lab.name, "missing", _told(first), key=new_key())
    with pytest.raises(NotFoundError):
        lab.queue.finish(lab.name, one, _told(second), key=new_key())
    assert lab.job(one).leased
    assert lab.job(two).leased


def _told(claim: Claim) -> Finish:
    return Finish(attempt=claim.key, outcome=Outcome.DONE)
