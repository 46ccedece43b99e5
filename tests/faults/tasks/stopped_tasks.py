"""F30: workers that stand still for longer than their lease, while their tasks go on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import sweepstake
from sweepstake.domain.status import JobStatus
from tests.faults.fault import Fault, Figures, Place
from tests.faults.tasks.killed_tasks import check_kept
from tests.faults.tasks.site import Site, TaskWorker, open_site
from tests.kit.commands import alive
from tests.kit.lab import GRACE_SECONDS, WAIT_SECONDS, eventually

__all__ = ["FAULT"]

_LEASE: Final = 2.0
_AT_ONCE: Final = 2
#: An attempt says which process it is, and goes on until it is told to end.
_SCRIPT: Final = """
own=/shared/$BEAKER_JOB_ID.$SWEEPSTAKE_ATTEMPT
echo $SWEEPSTAKE_ATTEMPT > {results}/begun
echo $$ > $own.pid; mv $own.pid $own
until [ -e $own.end ]; do sleep 0.05; done
echo $SWEEPSTAKE_ATTEMPT > {results}/whole
touch $own.ended
"""


def stop_workers(place: Place, size: int) -> Figures:
    """Stop `size` workers until others have their jobs; half of their tasks end meanwhile, half still run."""
    latest = 0.0
    with open_site(place, contained=False, lease=_LEASE, max_lost=10_000) as site:
        site.put({"script": _SCRIPT.format(results=site.results), "datasets": [site.mount("/shared")]})
        for batch in range(0, size, _AT_ONCE):
            latest = max(latest, _stop_some(site, min(_AT_ONCE, size - batch)))
        with sweepstake.connect(place.url) as database:
            jobs = list(database.get_experiment(site.lab.name).all_jobs())
            lost = [check_kept(site, job) for job in jobs]
        assert lost == [1] * size, lost
    return {"stopped": size, "newer attempts changed": 0, "latest end of a task after its worker went on (s)": latest}


def _stop_some(site: Site, count: int) -> float:
    """Stop workers with a task each until another has their jobs; return how long the first tasks ran after that."""
    jobs = site.add(count)
    stopped = [site.start(*_options(1)) for _ in range(count)]
    before = {job: _process(site, job, 1) for job in jobs}
    for worker in stopped:
        worker.stop()
    ended = jobs[: count // 2]
    for job in ended:
        _end(site, job, 1)
        eventually(_file(site, job, 1, ".ended").exists)
    other = site.start(*_options(count), "--idle", "30")
    for job in jobs:
        _process(site, job, 2)
        assert job in ended or alive(before[job]), "a task ended with its worker, which only stood still"
    etags = {job: site.lab.job(job).etag for job in jobs}
    latest = _let_go_on(stopped, [before[job] for job in jobs])
    for job in jobs:
        record = site.lab.job(job)
        assert (record.status, record.attempt, record.etag) == (JobStatus.RUNNING, 2, etags[job]), record
        assert not _file(site, job, 1, ".ended").exists() or job in ended
        _end(site, job, 2)
    assert f"jobs run: {count} done" in other.end()
    return latest


def _options(jobs: int) -> tuple[str, ...]:
    return ("--no-container", "--slots", f"cpus={jobs},gpus=0", "--max-jobs", str(jobs))


def _let_go_on(stopped: list[TaskWorker], tasks: list[int]) -> float:
    """Let workers go on, until they have ended; return after which time none of their tasks ran."""
    began = time.monotonic()
    for worker in stopped:
        worker.go_on()
    eventually(lambda: not any(map(alive, tasks)), within=_LEASE + GRACE_SECONDS)
    latest = time.monotonic() - began
    for worker in stopped:
        worker.process.wait(WAIT_SECONDS)
    return latest


def _file(site: Site, job: str, attempt: int, suffix: str = "") -> Path:
    return site.shared / f"{job}.{attempt}{suffix}"


def _process(site: Site, job: str, attempt: int) -> int:
    """Return the process of an attempt, once it runs."""
    file = _file(site, job, attempt)
    return int(eventually(lambda: file.read_text() if file.exists() else None))


def _end(site: Site, job: str, attempt: int) -> None:
    _file(site, job, attempt, ".end").touch()


FAULT = Fault(
    number="F30",
    words="SIGSTOP of a worker, and of what renews its leases, until its lease is over and its job is another's, then "
    "SIGCONT; its task runs all the while, or ends",
    holds="the newer attempt is untouched, the older task ends within the lease + 5 s, each attempt's results are its "
    "own",
    run=stop_workers,
    unit="workers",
    small=2,
    full=40,
    small_kinds=("sqlite",),
    full_kinds=("sqlite", "http-sqlite"),
)
