"""What is free on the nodes of a batch while it runs."""

from __future__ import annotations

from sweepstake.batch.planning.packing.problem import Problem

__all__ = ["Room"]


class Room:
    """What is free on each node of a batch.

    As a job's needs are one number, so is what is free on all nodes: each has its bits in it, with the guards of its
    kinds, and one bit above them. So a few steps tell for all nodes at once where a job fits.
    """

    def __init__(self, problem: Problem, nodes: int) -> None:
        self._needs, self._nodes = problem.needs, problem.nodes
        self._width = width = problem.guards.bit_length() + 1
        #: One in the bits of each node: what is multiplied by it stands in all of them.
        self._each = each = ((1 << width * nodes) - 1) // ((1 << width) - 1)
        self._free = problem.whole * each
        self._guards = problem.guards * each
        self._above = (1 << width - 1) * each
        self._below = self._above - each

    def for_one(self, place: int) -> tuple[int, ...] | None:
        """Return the first nodes on which a job fits, as many as it takes; None if there are too few."""
        fits, count = self._fits(self._needs[place]), self._nodes[place]
        if count == 1:
            return (((fits & -fits).bit_length() - 1) // self._width,) if fits else None
        if fits.bit_count() < count:
            return None
        found = []
        for _ in range(count):
            first = fits & -fits
            found.append((first.bit_length() - 1) // self._width)
            fits ^= first
        return tuple(found)

    def has(self, need: int, count: int) -> bool:
        """Return whether so many nodes have this free."""
        fits = self._fits(need)
        return bool(fits) if count == 1 else fits.bit_count() >= count

    def take(self, place: int, nodes: tuple[int, ...]) -> None:
        """Let a job have its share of these nodes."""
        need, width = self._needs[place], self._width
        for node in nodes:
            self._free -= need << node * width

    def give_back(self, place: int, nodes: tuple[int, ...]) -> None:
        """Have back what a job had of these nodes."""
        need, width = self._needs[place], self._width
        for node in nodes:
            self._free += need << node * width

    def _fits(self, need: int) -> int:
        """Return a number with the uppermost bit of each node that has this free."""
        short = (self._free - need * self._each & self._guards) ^ self._guards
        # What runs short anywhere on a node carries into its uppermost bit.
        return (short + self._below & self._above) ^ self._above
