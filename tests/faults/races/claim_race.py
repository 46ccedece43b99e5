"""F1: many processes that claim from one queue."""

from collections import Counter

import sweepstake
from tests.faults.fault import DIRECT, SERVED, Fault, Figures, Place
from tests.kit.crew import all_together

__all__ = ["FAULT"]

#: Of the small size; the full one has 64.
_FEW = 6
_MANY = 64
_NAME = "race"


def drain(_: int, url: str) -> list[str]:
    """Work the queue empty as a training script does, and return the ids of the jobs."""
    with sweepstake.connect(url) as database:
        done = []
        for job in database.get_experiment(_NAME).claim_jobs():
            with job:
                job.results["square"] = job.hyperparameters["i"] ** 2
                done.append(job.job_id)
        return done


def race(place: Place, size: int) -> Figures:
    """Let processes drain `size` jobs, and hold what each of them ran against what the store recorded."""
    processes = _FEW if size < 1000 else _MANY
    with sweepstake.connect(place.url) as database:
        experiment = database.add_experiment(sweepstake.ManualSearch(_NAME))
        ids = experiment.add_jobs({"i": i} for i in range(size))
        done = [job_id for some in all_together(processes, drain, place.url, timeout=900.0) for job_id in some]
        assert Counter(done) == Counter(ids), f"{len(done)} runs of {len(set(done))} jobs among {size}"
        for i, job in enumerate(experiment.all_jobs()):
            found = (job.job_id, job.status, job.attempt, job.results)
            assert found == (ids[i], "DONE", 1, {"square": i * i}), found
    return {"processes": processes, "jobs": size, "run twice": 0, "lost": 0}


FAULT = Fault(
    number="F1",
    words="64 processes claim from one queue at once",
    holds="no job is run twice, none is lost",
    run=race,
    unit="jobs",
    small=300,
    full=10_000,
    small_kinds=(*DIRECT, *SERVED),
    full_kinds=(*DIRECT, *SERVED),
)
