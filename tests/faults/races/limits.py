"""F18: many claimers on an experiment that may run only so many jobs, and have only so many."""

import sweepstake
from tests.faults.fault import DIRECT, SERVED, Fault, Figures, Place
from tests.kit.crew import all_together

__all__ = ["FAULT"]

_MAX_RUNNING = 3
_FEW = 6
_MANY = 64
_FEW_JOBS = 30
_MANY_JOBS = 100


def drain(_: int, url: str, names: list[str], jobs: int) -> int:
    """Run what the searches propose until each has made all its jobs; return how many that were."""
    ran = 0
    with sweepstake.connect(url) as database:
        for name in names:
            experiment = database.get_experiment(name)
            while True:
                try:
                    with experiment.next_job(wait=1.0) as job:
                        running = experiment.counts().running
                        assert running <= _MAX_RUNNING, f"{running} jobs run"
                        job.results["x"] = job.hyperparameters["x"]
                    ran += 1
                except sweepstake.NoJobError:
                    if experiment.counts().done == jobs:
                        break
    return ran


def share(place: Place, size: int) -> Figures:
    """Let all processes drain `size` experiments together, and count from the history how many jobs ran at once."""
    processes, jobs = (_FEW, _FEW_JOBS) if size < 10 else (_MANY, _MANY_JOBS)
    names = [f"limited {number}" for number in range(size)]
    most = 0
    with sweepstake.connect(place.url) as database:
        for name in names:
            search = sweepstake.RandomSearch(
                name, {"x": sweepstake.Uniform(0.0, 1.0)}, max_running=_MAX_RUNNING, max_jobs=jobs
            )
            database.add_experiment(search)
        ran = sum(all_together(processes, drain, place.url, names, jobs, timeout=900.0))
        assert ran == size * jobs, f"{ran} jobs were run"
        for name in names:
            experiment = database.get_experiment(name)
            found = list(experiment.all_jobs())
            assert len(found) == jobs, f"{len(found)} jobs were made"
            most = max(most, _most_at_once([(job.record.started_at, job.record.ended_at) for job in found]))
    assert most <= _MAX_RUNNING, f"{most} jobs ran at once"
    return {"processes": processes, "experiments": size, "jobs of each": jobs, "most at once": most}


def _most_at_once(spans: list[tuple[float | None, float | None]]) -> int:
    """Return how many spans of time overlap at most; one may begin at the moment in which another ends."""
    changes = []
    for started, ended in spans:
        assert started is not None
        assert ended is not None
        changes += [(started, 1), (ended, -1)]
    running = most = 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


FAULT = Fault(
    number="F18",
    words="64 claimers on experiments of max_running=3 and max_jobs=100",
    holds="exactly 100 jobs are made, never more than 3 run",
    run=share,
    unit="experiments",
    small=1,
    full=100,
    small_kinds=DIRECT,
    full_kinds=(*DIRECT, *SERVED),
)
