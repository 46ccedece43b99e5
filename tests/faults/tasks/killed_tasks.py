"""F27 and F28: workers that are killed while they run tasks, on the host and in podman."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from attrs import define, field

import sweepstake
from sweepstake import Job
from sweepstake.domain.status import Outcome
from tests.faults.fault import Fault, Figures, Place
from tests.faults.tasks.site import Site, TaskWorker, open_site
from tests.kit.lab import GRACE_SECONDS, WAIT_SECONDS, eventually

__all__ = ["CONTAINED", "FAULT", "check_kept"]

_LEASE: Final = 3.0
_WORKERS: Final = 3
#: So many jobs are always ready.
_READY: Final = 6
#: Each task leaves a process that left its group, and says at its beginning and at its end which attempt it is.
_SCRIPT: Final = """
echo $SWEEPSTAKE_ATTEMPT > {results}/begun
(setsid sleep 600 > /dev/null 2>&1 &) || true
sleep $SWEEPSTAKE_HP_PAUSE
echo $SWEEPSTAKE_ATTEMPT > {results}/whole
"""


@define
class _Watch:
    """Looks, on a thread of its own, until when something is left of workers that were killed."""

    site: Site
    pending: list[tuple[float, TaskWorker, set[str]]] = field(factory=list)
    latest: float = 0.0
    _over: threading.Event = field(factory=threading.Event)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look within the block, and go on until nothing is left, or for so long that it is a fault."""
        thread = threading.Thread(target=self._go_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(WAIT_SECONDS)
        assert not self.pending, [(worker.everything(), names) for _, worker, names in self.pending]

    def wait(self) -> None:
        """Wait until nothing is left of those that were killed."""
        eventually(lambda: not self.pending)

    def _go_on(self) -> None:
        until = float("inf")
        while time.monotonic() < until and not (self._over.is_set() and not self.pending):
            there = self.site.containers()
            for each in list(self.pending):
                killed, worker, names = each
                if not worker.everything() and not names & there:
                    self.latest = max(self.latest, time.monotonic() - killed)
                    self.pending.remove(each)
            if self._over.wait(0.1) and until == float("inf"):
                until = time.monotonic() + _LEASE + 2 * GRACE_SECONDS


def kill_on_host(place: Place, size: int) -> Figures:
    """Kill `size` workers while they run tasks on the host."""
    return _kill_workers(place, size, contained=False)


def kill_in_podman(place: Place, size: int) -> Figures:
    """Kill `size` workers while they run tasks in podman."""
    return _kill_workers(place, size, contained=True)


def _kill_workers(place: Place, size: int, *, contained: bool) -> Figures:
    """Kill workers, every third with the process that renews its leases, and look what is left of their tasks."""
    chance = random.Random(size)
    with open_site(place, contained=contained, lease=_LEASE, max_lost=10_000) as site:
        site.put({"script": _SCRIPT.format(results=site.results)})
        jobs: list[str] = []
        watch = _Watch(site)
        with watch.watching():
            crew = [_start(site) for _ in range(_WORKERS)]
            for number in range(size):
                also = number % 3 == 2
                i = _one_at_work(site, crew, jobs, chance, least=2 if also else 1)
                time.sleep(chance.random() * 0.5)
                names = crew[i].containers()
                killed = crew[i].kill(heartbeats=also)
                watch.pending.append((killed, crew[i], names | crew[i].containers()))
                if also:
                    watch.wait()  # for the worker that ends it, which must live so long
                crew[i] = _start(site)
            site.wait_done(len(jobs), within=WAIT_SECONDS + 2 * len(jobs))
            for worker in crew:
                worker.process.terminate()
            for worker in crew:
                worker.process.wait(WAIT_SECONDS)
        assert not site.containers(), "a container is left of a worker that ended by itself"
        with sweepstake.connect(place.url) as database:
            all_jobs = list(database.get_experiment(site.lab.name).all_jobs())
            assert sorted(job.job_id for job in all_jobs) == sorted(jobs)
            lost = sum(check_kept(site, job) for job in all_jobs)
    assert lost, "no kill cost an attempt"
    assert watch.latest <= _LEASE + GRACE_SECONDS, f"something was left {watch.latest:.1f} s after a kill"
    return {
        "kills": size,
        "jobs": len(jobs),
        "attempts lost": lost,
        "left of the last process or container (s)": round(watch.latest, 2),
    }


def _start(site: Site) -> TaskWorker:
    return site.start("--slots", "cpus=2,gpus=0", *([] if site.engine else ["--no-container"]))


def _one_at_work(site: Site, crew: Sequence[TaskWorker], jobs: list[str], chance: random.Random, *, least: int) -> int:
    """Return which of the workers to kill, once so many have begun a job; until then there are always more.

    What is left of a worker and of what renews its leases is ended by another worker, which must be there.
    """

    def one() -> int | None:
        if site.lab.queue.count_jobs(site.lab.name).ready < _READY:
            jobs.extend(site.add(1, PAUSE=round(0.3 + chance.random(), 2))[0] for _ in range(_READY))
        found = [i for i, worker in enumerate(crew) if "begins" in worker.says()]
        return chance.choice(found) if len(found) >= least else None

    return eventually(one)


def check_kept(site: Site, job: Job) -> int:
    """Check that a job was done once, and that what is kept of each attempt is its own; return how many were lost.

    An attempt says which one it is in its files `begun` and `whole`.
    """
    assert job.status == "DONE", job
    *lost, done = job.attempts()
    assert done.outcome is Outcome.DONE, done
    assert {attempt.outcome for attempt in lost} <= {Outcome.LEASE_LOST}, lost
    for attempt in (*lost, done):
        kept = {file.path for file in job.files(attempt.number).files}
        folder = job.fetch(site.folder / "fetched" / f"{job.job_id}-{attempt.number}", attempt.number)
        told = {path: (folder / path).read_text().strip() for path in kept}
        assert set(told.values()) <= {str(attempt.number), ""}, f"of attempt {attempt.number} is kept {told}"
        assert attempt is not done or kept == {"begun", "whole"}, kept
    return len(lost)


FAULT = Fault(
    number="F27",
    words="kill -9 of workers that run tasks on the host, a third with what renews their leases; tasks fork daemons",
    holds="every job ends DONE once, no process is left after the lease + 5 s, each attempt's results are its own",
    run=kill_on_host,
    unit="kills",
    small=3,
    full=200,
    small_kinds=("sqlite",),
    full_kinds=("sqlite", "http-sqlite"),
)
CONTAINED = Fault(
    number="F28",
    words="kill -9 of workers that run tasks in podman, a third with what renews their leases",
    holds="every job ends DONE once, no container is left after the lease + 5 s, each attempt's results are its own",
    run=kill_in_podman,
    unit="kills",
    small=3,
    full=200,
    small_kinds=("sqlite",),
    full_kinds=("sqlite", "http-sqlite"),
    podman=True,
)
