"""When the duty of a batch is over, as a worker in this process finds it, on a file."""

import time
from typing import Any

import pytest

import sweepstake
from sweepstake import ManualSearch
from sweepstake.domain.batches.records import BatchDraft, BatchStatus
from sweepstake.domain.status import Outcome
from sweepstake.worker.allocation.deadline import Deadline
from sweepstake.worker.allocation.duty import BatchDuty
from sweepstake.worker.attempt import Plan
from sweepstake.worker.duty import CommandDuty
from sweepstake.worker.pacing.agenda import Options, Summary
from sweepstake.worker.running import Worker
from sweepstake.worker.terminal import Terminal
from tests.kit.commands import RESULTS
from tests.kit.heartbeats import NoHeartbeats

#: Seconds that no test waits, and some that it does.
LONG, SHORT = 600.0, 0.3


@pytest.fixture
def exp(db: sweepstake.Database) -> ManualSearch:
    """An experiment without jobs, which are tried twice."""
    return db.add_experiment(ManualSearch("exp", max_attempts=2))


def work(exp: ManualSearch, *jobs: sweepstake.Job, script: str = RESULTS, nodes: int = 1, **how: Any) -> Summary:
    """Let a worker run a shell script for the jobs of a batch."""
    queue, name = exp.session.queue, exp.reference
    ids = tuple(job.job_id for job in jobs)
    queue.intend_batches(name, [BatchDraft(id="b", jobs=ids, backend="local", nodes=nodes)])
    deadline = how.pop("deadline", Deadline())
    duty = BatchDuty(CommandDuty(("sh", "-c", script), {}, 1), queue.begin_batch(name, "b", 1, "here"), deadline, **how)
    plan = Plan(allow_empty=False, grace=60.0, terminal=Terminal({}, several=False))
    options = Options(idle=LONG, deadline=deadline)
    return Worker(exp.session, [exp], duty, plan, options, NoHeartbeats(), lambda _: None).run()


def test_it_is_over_with_the_last_job(exp: ManualSearch) -> None:
    """Nothing is waited for, though the worker waits for jobs that may come."""
    assert work(exp, exp.add_job({}), exp.add_job({}), idle=LONG).outcomes == {Outcome.DONE: 2}


def test_what_crashed_is_tried_again(exp: ManualSearch) -> None:
    """As often as it may be."""
    assert work(exp, exp.add_job({}), script="exit 3", idle=LONG).outcomes == {Outcome.CRASHED: 2}


def test_jobs_that_wait_for_each_other_follow(exp: ManualSearch) -> None:
    """Also where the order says otherwise."""
    first = exp.add_job({})
    second = exp.add_job({}, depends_on=[first])
    assert work(exp, second, first, idle=LONG).outcomes == {Outcome.DONE: 2}


def test_a_job_that_is_delayed_is_waited_for_a_while(exp: ManualSearch) -> None:
    """No longer than an allocation may be idle; with others it may fill the time."""
    job, other = exp.add_job({}, not_before=time.time() + LONG), exp.add_job({})
    assert work(exp, job, idle=SHORT, fill=True).outcomes == {Outcome.DONE: 1}
    assert [exp.get_job(each.job_id).status for each in (job, other)] == ["QUEUED", "DONE"]


def test_a_paused_experiment_is_left(exp: ManualSearch) -> None:
    """Soon, as its jobs might be ready again."""
    job = exp.add_job({})
    exp.pause()
    assert not work(exp, job, idle=SHORT).outcomes


@pytest.mark.parametrize("nodes, idle", [(1, LONG), (2, SHORT)])
def test_what_waits_for_others_is_left(exp: ManualSearch, nodes: int, idle: float) -> None:
    """At once where nobody else runs the batch; another node of the allocation might let it begin."""
    held = exp.add_job({})
    blocked = exp.add_job({}, depends_on=[held])
    exp.session.queue.claim(exp.reference, "another", ids=[held.job_id])
    assert not work(exp, held, blocked, nodes=nodes, idle=idle).outcomes


def test_a_batch_that_was_ended_is_left(exp: ManualSearch) -> None:
    """Its jobs are free for other batches."""
    job = exp.add_job({}, not_before=time.time() + LONG)

    class Ending(Deadline):
        """Lets somebody end the batch before the first look."""

        def fits(self, seconds: float, now: float) -> bool:
            exp.session.queue.note_batch(exp.reference, "b", 1, status=BatchStatus.ENDED)
            return super().fits(seconds, now)

    assert not work(exp, job, idle=LONG, deadline=Ending()).outcomes
