"""F2: workers that are killed in the middle of whatever they do."""

import random
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from itertools import pairwise
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import sweepstake
from sweepstake.domain.records import AttemptRecord
from sweepstake.domain.status import Outcome
from tests.faults.fault import DIRECT, SERVED, Fault, Figures, Place
from tests.faults.processes.hands import Hand
from tests.kit.lab import GRACE_SECONDS, WAIT_SECONDS

__all__ = ["FAULT"]

_NAME = "kills"
_WORKERS = 6
_LEASE = 1.0
#: A job takes at most this long, so that its lease is never renewed: it counts from the claim.
_JOB_SECONDS = 0.03
_JOBS_PER_KILL = 4
#: What the clocks of two statements may differ by.
_SLACK = 0.05


def work(talk: "Connection[Any, Any]", url: str, log: Path, seed: int) -> None:
    """Run jobs until all are done; say when one was claimed, and write to the log when it was acknowledged."""
    chance = random.Random(seed)
    with sweepstake.connect(url) as database, log.open("ab", buffering=0) as acknowledged:
        experiment = database.get_experiment(_NAME)
        while True:
            try:
                job = experiment.next_job(wait=2.0)
            except sweepstake.NoJobError:
                if experiment.counts().running == 0:
                    return
                continue
            talk.send(job.job_id)
            with suppress(sweepstake.LeaseLostError):
                with job:
                    time.sleep(chance.random() * _JOB_SECONDS)
                    job.results["square"] = job.hyperparameters["i"] ** 2
                acknowledged.write(f"{job.job_id}\n".encode())


def kill_workers(place: Place, size: int) -> Figures:
    """Kill `size` workers while they work four times as many jobs, and look how each job came to its end."""
    log = place.folder / "acknowledged"
    log.touch()
    with sweepstake.connect(place.url) as database, ExitStack() as hands:
        experiment = database.add_experiment(sweepstake.ManualSearch(_NAME, lease=_LEASE, max_lost=10_000))
        experiment.add_jobs({"i": i} for i in range(size * _JOBS_PER_KILL))
        for hand in _killed_now_and_then(place.url, log, size, hands):
            hand.end(within=10 * WAIT_SECONDS)
        jobs = {job.job_id: job for job in experiment.all_jobs()}
        for i, job in enumerate(jobs.values()):
            assert (job.status, job.results) == ("DONE", {"square": i * i}), job
        for job_id in log.read_text().split():
            assert job_id in jobs, f"{job_id} was acknowledged, and is gone"
        waits = [late for job in jobs.values() if job.attempt > 1 for late in _waits(job.attempts())]
    assert waits, "no kill cost an attempt"
    return {
        "kills": size,
        "jobs": len(jobs),
        "attempts lost": len(waits),
        "latest claim after the lease (s)": max(waits),
    }


def _killed_now_and_then(url: str, log: Path, kills: int, hands: ExitStack) -> Iterable[Hand]:
    """Kill workers, and start others instead; return those that are left. Half of them have a job at that moment."""
    chance = random.Random(kills)
    crew = [hands.enter_context(Hand(work, url, log, seed)) for seed in range(_WORKERS)]
    for number in range(kills):
        i = chance.randrange(_WORKERS)
        if number % 2:
            with suppress(ConnectionError):
                while crew[i].talk.poll() and crew[i].hear() is not None:
                    pass  # what it said of jobs that have ended since
                crew[i].hear()
        else:
            wait([hand.talk for hand in crew], timeout=chance.random() * 0.1)
        crew[i].kill()
        crew[i] = hands.enter_context(Hand(work, url, log, _WORKERS + number))
    return crew


def _waits(attempts: Iterable[AttemptRecord]) -> list[float]:
    """Return how long after the end of its lease each lost attempt was followed by another, by the store's times."""
    waits = []
    for lost, following in pairwise(attempts):
        assert lost.outcome is Outcome.LEASE_LOST, lost
        assert lost.ended_at is not None
        assert lost.lease is not None
        late = following.started_at - lost.started_at - lost.lease
        assert lost.ended_at <= following.started_at + _SLACK, f"{lost} overlaps {following}"
        assert -_SLACK <= late <= GRACE_SECONDS, f"claimed {late:.3f} s after the lease of {lost}"
        waits.append(late)
    return waits


FAULT = Fault(
    number="F2",
    words="kill -9 of random workers, over four jobs for each kill",
    holds="all jobs end DONE, what was acknowledged is there, and a lost job is claimed within its lease + 5 s",
    run=kill_workers,
    unit="kills",
    small=10,
    full=500,
    full_kinds=(*DIRECT, *SERVED),
)
