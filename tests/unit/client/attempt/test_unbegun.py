"""Jobs that were claimed and whose blocks are never entered: by whatever way that happens, they go back."""

import gc
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

import sweepstake
from sweepstake import Job
from sweepstake.client import Heartbeat
from sweepstake.domain.records import Beat
from sweepstake.domain.status import Outcome, Signal
from sweepstake.queue.queue import Queue
from tests.kit.clocks import HandClock
from tests.kit.lab import eventually
from tests.kit.scripts import run_script


def outcomes(exp: sweepstake.Experiment, job_id: str) -> list[Outcome | None]:
    """Return how the attempts of a job ended."""
    return [attempt.outcome for attempt in exp.get_job(job_id).attempts()]


def test_break_before_the_block_gives_the_job_back(exp: sweepstake.ManualSearch) -> None:
    """A loop that is over its time leaves nothing RUNNING."""
    exp.add_jobs([{}, {}])
    for _job in exp.claim_jobs():
        break
    assert (exp.counts().running, exp.counts().ready) == (0, 2)


def test_an_exception_before_the_block_gives_the_job_back(exp: sweepstake.ManualSearch) -> None:
    """A data set that cannot be built costs the job nothing."""
    exp.add_jobs([{}, {}])
    with pytest.raises(KeyboardInterrupt):
        for _job in exp.claim_jobs():
            raise KeyboardInterrupt
    assert (exp.counts().running, exp.counts().ready) == (0, 2)


def test_a_job_passed_over_goes_back_at_once_and_comes_no_more(exp: sweepstake.ManualSearch) -> None:
    """`continue` skips a configuration: others may have it while this loop goes on, which works off the rest."""
    exp.add_jobs({"i": i} for i in range(6))
    ran, ready = [], []
    for job in exp.claim_jobs():
        if job.hyperparameters["i"] in (0, 1, 3):
            continue
        with job:
            ran.append(job.hyperparameters["i"])
            ready.append(exp.counts().ready)
    assert (ran, ready) == ([2, 4, 5], [5, 4, 3])
    assert (exp.counts().running, exp.counts().ready, exp.counts().done) == (0, 3, 3)
    assert all(set(outcomes(exp, job.job_id)) == {Outcome.RELEASED} for job in exp.all_jobs(status="QUEUED"))


def test_a_loop_that_passes_everything_over_ends(exp: sweepstake.ManualSearch) -> None:
    """At once, or when its wait is over."""
    exp.add_jobs([{}, {}])
    assert sum(1 for _ in exp.claim_jobs()) == 2
    assert sum(1 for _ in exp.claim_jobs(wait=0.2)) == 2
    assert exp.counts().ready == 2


def test_a_job_nobody_refers_to_goes_back(exp: sweepstake.ManualSearch) -> None:
    """Long before its lease would end."""
    exp.add_job({}, job_id="one")
    exp.next_job()
    gc.collect()
    eventually(lambda: exp.counts().ready or None)
    assert outcomes(exp, "one") == [Outcome.RELEASED]


def test_closing_the_connection_gives_back(tmp_path: Path) -> None:
    """Also a job that was claimed with the report before."""
    url = f"sqlite:///{tmp_path}/store.db"
    with sweepstake.connect(url) as database:
        exp = database.add_experiment(sweepstake.ManualSearch("exp"))
        exp.add_jobs([{}, {}, {}])
        kept = exp.next_job()
        loop = exp.claim_jobs()
        with next(loop):
            pass
        assert exp.counts().running == 2
    with sweepstake.connect(url) as database:
        assert database.get_experiment("exp").counts().ready == 2
    assert kept.attempt == 1


