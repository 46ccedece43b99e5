"""F32: a cluster that is broken in every way while a sweep runs there, and whoever submits is killed."""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

import sweepstake
from sweepstake.batch.settling import all_batches
from sweepstake.domain.status import JobStatus, Outcome
from tests.faults.clusters.ground import Ground, SeenWorker, Started
from tests.faults.fault import Fault, Figures, Place
from tests.kit.lab import WAIT_SECONDS, eventually
from tests.kit.slurm import Slurm, slurm

__all__ = ["FAULT"]

_LEASE: Final = 5.0
#: Of each this part of the jobs.
_JOBS_PER_BATCH: Final = 25
_JOBS_PER_FAULT: Final = 12
#: Seconds after its last job within which an allocation must end.
_IDLE: Final = 60.0
#: Whoever submits is killed at these moments, one after another, if there is so much to do; see `tests.kit.dying`.
_MOMENTS: Final = 12
#: In a small run it is killed once, and where nobody must wait until an intent is given up: it was submitted.
_LATE: Final = 8
_SMALL: Final = 100
_PLAN: Final = ("--backend", "slurm", "--capacity", "nodes=1,cpus=4", "--estimate", "1s")
#: Seconds that a worker may be seen after the next has begun to load: it is looked for now and then.
_SLACK: Final = 1.0
#: Seconds for all of it, for each job.
_PATIENCE: Final = 1.5


def break_cluster(place: Place, size: int) -> Figures:
    """Run a sweep of so many jobs by `batch submit`, and another by `batch keep`, on a cluster that is broken."""
    figures = defaultdict[str, float](float)
    with slurm() as cluster:
        for name, work in (("submitted", _submit), ("kept", _keep)):
            for what, number in _sweep(place, cluster, name, size, work).items():
                figures[what] = max(figures[what], number) if "(s)" in what else figures[what] + number
    return {what: number if "(s)" in what else int(number) for what, number in figures.items()}


def _sweep(place: Place, cluster: Slurm, name: str, size: int, work: Callable[[Ground, int], None]) -> Figures:
    chance = random.Random(f"{name} {size}")
    with sweepstake.connect(place.url) as database:
        experiment = database.add_experiment(sweepstake.ManualSearch(name, lease=_LEASE, max_lost=10_000))
        longest = 0.5 if size < _SMALL else 2.0
        experiment.add_jobs({"pause": round(chance.uniform(0.1, longest), 2)} for _ in range(size))
        variables = {**place.machine(), **cluster.environment, "SWEEPSTAKE_URL": place.url}
        ground = Ground(cluster, experiment, variables, place.folder / name, chance)
        with ground.watching():
            work(ground, size)
            until = time.time() + _IDLE
            eventually(lambda: not ground.alive(), within=_IDLE + 5)
            assert time.time() < until + 5
            eventually(lambda: not waiting(cluster), within=WAIT_SECONDS)
        return {**_judged(ground), **ground.broken}


def waiting(cluster: Slurm) -> list[str]:
    """Return the allocations that have not begun.

    Of those that ended just before it was killed Slurm may say RUNNING for minutes: processes alone tell what runs.
    """
    return cluster.run("squeue", "-h", "-r", "-t", "PENDING", "-o", "%i", check=False).split()


def _submit(ground: Ground, size: int) -> None:
    """Submit again and again, as somebody does who does not know whether it was done, and is killed all the time."""
    count, counts = size // _JOBS_PER_BATCH or 2, ground.experiment.counts
    until = time.monotonic() + WAIT_SECONDS + _PATIENCE * size
    broken, kills = 0, 0
    packing: Sequence[str] = ("--count", str(count))
    while counts().done < size:
        assert time.monotonic() < until, f"{counts()}: {(ground.folder / 'told').read_text()[-2000:]}"
        moment = _moment(kills, size)
        process = ground.start(moment, "batch", "submit", ground.experiment.name, *_PLAN, *packing, *ground.command)
        killed = process.wait(WAIT_SECONDS) < 0
        kills += killed
        ground.broken["submitters killed"] += killed
        if list(all_batches(ground.experiment)):
            packing = ("--duration", "8s")
        for _ in range(2):
            broken += _break(ground, broken, size)
            time.sleep(0.5 + ground.chance.random())


