"""Grid search: every combination of finitely many values, once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from attrs import field, frozen

from sweepstake.domain.records import JobRecord
from sweepstake.domain.schema import Schema, each
from sweepstake.search.codec import VALUES, read_each
from sweepstake.search.distributions import by_name, json_items
from sweepstake.search.policy import NoProposal, Proposal, SearchPolicy
from sweepstake.values import JsonItem, JsonObject

__all__ = ["Grid", "GridPolicy"]


def _axes(axes: object) -> tuple[tuple[str, tuple[JsonItem, ...]], ...]:
    return tuple((name, json_items(values, name)) for name, values in by_name(axes, "lists of values", "").items())


@frozen(repr=False)
class Grid:
    """A finite space: the combinations of the values of each name, in a stable order.

    The last name varies fastest, as in nested loops or `itertools.product`. No combination is made before
    it is asked for.
    """

    _axes: tuple[tuple[str, tuple[JsonItem, ...]], ...] = field(alias="axes", converter=_axes)

    def __repr__(self) -> str:
        return f"Grid({self.axes!r})"

    @property
    def axes(self) -> dict[str, list[Any]]:
        """The values of each name, as new plain data."""
        return {name: [item.decode() for item in items] for name, items in self._axes}

    @property
    def size(self) -> int:
        """How many points there are."""
        return math.prod(len(items) for _, items in self._axes)

    def point(self, index: int) -> dict[str, Any]:
        """Return point `index`, counted from 0; the names stand in their order.

        Raises:
            IndexError: there are not that many points.
        """
        if not 0 <= index < self.size:
            raise IndexError(f"the grid has {self.size:,} points; there is no point {index:,}")
        point = {}
        for name, items in reversed(self._axes):
            index, digit = divmod(index, len(items))
            point[name] = items[digit].decode()
        return dict(reversed(point.items()))


def _grid(grid: Grid | Mapping[str, Iterable[Any]]) -> Grid:
    return grid if isinstance(grid, Grid) else Grid(grid)


@frozen
class GridPolicy(SearchPolicy):
    """Propose every point of a grid once, in its order."""

    kind: ClassVar[str] = "Grid"
    schema: ClassVar[Schema] = each(VALUES)

    grid: Grid = field(converter=_grid)

    @classmethod
    def of(cls, params: object) -> GridPolicy:
        """Make the policy of its stored parameters."""
        return cls(Grid(read_each(params, lambda values: json_items(values, ""))))

    @property
    def params(self) -> dict[str, list[Any]]:
        """``{name: [value, ...]}``."""
        return self.grid.axes

    def propose(self, index: int, seed: int, history: Sequence[JobRecord]) -> Proposal | NoProposal:  # noqa: ARG002 -- the protocol
        """Propose point number `index`, or nothing when all were proposed."""
        if index >= self.grid.size:
            return NoProposal.EXHAUSTED
        return Proposal(JsonObject.of(self.grid.point(index), "hyperparameters"))
