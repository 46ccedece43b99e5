"""Jobs and nodes as numbers, which planning works on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from attrs import frozen

from sweepstake.batch.planning.checks import check_acyclic
from sweepstake.batch.planning.records import BatchJob, Capacity

__all__ = ["Problem", "state"]

#: What a job takes of each node: nodes, whether it is exclusive, cpus, gpus and the other kinds.
_Shape = tuple[int, bool, float, float, tuple[tuple[str, float], ...]]

#: Amounts are counted in millionths, so that a third of a processor fits three times.
_PARTS: Final = 1_000_000
#: At most so many lanes, so that looking at each of them is no work to speak of.
_LANES: Final = 64


@frozen(kw_only=True, eq=False)
class Problem:
    """Jobs and nodes as numbers. A job is its place in `jobs`, which are in the order of their ids.

    What a job takes of a node is one number: each kind has its bits in it, and above them a bit of its own in
    `guards`. So ``free - taken`` does for all kinds at once, and the guards of `free` survive exactly if no kind
    runs short.

    Attributes:
        runtimes: seconds.
        needs: what each job takes of a node.
        nodes: how many nodes each takes.
        whole: what a node has, with the guards set.
        guards: a bit above those of each kind.
        most: nodes of an allocation.
        shapes: for each job a number: jobs of one number need the same.
        lanes: for each job the number of its lane: jobs of one lane need alike. There are few lanes.
        lane_count: how many lanes there are.
        lane_needs: what each job of a lane takes of a node at least.
        lane_nodes: how many nodes each takes at least.
        lane_beyond: for each lane the lanes that find no place where it finds none, a bit for each.
        exact: whether all jobs of a lane need the same.
        areas: for each kind that jobs take, what share of a node's each takes for how many node-seconds.
        priorities: of each job, or of the most urgent of those that wait for it.
        needed: places of the jobs that each waits for.
        waiting: places of the jobs that wait for each.
        order: the places in an order in which each comes after those that it waits for.
    """

    jobs: Sequence[BatchJob]
    runtimes: Sequence[float]
    needs: Sequence[int]
    nodes: Sequence[int]
    whole: int
    guards: int
    most: int
    shapes: Sequence[int]
    lanes: Sequence[int]
    lane_count: int
    lane_needs: Sequence[int]
    lane_nodes: Sequence[int]
    lane_beyond: Sequence[int]
    exact: bool
    areas: Sequence[Sequence[float]]
    priorities: Sequence[int]
    needed: Sequence[Sequence[int]]
    waiting: Sequence[Sequence[int]]
    order: Sequence[int]

    def area(self, place: int) -> float:
        """Return the node-seconds of a job, of the kind that it takes most of."""
        return max([area[place] for area in self.areas], default=0.0)

    def bound(self, places: Sequence[int], nodes: int, path: float | None = None) -> float:
        """Return what no schedule of these jobs on so many nodes is shorter than.

        Args:
            places: of the jobs.
            nodes: of the allocation.
            path: seconds of the longest way through jobs that wait for each other; without it nobody waits.
        """
        if path is None:
            path = max((self.runtimes[place] for place in places), default=0.0)
        return max([path, *(sum([area[place] for place in places]) / nodes for area in self.areas)])


def state(jobs: Sequence[BatchJob], capacity: Capacity) -> Problem:
    """Make the numbers of jobs that `check_jobs` has found nothing wrong with.

    Raises:
        PlanError: jobs wait for each other in a circle.
    """
    jobs = sorted(jobs, key=lambda job: job.id)
    needed, waiting = _ways(jobs)
    order = _order(jobs, needed, waiting)
    shapes = [_shape(job) for job in jobs]
    kinds = _Kinds.of(sorted(set(shapes)), capacity, len(jobs))
    shares = {shape: kinds.shares(shape) for shape in kinds.needs}
    lanes = _lanes(kinds.needs, shares)
    floors = _floors(lanes, kinds)
    numbers = {shape: number for number, shape in enumerate(kinds.needs)}
    runtimes = [float(job.runtime) for job in jobs]
    areas = [
        [shares[shape][kind] * shape[0] * runtime for shape, runtime in zip(shapes, runtimes, strict=True)]
        for kind in range(len(kinds.has))
    ]
    return Problem(
        jobs=jobs,
        runtimes=runtimes,
        needs=[kinds.needs[shape] for shape in shapes],
        nodes=[job.nodes for job in jobs],
        whole=kinds.whole,
        guards=kinds.guards,
        most=capacity.nodes,
        shapes=[numbers[shape] for shape in shapes],
        lanes=[lanes[shape] for shape in shapes],
        lane_count=len(floors),
        lane_needs=[need for _, need in floors],
        lane_nodes=[nodes for nodes, _ in floors],
        lane_beyond=_beyond(floors, kinds.guards),
        exact=len(kinds.needs) <= _LANES,
        areas=areas,
        priorities=_priorities(jobs, waiting, order),
        needed=needed,
        waiting=waiting,
        order=order,
    )


def _ways(jobs: Sequence[BatchJob]) -> tuple[list[list[int]], list[list[int]]]:
    places = {job.id: place for place, job in enumerate(jobs)}
    needed: list[list[int]] = [
        sorted({places[id_] for id_ in job.depends_on if id_ in places}) if job.depends_on else [] for job in jobs
    ]
    waiting: list[list[int]] = [[] for _ in jobs]
    for place, others in enumerate(needed):
        for other in others:
            waiting[other].append(place)
    return needed, waiting


def _order(jobs: Sequence[BatchJob], needed: Sequence[Sequence[int]], waiting: Sequence[Sequence[int]]) -> list[int]:
    missing = [len(others) for others in needed]
    order = [place for place, count in enumerate(missing) if not count]
    for place in order:
        for other in waiting[place]:
            missing[other] -= 1
            if not missing[other]:
                order.append(other)
    if len(order) < len(jobs):
        check_acyclic([job.id for job in jobs], needed, [place for place, count in enumerate(missing) if count])
    return order


def _priorities(jobs: Sequence[BatchJob], waiting: Sequence[Sequence[int]], order: Sequence[int]) -> list[int]:
    priorities = [job.priority for job in jobs]
    for place in reversed(order):
        for other in waiting[place]:
            priorities[place] = max(priorities[place], priorities[other])
    return priorities


def _shape(job: BatchJob) -> _Shape:
    others = tuple(sorted(job.resources.items())) if job.resources else ()
    return job.nodes, bool(job.exclusive), job.cpus, job.gpus, others


@frozen(kw_only=True)
class _Kinds:
    """How amounts become numbers.

    Attributes:
        has: what a node has of each kind that any job takes, in units of the kind.
        taken: what each shape takes of each kind, likewise.
        needs: for each shape its number.
        whole: the number of a node.
        guards: the bits above the kinds.
    """

    has: Sequence[int]
    taken: Mapping[_Shape, Sequence[int]]
    needs: Mapping[_Shape, int]
    whole: int
    guards: int

    @classmethod
    def of(cls, shapes: Sequence[_Shape], capacity: Capacity, jobs: int) -> _Kinds:
        of_node = {"cpus": capacity.cpus, "gpus": capacity.gpus, **capacity.resources}
        wanted = {shape: {"cpus": shape[2], "gpus": shape[3], **dict(shape[4])} for shape in shapes}
        names = sorted({kind for amounts in wanted.values() for kind, amount in amounts.items() if amount})
        columns = []
        for name in names:
            column = [of_node.get(name, 0), *(wanted[shape].get(name, 0) for shape in shapes)]
            unit = 1 if all(amount == int(amount) for amount in column) else _PARTS
            columns.append([round(amount * unit) for amount in column])
        if any(exclusive for _, exclusive, *_ in shapes):
            # An exclusive job must find its nodes empty, of jobs that take nothing too: everybody takes a place.
            columns.append([jobs, *(1 for _ in shapes)])
        has = [column[0] for column in columns]
        taken = {
            shape: has if shape[1] else [min(column[row], column[0]) for column in columns]
            for row, shape in enumerate(shapes, start=1)
        }
        return cls(
            has=has,
            taken=taken,
            needs={shape: _packed(amounts, has) for shape, amounts in taken.items()},
            whole=_packed(has, has) | _guards(has),
            guards=_guards(has),
        )

    def shares(self, shape: _Shape) -> list[float]:
        return [amount / most for amount, most in zip(self.taken[shape], self.has, strict=True)]


def _packed(amounts: Sequence[int], has: Sequence[int]) -> int:
    packed = shift = 0
    for amount, most in zip(amounts, has, strict=True):
        packed |= amount << shift
        shift += most.bit_length() + 1
    return packed


def _guards(has: Sequence[int]) -> int:
    guards = shift = 0
    for most in has:
        shift += most.bit_length() + 1
        guards |= 1 << (shift - 1)
    return guards


def _lanes(shapes: Iterable[_Shape], shares: Mapping[_Shape, Sequence[float]]) -> dict[_Shape, int]:
    """Give each shape a lane of its own, or share the lanes out to those that take alike."""
    large_first = sorted(shapes, key=lambda shape: (-shape[0], -max(shares[shape], default=0.0), shape))
    lanes = min(len(large_first), _LANES)
    return {shape: rank * lanes // len(large_first) for rank, shape in enumerate(large_first)}


def _floors(lanes: Mapping[_Shape, int], kinds: _Kinds) -> list[tuple[int, int]]:
    """Return for each lane how many nodes its jobs take at least, and what of each."""
    members: list[list[_Shape]] = [[] for _ in range(max(lanes.values(), default=-1) + 1)]
    for shape, lane in lanes.items():
        members[lane].append(shape)
    return [
        (
            min(shape[0] for shape in shapes),
            _packed(
                [min(amounts) for amounts in zip(*(kinds.taken[shape] for shape in shapes), strict=True)], kinds.has
            ),
        )
        for shapes in members
    ]


def _beyond(floors: Sequence[tuple[int, int]], guards: int) -> list[int]:
    return [
        sum(
            1 << lane
            for lane, (others, more) in enumerate(floors)
            if others >= nodes and ((more | guards) - need) & guards == guards
        )
        for nodes, need in floors
    ]
