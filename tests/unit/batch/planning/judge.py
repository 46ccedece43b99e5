"""A judge of plans that shares no code with planning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, field

from sweepstake.batch import BatchJob, BatchSpec, Capacity

__all__ = ["bound", "check", "check_schedule", "length", "walk"]


@define
class _Node:
    has: Mapping[str, float]
    jobs: list[BatchJob] = field(factory=list)

    def takes(self, job: BatchJob) -> bool:
        """Whether one job more would leave everybody what they need."""
        if self.jobs and (job.exclusive or any(other.exclusive for other in self.jobs)):
            return False
        return fits([*self.jobs, job], self.has)


def needs(job: BatchJob) -> dict[str, float]:
    """Return what a job takes of each of its nodes."""
    return {"cpus": job.cpus, "gpus": job.gpus, **job.resources}


def fits(jobs: Sequence[BatchJob], has: Mapping[str, float]) -> bool:
    """Return whether a node has enough for these at once."""
    kinds = {kind for job in jobs for kind in needs(job)}
    return all(sum(needs(job).get(kind, 0) for job in jobs) <= has.get(kind, 0) + 1e-6 for kind in kinds)


def length(spec: BatchSpec, capacity: Capacity) -> float:
    """Run a batch in the order of its jobs, and return when the last ends."""
    nodes = [_Node({"cpus": capacity.cpus, "gpus": capacity.gpus, **capacity.resources}) for _ in range(spec.nodes)]
    within, done = {job.id for job in spec}, set[str]()
    waiting, running, now = list(spec), list[tuple[float, BatchJob]](), 0.0
    while waiting or running:
        for job in list(waiting):
            if any(other in within and other not in done for other in job.depends_on):
                continue
            fitting = [node for node in nodes if node.takes(job)][: job.nodes]
            if len(fitting) == job.nodes:
                waiting.remove(job)
                running.append((now + job.runtime, job))
                for node in fitting:
                    node.jobs.append(job)
        assert running, f"{[job.id for job in waiting]} cannot start"
        now = min(end for end, _ in running)
        ended = [job for end, job in running if end <= now]
        running = [each for each in running if each[0] > now]
        done |= {job.id for job in ended}
        for node in nodes:
            node.jobs = [job for job in node.jobs if job not in ended]
    return now


def bound(spec: BatchSpec, capacity: Capacity) -> float:
    """Return what no schedule of a batch is shorter than: its longest way, and each kind's work over what there is."""
    ends: dict[str, float] = {}
    for job in spec:
        ends[job.id] = job.runtime + max([ends[other] for other in job.depends_on if other in ends], default=0.0)
    has = {"cpus": capacity.cpus, "gpus": capacity.gpus, **capacity.resources}
    work = [
        sum((has[kind] if job.exclusive else needs(job).get(kind, 0)) * job.nodes * job.runtime for job in spec)
        / (has[kind] * spec.nodes)
        for kind in {kind for job in spec for kind, amount in needs(job).items() if amount}
    ]
    return max([*ends.values(), *work], default=0.0)


def check(specs: Sequence[BatchSpec], jobs: Sequence[BatchJob], capacity: Capacity) -> None:
    """Fail if a plan breaks what every plan promises."""
    assert sorted(job.id for spec in specs for job in spec) == sorted(job.id for job in jobs)
    assert len({spec.id for spec in specs}) == len(specs)
    of = {job.id: spec for spec in specs for job in spec}
    before: set[str] = set()
    for spec in specs:
        # Those that it waits for stand before it, so there is no circle.
        assert set(spec.dependencies) <= before
        before.add(spec.id)
        assert set(spec.dependencies) == {
            of[other].id for job in spec for other in job.depends_on if other in of and of[other] is not spec
        }
        begun: set[str] = set()
        for job in spec:
            assert not [other for other in job.depends_on if other in of and of[other] is spec and other not in begun]
            begun.add(job.id)
        assert max(job.nodes for job in spec) <= spec.nodes <= capacity.nodes
        assert spec.exclusive == any(job.exclusive for job in spec)
        runs = length(spec, capacity)
        assert spec.estimated_runtime is not None
        assert abs(spec.estimated_runtime - runs) <= 1e-6 * runs
        assert spec.estimated_runtime >= bound(spec, capacity) * (1 - 1e-9)
        assert spec.timeout is not None
        assert spec.timeout > runs


def walk(spec: BatchSpec, jobs: Mapping[str, BatchJob]) -> set[str]:
    """Return all that the jobs of a batch wait for, directly or over others."""
    found: set[str] = set()
    ahead = [other for job in spec for other in job.depends_on]
    while ahead:
        id_ = ahead.pop()
        if id_ in jobs and id_ not in found:
            found.add(id_)
            ahead += jobs[id_].depends_on
    return found


def check_schedule(spec: BatchSpec, capacity: Capacity) -> None:
    """Fail if the schedule that is shown of a batch gives out more than there is at any moment."""
    from sweepstake.batch import schedule

    placements = schedule(spec, capacity)
    assert [each.job for each in placements] == list(spec)
    has = {"cpus": capacity.cpus, "gpus": capacity.gpus, **capacity.resources}
    ends = {each.job.id: each.end for each in placements}
    for each in placements:
        assert len(set(each.nodes)) == each.job.nodes
        assert all(ends[other] <= each.start for other in each.job.depends_on if other in ends)
        for node in each.nodes:
            beside = [
                other.job
                for other in placements
                if node in other.nodes and other.start <= each.start < other.end and other.job.runtime
            ]
            assert fits(beside, has)
            assert len(beside) <= 1 or not any(job.exclusive for job in beside)
    assert max(ends.values()) == spec.estimated_runtime
