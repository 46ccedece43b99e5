"""Why a job is not running, as each queue tells it."""

import pytest

from sweepstake.domain.records import Dependency
from sweepstake.domain.situation import WhyReason
from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome
from sweepstake.errors import NotFoundError
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, document, eventually


def test_a_ready_job_lacks_a_worker(lab: Lab) -> None:
    """The next in line says so, and one behind it says how many are before it."""
    first, second = lab.add_many(2)
    urgent = lab.add_one(priority=1)
    assert lab.why(urgent).reason is WhyReason.READY
    assert "no worker is alive" in lab.why(urgent).sentence
    assert [lab.why(job).ahead for job in (first, second)] == [1, 2]
    assert lab.why(second).reason is WhyReason.BEHIND


def test_those_who_work_are_named(lab: Lab) -> None:
    """Workers with live leases, each once, and not those whose jobs have ended."""
    *_, last = lab.add_many(5)
    for worker in ("node:2", "node:1", "node:2"):
        lab.claim(worker=worker)
    lab.finish(lab.claim(worker="node:9"))
    why = lab.why(last)
    assert (why.reason, why.workers) == (WhyReason.READY, ("node:1", "node:2"))


def test_a_held_job_is_running(lab: Lab) -> None:
    """The sentence names the worker."""
    job_id = lab.add_one()
    lab.claim(worker="node:1")
    why = lab.why(job_id)
    assert why.reason is WhyReason.RUNNING
    assert "node:1" in why.sentence
    assert why.heartbeat is not None
    assert 0 <= why.heartbeat < 60


def test_an_overdue_lease_is_told(queue: Queue) -> None:
    """Nobody has looked for it yet, so the job is still RUNNING."""
    lab = Lab.new(queue, lease=0.1)
    job_id = lab.add_one()
    lab.claim(worker="node:1")
    assert "node:1" in eventually(lambda: _of(lab, job_id, WhyReason.OVERDUE))
    assert lab.job(job_id).status is JobStatus.RUNNING
    heartbeat = lab.why(job_id).heartbeat
    assert heartbeat is not None
    assert heartbeat > 0.1


def test_a_job_without_a_lease_is_told(lab: Lab) -> None:
    """As the old client runs it."""
    job_id = lab.add_one()
    lab.put(job_id, document(JobStatus.RUNNING))
    assert lab.why(job_id).reason is WhyReason.UNLEASED
    assert lab.why(job_id).heartbeat is None


@pytest.mark.parametrize("outcome, reason", [(Outcome.DONE, WhyReason.DONE), (Outcome.PRUNED, WhyReason.PRUNED)])
def test_an_ended_job_is_told(lab: Lab, outcome: Outcome, reason: WhyReason) -> None:
    """What has ended does not run."""
    job_id = lab.add_one()
    lab.finish(lab.claim(), outcome)
    assert lab.why(job_id).reason is reason


def test_a_crashed_job_tells_its_budget_and_its_last_words(queue: Queue) -> None:
    """Counted since the last retry."""
    lab = Lab.new(queue, max_attempts=2)
    job_id = lab.add_one()
    for _ in range(2):
        lab.finish(lab.claim(), Outcome.CRASHED, reason="Traceback ...\nValueError: loss is NaN")
    why = lab.why(job_id)
    assert why.reason is WhyReason.CRASHED
    assert "it failed twice, and max_attempts is 2, the last time with: ValueError: loss is NaN" in why.sentence
    lab.retry(job_id)
    assert lab.why(job_id).reason is WhyReason.READY


def test_a_job_of_a_paused_experiment_is_told(lab: Lab) -> None:
    """Whatever else there is."""
    job_id = lab.add_one()
    lab.set_status(ExperimentStatus.DONE)
    assert lab.why(job_id).reason is WhyReason.PAUSED


def test_a_blocked_job_names_what_it_waits_for(lab: Lab) -> None:
    """With their statuses, and without those that are DONE; of many some are named."""
    done, crashed = lab.add_many(2)
    job_id = lab.add_one(depends_on=(done, crashed))
    lab.finish(lab.claim())
    lab.finish(lab.claim(), Outcome.CRASHED)
    why = lab.why(job_id)
    assert (why.reason, why.blockers) == (WhyReason.BLOCKED, (Dependency(id=crashed, status=JobStatus.CRASHED),))
    many = lab.add_one(depends_on=tuple(lab.add_many(15)))
    assert len(lab.why(many).blockers) == 10
    assert "and 5 more" in lab.why(many).sentence


def test_a_delayed_job_is_told(lab: Lab) -> None:
    """With the time at which it is due."""
    job_id = lab.add_one(not_before=4_102_444_800.0)
    why = lab.why(job_id)
    assert why.reason is WhyReason.DELAYED
    assert "2100-01-01 00:00:00 UTC" in why.sentence


def test_the_limit_is_told(queue: Queue) -> None:
    """And who is in the way."""
    lab = Lab.new(queue, max_running=1)
    _, second = lab.add_many(2)
    lab.claim(worker="node:1")
    why = lab.why(second)
    assert (why.reason, why.workers) == (WhyReason.AT_LIMIT, ("node:1",))


def test_what_is_not_there_is_not_found(lab: Lab) -> None:
    """Neither a job nor an experiment."""
    with pytest.raises(NotFoundError):
        lab.why("missing")
    with pytest.raises(NotFoundError):
        lab.queue.why("missing", "missing")


def _of(lab: Lab, job_id: str, reason: WhyReason) -> str | None:
    """Return the sentence if it is for this reason."""
    why = lab.why(job_id)
    return why.sentence if why.reason is reason else None
