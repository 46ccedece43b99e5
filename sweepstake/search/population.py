"""The population of a population based training, as the history of an experiment shows it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import frozen

from sweepstake.domain.records import JobRecord
from sweepstake.domain.settings import Direction
from sweepstake.domain.status import JobStatus
from sweepstake.values import JsonObject

__all__ = ["Member", "Population", "origin_of", "survey"]

_ACTIVE = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})


@frozen(kw_only=True)
class Member:
    """One job of a population.

    Attributes:
        generation: counted from 1 along a lineage; a job that crashed counts as well.
        score: its result, larger is better; None unless it is DONE and the result is a finite number.
    """

    job: JobRecord
    generation: int
    score: int | float | None

    @property
    def active(self) -> bool:
        """Whether it has yet to end."""
        return self.job.status in _ACTIVE


@frozen(kw_only=True)
class Population:
    """Lineages of jobs, each job but the first made in place of the one before it (its `candidate`).

    Attributes:
        tips: the newest member of each lineage, oldest first.
        ranking: the latest member that ended of each lineage, best first and older first among equals; a lineage
            is left out while that member has no score.
        scored: every member that has a score, best first and older first among equals.
    """

    tips: tuple[Member, ...]
    ranking: tuple[Member, ...]
    scored: tuple[Member, ...]

    @property
    def active(self) -> bool:
        """Whether any member has yet to end."""
        return any(member.active for member in self.tips)

    def candidates(self, max_generations: int | None) -> tuple[Member, ...]:
        """Return the tips that ended and may have a child, oldest first."""
        return tuple(
            tip for tip in self.tips if not tip.active and (max_generations is None or tip.generation < max_generations)
        )

    def best(self, proportion: float) -> tuple[Member, ...]:
        """Return the members that are worth copying: the best `proportion` of the ranking, at least one.

        While no lineage is ranked, those of all members that ever had a score.
        """
        pool = self.ranking or self.scored
        return pool[: max(1, _share(proportion, len(pool)))]

    def is_worst(self, member: Member, proportion: float) -> bool:
        """Tell whether `member` has no score, or stands in the worst `proportion` of the ranking."""
        if member.score is None:
            return True
        worst = self.ranking[len(self.ranking) - _share(proportion, len(self.ranking)) :]
        return any(other.job.id == member.job.id for other in worst)


def survey(history: Sequence[JobRecord], result_name: str, direction: Direction) -> Population:
    """Read the population from an experiment's jobs, oldest first; those without an origin begin lineages."""
    members: list[Member] = []
    standing: dict[str, Member | None] = {}  # by job id: the latest member that ended of the lineage up to it
    continued: set[str] = set()
    for job in history:
        origin = job.origin.decode() if job.origin is not None else {}
        member = Member(job=job, generation=_generation(origin), score=_score(job, result_name, direction))
        candidate = origin.get("candidate")
        before = standing.get(candidate) if isinstance(candidate, str) else None
        standing[job.id] = before if member.active else member
        if isinstance(candidate, str):
            continued.add(candidate)
        members.append(member)
    tips = tuple(member for member in members if member.job.id not in continued)
    return Population(
        tips=tips,
        ranking=_ranked(latest for tip in tips if (latest := standing[tip.job.id]) is not None),
        scored=_ranked(members),
    )


def origin_of(candidate: Member | None = None, parent: Member | None = None) -> JsonObject:
    """Return what `survey` reads back: the origin of a job in place of `candidate`, or of one that begins a lineage."""
    if candidate is None:
        return JsonObject.of({"generation": 1})
    return JsonObject.of(
        {
            "generation": candidate.generation + 1,
            "candidate": candidate.job.id,
            "parent": None if parent is None else parent.job.id,
        }
    )


def _ranked(members: Iterable[Member]) -> tuple[Member, ...]:
    scored = [(member.score, member) for member in members if member.score is not None]
    return tuple(member for _, member in sorted(scored, key=lambda pair: (-pair[0], pair[1].job.seq)))


def _share(proportion: float, count: int) -> int:
    """Return how many of `count` are a `proportion`: rounded up, but never more than half of them."""
    return min(math.ceil(round(proportion * count, 9)), count // 2)


def _generation(origin: dict[str, Any]) -> int:
    generation = origin.get("generation")
    if isinstance(generation, bool) or not isinstance(generation, int):
        return 1
    return max(1, generation)


def _score(job: JobRecord, result_name: str, direction: Direction) -> int | float | None:
    if job.status is not JobStatus.DONE:
        return None
    value = job.results.decode().get(result_name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if direction is Direction.MAXIMIZE else -value
