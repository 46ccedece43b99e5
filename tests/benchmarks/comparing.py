"""How a row is measured: its sides take turns, and their medians are compared."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from statistics import median

from attrs import frozen

from tests.benchmarks.places import Places
from tests.benchmarks.race import Side
from tests.benchmarks.report import Finding

__all__ = ["Opener", "Row", "Sizes", "finding", "interleave"]

#: Opens a side at a place of its own, for the length of a block.
Opener = Callable[[Places], contextlib.AbstractContextManager[Side]]


@frozen(kw_only=True)
class Sizes:
    """How much is measured; the defaults are those of the published table."""

    rounds: int = 3
    jobs: int = 2_000
    fairness: int = 20_000
    queued: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    claims: int = 200
    churn: int = 20_000
    bulk: int = 100_000
    read: int = 10_000
    tasks: int = 400
    containers: int = 20

    @classmethod
    def quick(cls) -> Sizes:
        """Return sizes that show whether everything runs, in about a minute; their ratios mean little."""
        return cls(
            rounds=1,
            jobs=100,
            fairness=200,
            queued=(100, 2_000),
            claims=20,
            churn=200,
            bulk=2_000,
            read=500,
            tasks=40,
            containers=2,
        )


@frozen
class Row:
    """One row: its name on the command line, and how it is measured."""

    name: str
    measure: Callable[[Places, Sizes], Finding]


def interleave(
    places: Places, openers: Mapping[str, Opener], rounds: int, measure: Callable[[Side], float]
) -> dict[str, list[float]]:
    """Measure each side once a round, so that whatever else the machine does meets them all."""
    found: dict[str, list[float]] = {side: [] for side in openers}
    for _ in range(rounds):
        for name, opener in openers.items():
            with opener(places) as side:
                found[name].append(measure(side))
    return found


def finding(
    name: str, measure: str, unit: str, rounds: Mapping[str, list[float]], *, target: float, at_least: bool
) -> Finding:
    """Make a row's finding from what its sides did in each round."""
    return Finding(
        row=name,
        measure=measure,
        unit=unit,
        ours=median(rounds["ours"]),
        floor=median(rounds["floor"]),
        bare=median(rounds["bare"]) if "bare" in rounds else None,
        target=target,
        at_least=at_least,
        rounds=rounds,
    )
