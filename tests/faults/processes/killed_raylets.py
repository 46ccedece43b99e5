"""F34: raylets of a Ray cluster that are killed and started again while workers run on it."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import sweepstake
from sweepstake import Experiment
from sweepstake.domain.status import Outcome
from tests.faults.fault import Fault, Figures, Place
from tests.kit.lab import WAIT_SECONDS, eventually
from tests.kit.raylets import Raylets, left_of, processes_of, raylets

__all__ = ["FAULT"]

_NAME = "raylets"
_LEASE = 10.0
#: CPUs of each of the two nodes.
_CPUS = 2
_JOBS_PER_KILL = 25
#: Says so in a file when another of the same job runs; the lock is held until all of its processes have ended.
_COMMAND = 'exec 9>"$0/$SWEEPSTAKE_JOB_ID"; flock -n 9 || echo "$SWEEPSTAKE_JOB_ID" >> "$0/twice"; sleep 0.4'


def kill_raylets(place: Place, size: int) -> Figures:
    """Run `size` jobs on two nodes, and kill the raylet of one after the other, each while jobs run on it."""
    locks = place.folder / "locks"
    locks.mkdir()
    started = time.monotonic()
    with sweepstake.connect(place.url) as database, raylets(_CPUS, _CPUS) as cluster:
        experiment = database.add_experiment(sweepstake.ManualSearch(_NAME, lease=_LEASE, max_lost=1000))
        experiment.add_jobs(({"i": i} for i in range(size)), progress=False)
        with _on_ray(place, cluster, locks) as process:
            kills, latest = _kill_now_and_then(experiment, cluster, locks, size, process)
            process.communicate(timeout=10 * WAIT_SECONDS + size)
        assert process.returncode == 0, (process.returncode, _told(place))
        assert left_of(cluster) == {"actors": [], "groups": []}, "the cluster has nothing of ours left"
        assert not processes_of(locks), "no worker and no command is left on the nodes"
        attempts = [attempt for job in experiment.all_jobs() for attempt in job.attempts()]
        again = [attempt for attempt in attempts if attempt.outcome is not Outcome.DONE]
        not_done = [(job.job_id, job.status, job.attempts()) for job in experiment.all_jobs() if job.status != "DONE"]
        assert not not_done, (not_done[:5], _told(place))
    assert len(attempts) - len(again) == size, "each is DONE once"
    assert not (locks / "twice").exists(), (locks / "twice").read_text()
    return {
        "jobs": size,
        "raylets killed": kills,
        "attempts given back": sum(attempt.outcome is not Outcome.LEASE_LOST for attempt in again),
        "attempts lost": sum(attempt.outcome is Outcome.LEASE_LOST for attempt in again),
        "latest end of a dead node's commands (s)": latest,
        "seconds in all": time.monotonic() - started,
    }


def _on_ray(place: Place, cluster: Raylets, locks: Path) -> "subprocess.Popen[str]":
    program = [sys.executable, "-c", "from sweepstake.cli import main; main()"]
    options = ["--on", "ray", "--idle", "2s", "--grace", "2", "--allow-empty-results"]
    with (place.folder / "told").open("w") as told:
        return subprocess.Popen(
            [*program, "worker", _NAME, *options, "--", "sh", "-c", _COMMAND, str(locks)],
            env={**os.environ, **place.machine(), "SWEEPSTAKE_URL": place.url, "RAY_ADDRESS": cluster.address},
            stdin=subprocess.DEVNULL,
            stderr=told,
            text=True,
        )


def _told(place: Place) -> str:
    """Return the last that the command said."""
    return (place.folder / "told").read_text()[-4000:]


def _kill_now_and_then(
    experiment: Experiment, cluster: Raylets, locks: Path, size: int, process: "subprocess.Popen[str]"
) -> tuple[int, float]:
    """Kill a raylet for every so many jobs; return how many, and for how long anything of one ran on at most."""
    kills, latest, after = 0, 0.0, min(_JOBS_PER_KILL, size) // 3

    def reached() -> bool:
        return experiment.counts().done >= after or process.poll() is not None

    while after <= size - 2 * _CPUS:
        eventually(reached, within=10 * WAIT_SECONDS)
        if process.poll() is not None:
            break
        died = time.monotonic()
        raylet = cluster.kill(cluster.nodes()[kills % 2])
        kills += 1
        eventually(partial(_are_gone, locks, raylet))
        latest = max(latest, time.monotonic() - died)
        cluster.add(num_cpus=_CPUS)
        after = experiment.counts().done + _JOBS_PER_KILL
    return kills, latest


def _are_gone(locks: Path, raylet: int) -> bool:
    return not processes_of(locks, raylet)


FAULT = Fault(
    number="F34",
    words="kill -9 of raylets of a Ray cluster, and others in their place, while `worker --on ray` runs jobs on it",
    holds="every job is DONE once, none runs twice at a time, and nothing is left on the cluster or its nodes",
    run=kill_raylets,
    unit="jobs",
    small=12,
    full=500,
    small_kinds=(),  # `tests/integration/clusters/test_ray.py` kills a raylet in CI
    full_kinds=("sqlite", "postgres"),
)