def _keep(ground: Ground, size: int) -> None:
    """Keep four allocations up, by somebody who is killed all the time and started again."""
    until = time.monotonic() + WAIT_SECONDS + _PATIENCE * size
    broken, kills = 0, 0
    limits = ("--max-allocations", "4", "--duration", "8s")
    code: int | None = -1
    while code != 0:
        moment = _moment(kills, size)
        process = ground.start(moment, "batch", "keep", ground.experiment.name, *_PLAN, *limits, *ground.command)
        while (code := process.poll()) is None:
            if time.monotonic() > until:
                process.kill()
                raise AssertionError(f"{ground.experiment.counts()}: {(ground.folder / 'told').read_text()[-2000:]}")
            broken += _break(ground, broken, size)
            time.sleep(0.5 + ground.chance.random())
        kills += code < 0
        ground.broken["submitters killed"] += code < 0
    assert ground.experiment.counts().done == size


def _break(ground: Ground, broken: int, size: int) -> int:
    """Break something, if that was not done often enough; tell how often it was. The last time all is mended."""
    wanted = -(-size // _JOBS_PER_FAULT)
    if broken > wanted or not (ground.alive() or broken == wanted):
        return 0
    if broken == wanted:
        ground.mend()
    else:
        ground.break_something()
    return 1


def _moment(number: int, size: int) -> int:
    """Return when whoever submits is killed, who was killed so often before: each moment has one turn; 0 for never."""
    if number >= (1 if size < _SMALL else _MOMENTS):
        return 0
    return 1 + (_LATE - 1 + number) % _MOMENTS  # what was submitted at first shall run meanwhile


def _judged(ground: Ground) -> Figures:
    """Check that all jobs were done, once and by one at a time, and each batch by one allocation, which then ended."""
    commands, twice = ground.log()
    assert not twice, f"two commands at a time of {twice}"
    lost = 0
    for job in ground.experiment.all_jobs():
        *before, done = job.attempts()
        assert (job.status, done.outcome) == (JobStatus.DONE, Outcome.DONE), job
        assert {each.outcome for each in before} <= {Outcome.PREEMPTED, Outcome.LEASE_LOST, Outcome.RELEASED}, before
        assert job.results == {"attempt": done.number}, job
        mine = sorted((each for each in commands if each.job == job.job_id), key=lambda each: each.begun)
        assert mine[-1].attempt == done.number
        assert mine[-1].ended is not None
        assert all(one.ended is None or one.ended <= next_.begun for one, next_ in pairwise(mine)), mine
        lost += len(before)
    _check_batches(ground, commands)
    batches = list(all_batches(ground.experiment))
    assert not [each for each in batches if each.counts.running]
    return {
        "jobs": len({each.job for each in commands}),
        "submissions of batches": len(batches),
        "attempts cut short": lost,
        "longest idle allocation (s)": round(max(_idle(ground, commands)), 1),
    }


def _check_batches(ground: Ground, commands: Sequence[Started]) -> None:
    """Check that the jobs of a submission were begun by the worker of one allocation.

    A slurmctld that was killed may bring back as PENDING what runs: it ends that, and starts it again under its number.
    """
    by_batch = defaultdict[str, dict[int, SeenWorker]](dict)
    for each in commands:
        worker = ground.worker_of(each)
        if worker is not None:
            by_batch[worker.batch][worker.pid] = worker
    assert by_batch, "no worker was seen"
    for batch, workers in by_batch.items():
        assert len({each.allocation for each in workers.values()}) == 1, (batch, workers)
        in_turn = sorted(workers.values(), key=lambda each: each.first)
        assert all(one.last <= other.first + _SLACK for one, other in pairwise(in_turn)), (batch, workers)


def _idle(ground: Ground, commands: Sequence[Started]) -> list[float]:
    """Return for how long each worker was there after what it had run last."""
    active = {(worker.pid, worker.batch): worker.first for worker in ground.workers.values()}
    for each in commands:
        worker = ground.worker_of(each)
        if worker is not None:
            key = worker.pid, worker.batch
            active[key] = max(active[key], each.ended or each.begun)
    return [worker.last - active[worker.pid, worker.batch] for worker in ground.workers.values()]


FAULT = Fault(
    number="F32",
    words="a real Slurm whose allocations are cancelled, workers and controller killed and nodes set down, while "
    "`batch submit`, and then `batch keep`, are killed at each of their steps and started again",
    holds="every job is DONE once, and never run twice at a time; no batch is run by two allocations, none is left "
    "behind, and what has nothing to do ends within 60 s",
    run=break_cluster,
    unit="jobs each, in batches of 25",
    small=12,
    full=500,
    small_kinds=("sqlite",),
    full_kinds=("sqlite",),
    slurm=True,
)
