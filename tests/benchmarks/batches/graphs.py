"""Seeded random graphs of jobs, in families that sweeps and their pipelines come in."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, frozen

from sweepstake.batch import BatchJob, Capacity

__all__ = ["CAPACITIES", "FAMILIES", "Graph", "graph", "graphs"]

#: Jobs of a graph.
SIZES: Final = (30, 100, 300, 1000)
CAPACITIES: Final = (
    Capacity(cpus=4),
    Capacity(cpus=16, gpus=4),
    Capacity(cpus=64, gpus=8),
    Capacity(cpus=8, gpus=2, nodes=4),
)
SEEDS: Final = (1, 2)


@frozen(kw_only=True)
class Graph:
    """Jobs to plan, and how.

    Attributes:
        count: how many batches there may be at most, where they are counted.
        duration: how long one may be, where that is given; seconds.
    """

    name: str
    family: str
    jobs: Sequence[BatchJob]
    capacity: Capacity
    count: int
    duration: float


def graphs() -> Iterator[Graph]:
    """Make all graphs of the comparison; always the same ones."""
    for family in FAMILIES:
        for size in SIZES:
            for number, capacity in enumerate(CAPACITIES):
                for seed in SEEDS:
                    yield graph(family, size, capacity, f"{family}-{size}-{number}-{seed}")


def graph(family: str, size: int, capacity: Capacity, name: str) -> Graph:
    """Make one graph; the name is its seed."""
    rng = random.Random(name)
    jobs = FAMILIES[family](rng, size, capacity)
    layers = _layers(jobs)
    count = min(len(jobs), max(layers, round(layers * rng.choice((1, 1.5, 2, 4)) + rng.choice((0, 1, 3, 7)))))
    longest = max(job.runtime for job in jobs)
    return Graph(
        name=name,
        family=family,
        jobs=jobs,
        capacity=capacity,
        count=count,
        duration=float(round(longest * rng.choice((1, 1.5, 2, 4)))),
    )


def _layers(jobs: Sequence[BatchJob]) -> int:
    depth: dict[str, int] = {}
    for job in jobs:
        depth[job.id] = 1 + max((depth[each] for each in job.depends_on), default=0)
    return max(depth.values())


def _uniform(rng: random.Random) -> float:
    return float(rng.randint(30, 600))


def _lognormal(rng: random.Random) -> float:
    return float(min(20_000, max(1, round(rng.lognormvariate(4.5, 1.3)))))


def _job(number: int, runtime: float, after: Sequence[int] = (), **needs: Any) -> BatchJob:
    return BatchJob(
        id=f"job{number:06}", runtime=runtime, depends_on=[f"job{each:06}" for each in sorted(set(after))], **needs
    )


def _narrow(rng: random.Random, capacity: Capacity) -> int:
    return rng.choice([cpus for cpus in (1, 1, 2, 4) if cpus <= capacity.cpus])


def _independent(rng: random.Random, size: int, capacity: Capacity) -> list[BatchJob]:
    return [_job(number, _uniform(rng), cpus=_narrow(rng, capacity)) for number in range(size)]


def _identical(rng: random.Random, size: int, capacity: Capacity) -> list[BatchJob]:
    runtime, cpus = _uniform(rng), _narrow(rng, capacity)
    return [_job(number, runtime, cpus=cpus) for number in range(size)]


def _heavy_tailed(rng: random.Random, size: int, capacity: Capacity) -> list[BatchJob]:
    def pareto() -> float:
        return float(min(50_000, round(20 * rng.paretovariate(1.1))))

    return [_job(number, pareto(), cpus=_narrow(rng, capacity)) for number in range(size)]


def _mixed(rng: random.Random, size: int, capacity: Capacity) -> list[BatchJob]:
    jobs = []
    for number in range(size):
        gpus = rng.choice([gpus for gpus in (1, 1, 2, 4) if gpus <= capacity.gpus] or [0])
        if rng.random() < 0.4:
            jobs.append(_job(number, _lognormal(rng), cpus=1, gpus=gpus))
        else:
            jobs.append(_job(number, _lognormal(rng), cpus=_narrow(rng, capacity)))
    return jobs


def _wide(rng: random.Random, size: int, capacity: Capacity) -> list[BatchJob]:
    jobs = []
    for number in range(size):
        cpus = rng.randint(1, int(capacity.cpus))
        nodes = rng.choice((1, 1, 1, 2, capacity.nodes)) if capacity.nodes > 1 else 1
        jobs.append(_job(number, _uniform(rng), cpus=cpus, nodes=nodes))
    return jobs


def _chains(rng: random.Random, size: int, capacity: Capacity) -> list[BatchJob]:
    jobs: list[BatchJob] = []
    while len(jobs) < size:
        for link in range(min(rng.randint(2, 10), size - len(jobs))):
            number = len(jobs)
            jobs.append(_job(number, _lognormal(rng), [number - 1] if link else [], cpus=_narrow(rng, capacity)))
    return jobs


def _trees(rng: random.Random, size: int, capacity: Capacity) -> list[BatchJob]:
    """Several trees; in half of the graphs they grow apart, in the others together."""
    trees, together = rng.randint(1, 5), rng.random() < 0.5
    parents = [
        rng.randint(max(0, (number - trees) // 3), number - 1) if number >= trees else None for number in range(size)
    ]
    if not together:
        return [
            _job(number, _lognormal(rng), [] if parent is None else [parent], cpus=_narrow(rng, capacity))
            for number, parent in enumerate(parents)
        ]
    after: dict[int, list[int]] = {}
    for number, parent in enumerate(parents):
        if parent is not None:
            after.setdefault(size - 1 - parent, []).append(size - 1 - number)
    return [_job(number, _lognormal(rng), after.get(number, ()), cpus=_narrow(rng, capacity)) for number in range(size)]


def _random(rng: random.Random, size: int, capacity: Capacity) -> list[BatchJob]:
    jobs = []
    for number in range(size):
        reach = min(number, 40)
        after = rng.sample(range(number - reach, number), min(reach, rng.choice((0, 1, 1, 2, 3))))
        jobs.append(_job(number, _lognormal(rng), after, cpus=_narrow(rng, capacity)))
    return jobs


def _generations(rng: random.Random, size: int, capacity: Capacity) -> list[BatchJob]:
    """Each generation waits for a few of the one before, as in a search by populations."""
    width = max(2, size // rng.randint(4, 12))
    jobs = []
    for number in range(size):
        before = number // width - 1
        after = rng.sample(range(before * width, (before + 1) * width), min(width, 3)) if before >= 0 else ()
        jobs.append(_job(number, _uniform(rng), after, cpus=_narrow(rng, capacity)))
    return jobs


def _pipelines(rng: random.Random, size: int, capacity: Capacity) -> list[BatchJob]:
    """Each prepares, trains several times on GPUs, and compares."""
    jobs: list[BatchJob] = []
    while len(jobs) < size:
        first, trainings = len(jobs), rng.randint(2, 8)
        jobs.append(_job(first, _uniform(rng), cpus=_narrow(rng, capacity)))
        gpus = min(1, int(capacity.gpus))
        jobs += [
            _job(number, 4 * _lognormal(rng), [first], cpus=1, gpus=gpus)
            for number in range(first + 1, first + 1 + trainings)
        ]
        jobs.append(_job(len(jobs), _uniform(rng) / 10, range(first + 1, first + 1 + trainings)))
    return [evolve(job, runtime=float(max(1, round(job.runtime)))) for job in jobs[:size]]


FAMILIES: Final[Mapping[str, Callable[[random.Random, int, Capacity], list[BatchJob]]]] = {
    "independent": _independent,
    "identical": _identical,
    "heavy-tailed": _heavy_tailed,
    "mixed CPU/GPU": _mixed,
    "wide": _wide,
    "chains": _chains,
    "trees": _trees,
    "random graphs": _random,
    "generations": _generations,
    "pipelines": _pipelines,
}