@pytest.mark.parametrize(
    "body",
    [
        "job = exp.next_job()",
        "loop = exp.claim_jobs(); job = next(loop)",
        "loop = exp.claim_jobs()\nwith next(loop): pass",
        "job = exp.next_job(); raise KeyboardInterrupt",
        "job = exp.next_job(); sys.exit(3)",
        "for job in exp.claim_jobs(): 1 / 0",
    ],
    ids=["claimed", "generator kept", "claimed ahead", "Ctrl-C", "exit", "error"],
)
def test_the_end_of_the_program_gives_back(exp: sweepstake.ManualSearch, tmp_path: Path, body: str) -> None:
    """However it ends, and whatever variables still refer to the job."""
    exp.add_jobs([{}, {}])
    begin = "import sys, sweepstake\nexp = sweepstake.connect(sys.argv[1]).get_experiment('exp')\n"
    run_script(begin + body, f"sqlite:///{tmp_path}/store.db")
    counts = exp.counts()
    assert (counts.running, counts.ready + counts.done) == (0, 2)
    ended = {outcome for job in exp.all_jobs() for outcome in outcomes(exp, job.job_id)}
    assert ended - {Outcome.DONE} == {Outcome.RELEASED}


def test_neither_budget_is_touched(db: sweepstake.Database) -> None:
    """However often a job is claimed and not begun."""
    exp = db.add_experiment(sweepstake.ManualSearch("strict", max_lost=0, max_preemptions=0, max_attempts=1))
    exp.add_job({}, job_id="one")
    for _ in range(3):
        for _job in exp.claim_jobs():
            break
    assert exp.get_job("one").status == Job.QUEUED


class Beats(Queue):
    """A queue that renews everything, and remembers what."""

    def __init__(self) -> None:
        self.renewed: list[tuple[str, ...]] = []

    def heartbeat(self, attempts: Sequence[str]) -> tuple[Beat, ...]:
        """Answer for each."""
        self.renewed.append(tuple(attempts))
        return tuple(Beat(attempt, Signal.CONTINUE) for attempt in attempts)


class Nobody:
    """Somebody who holds a lease."""

    def receive(self, signal: Signal) -> None:
        """Do nothing."""


def test_a_job_that_does_not_begin_within_a_minute_is_renewed_no_more() -> None:
    """It is given back, by the heartbeat itself; one that has begun is renewed for as long as it takes."""
    clock, queue, given = HandClock(uptime=0.0), Beats(), []
    begun, idle = Nobody(), Nobody()
    with closing(Heartbeat(queue, clock)) as heartbeat:
        assert heartbeat.add("begun", 30.0, begun, lambda: given.append("begun")).begin()
        lease = heartbeat.add("idle", 30.0, idle, lambda: given.append("idle"))

        def pass_time(until: float) -> None:
            clock.uptime = until
            heartbeat.look()

        pass_time(59.0)
        eventually(lambda: any("idle" in each for each in queue.renewed))
        assert not given
        pass_time(60.5)
        eventually(lambda: given or None)
        assert not lease.begin()
        count = len(queue.renewed)
        pass_time(120.0)
        eventually(lambda: len(queue.renewed) > count)
        assert (given, queue.renewed[-1]) == (["idle"], ("begun",))


def test_a_job_given_back_meanwhile_is_claimed_again_by_its_block(exp: sweepstake.ManualSearch) -> None:
    """Who comes late gets it if nobody else has it, and else hears who does."""
    exp.add_job({}, job_id="one")
    late, later = exp.next_job(), None
    exp.session.heartbeat.give_back_idle()
    later = exp.get_job("one")
    with late, pytest.raises(sweepstake.UnsafeUpdateError, match="has held it"), later:
        raise AssertionError("entered")
    assert outcomes(exp, "one") == [Outcome.RELEASED, Outcome.DONE]


@pytest.mark.parametrize("begin", [lambda job: job.put(), lambda job: job.try_run(), lambda job: job.__enter__()])
def test_who_works_by_hand_has_begun(exp: sweepstake.ManualSearch, begin: Callable[[Job], object]) -> None:
    """A put by the holder, or `try_run`, says that the job runs; so does its block."""
    exp.add_job({})
    job = exp.next_job()
    begun = begin(job)
    exp.session.heartbeat.give_back_idle()
    assert exp.get_job(job.job_id).status == Job.RUNNING
    job.release()
    if begun is job:
        job.__exit__(None, None, None)
    assert json.dumps(outcomes(exp, job.job_id)) == '["released"]'
