"""Heartbeats: leases outlast their length while somebody holds the job."""

import gc
import threading
from collections.abc import Sequence
from contextlib import closing

import pytest

import sweepstake
from sweepstake import Job
from sweepstake.client import Heartbeat
from sweepstake.clock import SystemClock
from sweepstake.domain.records import Beat
from sweepstake.domain.status import Outcome, Signal
from sweepstake.queue.queue import Queue
from tests.kit.lab import eventually


def test_a_job_of_five_leases_keeps_its_lease(db: sweepstake.Database) -> None:
    """Nobody else gets a job while its block runs, however long."""
    exp = db.add_experiment(sweepstake.ManualSearch("short", lease=1.5))
    exp.add_job({})
    with exp.next_job() as job:
        with pytest.raises(sweepstake.NoJobError):
            exp.next_job(wait=7.5)
        job.results["x"] = 1
    assert exp.get_job(job.job_id).status == Job.DONE
    assert len(job.attempts()) == 1


def test_a_job_that_nobody_refers_to_is_claimed_again(db: sweepstake.Database) -> None:
    """The heartbeat holds jobs weakly: the lease of one that has begun and was dropped runs out."""
    exp = db.add_experiment(sweepstake.ManualSearch("short", lease=0.3))
    exp.add_job({})
    job = exp.next_job()
    job.try_run()
    first = job.job_id
    del job
    gc.collect()
    with exp.next_job(wait=10) as job:
        assert job.job_id == first
    assert [attempt.outcome for attempt in job.attempts()] == [Outcome.LEASE_LOST, Outcome.DONE]


def test_a_running_job_learns_that_it_was_pruned(db: sweepstake.Database) -> None:
    """The next heartbeat tells the worker; it may stop at once."""
    exp = db.add_experiment(sweepstake.ManualSearch("short", lease=0.3))
    exp.add_job({})
    with exp.next_job() as job:
        exp.get_job(job.job_id).prune()
        eventually(lambda: job.prune_asked or None)
    assert job.status == Job.PRUNED


def test_threads_of_one_process_share_a_heartbeat(db: sweepstake.Database) -> None:
    """Jobs held by several threads all keep their leases."""
    exp = db.add_experiment(sweepstake.ManualSearch("short", lease=1.5))
    exp.add_jobs({"i": i} for i in range(4))
    barrier = threading.Barrier(4)

    def work() -> None:
        with exp as job:
            barrier.wait(120)
            threading.Event().wait(4)
            job.results["i"] = job.hyperparameters["i"]

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(job.results["i"] for job in exp.all_jobs(status="DONE")) == [0, 1, 2, 3]
    assert all(job.attempt == 1 for job in exp.all_jobs())


class Beats(Queue):
    """A queue in which every attempt was pruned, and which counts how often it was asked."""

    def __init__(self) -> None:
        self.count = 0

    def heartbeat(self, attempts: Sequence[str]) -> tuple[Beat, ...]:
        """Answer for each."""
        self.count += 1
        return tuple(Beat(attempt, Signal.PRUNE) for attempt in attempts)


class Helpless:
    """Somebody who cannot do as he is told."""

    def receive(self, signal: Signal) -> None:
        """Fail, as on a machine that has no room for another thread."""
        raise RuntimeError(signal)


def test_one_who_cannot_heed_a_signal_does_not_stop_the_heartbeat() -> None:
    """The leases of the others are renewed all the same."""
    beats, holder = Beats(), Helpless()
    with closing(Heartbeat(beats, SystemClock())) as heartbeat:
        heartbeat.add("first", 0.03, holder)
        eventually(lambda: beats.count or None, within=5)
        heartbeat.add("second", 0.03, holder)
        eventually(lambda: beats.count > 1 or None, within=5)


def test_a_heartbeat_that_could_not_start_starts_with_the_next_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that had no room for its thread for a moment does not leave the process without heartbeats."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    beats, holder = Beats(), Helpless()
    with closing(Heartbeat(beats, SystemClock())) as heartbeat:
        with monkeypatch.context() as crowded, pytest.raises(RuntimeError):
            crowded.setattr(threading.Thread, "start", refuse)
            heartbeat.add("first", 0.03, holder)
        heartbeat.add("second", 0.03, holder)
        eventually(lambda: beats.count or None, within=5)
