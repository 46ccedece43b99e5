"""The comparison: what both planners' plans cost, family by family, and whether that is what was aimed at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from tests.benchmarks.batches.graphs import CAPACITIES, FAMILIES, Graph, graph
from tests.benchmarks.batches.planners import Answer, Mode, ask_canary, ask_ours
from tests.benchmarks.batches.simulator import Cost, bounds, cost

__all__ = [
    "MODES",
    "Compared",
    "Timed",
    "compare",
    "missed",
    "missed_in_time",
    "missed_over_all",
    "table",
    "time_both",
    "times",
]

MODES: Final = (Mode("flat", "duration"), Mode("flat", "count"), Mode("atomic", "count"))
#: How much worse a family may be in one figure, unless it is better in the other.
_WORSE: Final = 1.02
#: What is aimed at over all at equal count.
_MAKESPAN, _NODE_TIME = 0.93, 0.88
#: How much slower planning may be than Canary's.
_SLOWER, _ANYWAY = 1.25, 0.02
#: Seconds and megabytes that planning 100,000 jobs may take.
_SECONDS, _MEGABYTES = 10.0, 1000.0
#: Families that are timed at 100,000 jobs.
_LARGE: Final = ("independent", "mixed CPU/GPU", "chains", "random graphs")


@frozen(kw_only=True)
class Compared:
    """A graph that both planned.

    Attributes:
        bound: what no plan is faster than, in seconds.
        work: what no plan costs less than, in node-seconds.
    """

    graph: Graph
    ours: Cost
    canary: Cost
    bound: float
    work: float


@frozen(kw_only=True)
class Timed:
    """How long both planned a graph, in seconds of the processor."""

    graph: Graph
    mode: Mode
    ours: float
    megabytes: float
    canary: float


def compare(python: Path, graphs: Sequence[Graph], mode: Mode) -> list[Compared]:
    """Have both plan the graphs, and carry the plans out."""
    answers = zip(graphs, ask_ours(graphs, mode), ask_canary(python, graphs, mode), strict=True)
    return [_compared(*answer, mode) for answer in answers]


def time_both(python: Path, sizes: Sequence[int]) -> Iterator[Timed]:
    """Yield how long planning takes as graphs grow."""
    for size in sizes:
        families = FAMILIES if size < 100_000 else _LARGE
        graphs = [graph(family, size, CAPACITIES[1], f"{family}-{size}") for family in families]
        for mode in MODES:
            answers = zip(graphs, ask_ours(graphs, mode), ask_canary(python, graphs, mode), strict=True)
            for one, ours, canary in answers:
                yield Timed(graph=one, mode=mode, ours=ours.seconds, megabytes=ours.megabytes, canary=canary.seconds)


def table(found: Sequence[Compared]) -> str:
    """Lay the costs of one mode out as Markdown: means by family, of makespan and node-time over their bounds."""
    rows = [
        "| family | makespan | Canary | ratio | node-time | Canary | ratio | batches | Canary | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(_row(family, [each for each in found if each.graph.family == family]) for family in FAMILIES),
        _row("all", found),
        _row("all on one node", [each for each in found if each.graph.capacity.nodes == 1]),
    ]
    return "\n".join(rows)


def times(found: Sequence[Timed]) -> str:
    """Lay the times out as Markdown: the mean and the longest of the families at each size."""
    rows = [
        "| jobs | plan | mean | Canary | longest | Canary | memory |",
        "|---:|---|---:|---:|---:|---:|---:|",
    ]
    for size in sorted({len(each.graph.jobs) for each in found}):
        for mode in MODES:
            some = [each for each in found if len(each.graph.jobs) == size and each.mode == mode]
            if some:
                ours, canary = [each.ours for each in some], [each.canary for each in some]
                rows.append(
                    f"| {size:,} | {mode} | {_mean(ours):.3f} s | {_mean(canary):.3f} s | {max(ours):.3f} s |"
                    f" {max(canary):.3f} s | {max(each.megabytes for each in some):.0f} MB |"
                )
    return "\n".join(rows)


def missed(mode: Mode, found: Sequence[Compared]) -> list[str]:
    """Return in which families a mode is worse than it may be."""
    problems = []
    for family in FAMILIES:
        some = [each for each in found if each.graph.family == family]
        if mode.by == "duration":
            batches = _ratio(some, lambda cost: cost.batches)
            if batches > _WORSE:
                problems.append(f"{mode}: {family}: {batches:.3f} times the batches")
            continue
        makespan = _ratio(some, lambda cost: cost.makespan)
        node_time = _ratio(some, lambda cost: cost.node_time)
        if max(makespan, node_time) > _WORSE and min(makespan, node_time) >= 1:
            problems.append(f"{mode}: {family}: {makespan:.3f} times the makespan, {node_time:.3f} the node-time")
    return problems


def missed_over_all(counted: Sequence[Compared]) -> list[str]:
    """Return what plans of a given count miss of what was aimed at over all."""
    found = {
        "makespan": (_ratio(counted, lambda cost: cost.makespan), _MAKESPAN),
        "node-time": (_ratio(counted, lambda cost: cost.node_time), _NODE_TIME),
    }
    return [
        f"at equal count: {ratio:.3f} times the {what} over all; aimed at {aim}"
        for what, (ratio, aim) in found.items()
        if ratio > aim
    ]


def missed_in_time(found: Sequence[Timed]) -> list[str]:
    """Return where planning takes longer than it may, or more memory."""
    problems = []
    for each in found:
        where = f"{each.mode}: {each.graph.family}, {len(each.graph.jobs):,} jobs"
        if each.ours > _SLOWER * each.canary + _ANYWAY:
            problems.append(f"{where}: {each.ours:.3f} s; Canary {each.canary:.3f} s")
        if each.ours > _SECONDS or each.megabytes > _MEGABYTES:
            problems.append(f"{where}: {each.ours:.1f} s and {each.megabytes:.0f} MB")
    return problems


def _compared(graph: Graph, ours: Answer, canary: Answer, mode: Mode) -> Compared:
    batches = graph.count if mode.by == "count" else max(len(ours.batches), len(canary.batches))
    bound, work = bounds(graph.jobs, graph.capacity, batches * graph.capacity.nodes)
    costs = [cost(answer.batches, graph.jobs, graph.capacity) for answer in (ours, canary)]
    return Compared(graph=graph, ours=costs[0], canary=costs[1], bound=bound, work=work)


def _row(name: str, found: Sequence[Compared]) -> str:
    cells = [name]
    for figure, unit in ((_makespan, _bound), (_node_time, _work), (_batches, _one)):
        ours = _mean([figure(each.ours) / unit(each) for each in found])
        canary = _mean([figure(each.canary) / unit(each) for each in found])
        cells += [f"{ours:.2f}", f"{canary:.2f}", f"{ours / canary:.3f}"]
    return f"| {' | '.join(cells)} |"


def _ratio(found: Sequence[Compared], figure: Callable[[Cost], float]) -> float:
    return _mean([figure(each.ours) / figure(each.canary) for each in found])


def _mean(values: Sequence[float]) -> float:
    """Return the geometric mean."""
    return math.exp(math.fsum(math.log(max(value, 1e-9)) for value in values) / len(values))


def _makespan(cost_: Cost) -> float:
    return cost_.makespan


def _node_time(cost_: Cost) -> float:
    return cost_.node_time


def _batches(cost_: Cost) -> float:
    return cost_.batches


def _bound(compared: Compared) -> float:
    return compared.bound


def _work(compared: Compared) -> float:
    return compared.work


def _one(_: Compared) -> float:
    return 1.0
