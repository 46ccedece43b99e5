"""What is free on the nodes of a batch while it runs."""

from __future__ import annotations

from sweepstake.batch.planning.packing.problem import Problem

__all__ = ["Room"]


class Room:
    """What is free on each node of a batch."""

    def __init__(self, problem: Problem, nodes: int) -> None:
        self._needs, self._nodes, self._guards = problem.needs, problem.nodes, problem.guards
        self._free = [problem.whole] * nodes

    def for_one(self, place: int) -> tuple[int, ...] | None:
        """Return the first nodes on which a job fits, as many as it takes; None if there are too few."""
        need, count, guards = self._needs[place], self._nodes[place], self._guards
        if count == 1:
            for node, free in enumerate(self._free):
                if (free - need) & guards == guards:
                    return (node,)
            return None
        found = [node for node, free in enumerate(self._free) if (free - need) & guards == guards]
        return tuple(found[:count]) if len(found) >= count else None

    def take(self, place: int, nodes: tuple[int, ...]) -> None:
        """Let a job have its share of these nodes."""
        need = self._needs[place]
        for node in nodes:
            self._free[node] -= need

    def give_back(self, place: int, nodes: tuple[int, ...]) -> None:
        """Have back what a job had of these nodes."""
        need = self._needs[place]
        for node in nodes:
            self._free[node] += need
