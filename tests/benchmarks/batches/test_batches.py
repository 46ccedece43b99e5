"""Plans stay as good as they were measured, on the small graphs of the comparison."""

from __future__ import annotations

import math

import pytest

from sweepstake.batch import plan
from tests.benchmarks.batches.graphs import graphs
from tests.benchmarks.batches.simulator import Batched, bounds, cost

#: Geometric means over half of the graphs of 30 and 100 jobs, of makespan and node-time over their bounds, rounded up.
_MEANS = {("flat", "duration"): (1.30, 1.88), ("flat", "count"): (1.20, 1.92), ("atomic", "count"): (1.12, 1.85)}


@pytest.mark.parametrize("layout,by", list(_MEANS))
def test_plans_cost_no_more_than_they_did(layout: str, by: str) -> None:
    """A change of the planner that makes plans worse shows here, without Canary."""
    makespans, node_times = [], []
    for graph in graphs():
        if len(graph.jobs) <= 100 and graph.name.endswith("-1"):
            specs = plan(graph.jobs, capacity=graph.capacity, layout=layout, **{by: getattr(graph, by)})
            batches = [
                Batched(id=each.id, jobs=[job.id for job in each], dependencies=each.dependencies, nodes=each.nodes)
                for each in specs
            ]
            found = cost(batches, graph.jobs, graph.capacity)
            many = graph.count if by == "count" else len(specs)
            bound, work = bounds(graph.jobs, graph.capacity, many * graph.capacity.nodes)
            makespans.append(math.log(found.makespan / bound))
            node_times.append(math.log(found.node_time / work))
    most_makespan, most_node_time = _MEANS[layout, by]
    assert math.exp(math.fsum(makespans) / len(makespans)) <= most_makespan
    assert math.exp(math.fsum(node_times) / len(node_times)) <= most_node_time
