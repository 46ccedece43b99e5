from typing import Any

import pytest

from sweepstake.domain.records import JobRecord
from sweepstake.domain.settings import Direction
from sweepstake.domain.status import JobStatus
from sweepstake.search.population import Population, origin_of, survey
from tests.kit.records import job

_DONE, _CRASHED, _PRUNED = JobStatus.DONE, JobStatus.CRASHED, JobStatus.PRUNED
_RUNNING, _QUEUED = JobStatus.RUNNING, JobStatus.QUEUED


def _survey(*history: JobRecord, direction: Direction = Direction.MAXIMIZE) -> Population:
    return survey(history, "score", direction)


def _scored(seq: int, score: Any, **fields: Any) -> JobRecord:
    return job(seq=seq, results={"score": score}, **fields)


def _child(seq: int, candidate: int, *, generation: int = 2, **fields: Any) -> JobRecord:
    return job(seq=seq, origin={"generation": generation, "candidate": f"job{candidate}", "parent": None}, **fields)


def _ids(members: Any) -> list[int]:
    return [member.job.seq for member in members]


def test_jobs_without_an_origin_begin_lineages() -> None:
    """Jobs added by hand are members of the first generation."""
    population = _survey(job(seq=1), job(seq=2, status=_RUNNING))
    assert [(tip.job.seq, tip.generation) for tip in population.tips] == [(1, 1), (2, 1)]


def test_a_member_with_a_child_is_no_tip() -> None:
    """A lineage goes on from its newest member, whoever its parent is."""
    population = _survey(job(seq=1), job(seq=2), _child(3, 1, status=_RUNNING))
    assert _ids(population.tips) == [2, 3]
    assert _ids(population.candidates(None)) == [2]


@pytest.mark.parametrize("status", [_DONE, _CRASHED, _PRUNED])
def test_candidates_are_those_that_ended(status: JobStatus) -> None:
    """However a member ended, it may have a child; the oldest comes first."""
    population = _survey(
        job(seq=1, status=_RUNNING), job(seq=2, status=status), job(seq=3, status=status), job(seq=4, status=_QUEUED)
    )
    assert _ids(population.candidates(None)) == [2, 3]
    assert population.active


def test_the_last_generation_has_no_children() -> None:
    """A member of generation `max_generations` is no candidate."""
    population = _survey(job(seq=1), job(seq=2), _child(3, 1, generation=3))
    assert _ids(population.candidates(3)) == [2]
    assert _ids(population.candidates(4)) == [2, 3]
    assert not population.active


def test_ranks_lineages_by_their_latest_result() -> None:
    """Each lineage counts once, by its latest member that ended; a running child does not hide it."""
    population = _survey(
        _scored(1, 5), _scored(2, 9), _scored(3, 7), _child(4, 1, status=_RUNNING), _child(5, 2, results={"score": 1})
    )
    assert _ids(population.ranking) == [3, 1, 5]
    assert _ids(population.scored) == [2, 3, 1, 5]


def test_a_lineage_that_ended_badly_has_no_rank() -> None:
    """After a crash a lineage stands nowhere, also while its replacement runs, until that has a result."""
    crashed = _child(3, 1, status=_CRASHED, results={"score": 100})
    running = _child(4, 3, generation=3, status=_RUNNING, results={"score": 100})
    assert _ids(_survey(_scored(1, 5), _scored(2, 3), crashed).ranking) == [2]
    assert _ids(_survey(_scored(1, 5), _scored(2, 3), crashed, running).ranking) == [2]


def test_minimizing_turns_the_ranking_round() -> None:
    """With the objective `min` the smallest result is the best; equal ones stand by age."""
    population = _survey(_scored(1, 2.5), _scored(2, 1), _scored(3, 1.0), direction=Direction.MINIMIZE)
    assert _ids(population.ranking) == [2, 3, 1]


@pytest.mark.parametrize("result", ["0.5", True, None, [0.5], float("nan"), float("inf"), float("-inf")])
def test_only_finite_numbers_are_scores(result: Any) -> None:
    """A result that is no finite number is none, and its member among the worst."""
    population = _survey(_scored(1, 1), _scored(2, result))
    assert _ids(population.ranking) == [1]
    assert population.is_worst(population.tips[1], 0.2)


def test_huge_ints_are_scores() -> None:
    """Ints beyond the floats are compared exactly."""
    assert _ids(_survey(_scored(1, 10**400), _scored(2, 10**400 + 1), _scored(3, 1e308)).ranking) == [2, 1, 3]


@pytest.mark.parametrize("size,expected", [(1, 0), (2, 1), (3, 1), (5, 1), (6, 2), (10, 2), (30, 6)])
def test_a_share_is_rounded_up_but_at_most_half(size: int, expected: int) -> None:
    """How many of a population are a fifth of it."""
    population = _survey(*(_scored(seq, seq) for seq in range(size)))
    assert _ids(population.best(0.2)) == list(range(size))[::-1][: max(1, expected)]
    assert sum(population.is_worst(member, 0.2) for member in population.tips) == expected


def test_shares_do_not_suffer_from_binary_fractions() -> None:
    """0.1 of 30 members are 3, although 0.1 * 30 is a little more."""
    assert len(_survey(*(_scored(seq, seq) for seq in range(30))).best(0.1)) == 3


def test_earlier_members_are_copied_when_every_lineage_ended_badly() -> None:
    """While no lineage has a rank, the best are those of all that ever had a score."""
    population = _survey(_scored(1, 5), _scored(2, 3), _child(3, 1, status=_CRASHED), _child(4, 2, status=_PRUNED))
    assert population.ranking == ()
    assert _ids(population.best(0.5)) == [1]
    assert _survey(job(seq=1, status=_CRASHED)).best(0.5) == ()


@pytest.mark.parametrize(
    "origin", [{"generation": "x"}, {"generation": True}, {"generation": -3, "candidate": 7}, {"candidate": "job1"}, {}]
)
def test_an_origin_of_somebody_elses_does_no_harm(origin: dict[str, Any]) -> None:
    """Origins that this search did not write are read as far as they make sense, even one that names itself."""
    population = _survey(job(seq=1, origin=origin, results={"score": 1}), job(seq=2))
    assert all(member.generation == 1 for member in population.tips)


def test_an_origin_is_read_back() -> None:
    """What a proposal records makes its job the next of its candidate's lineage."""
    population = _survey(_scored(1, 1), _scored(2, 5))
    origin = origin_of(population.tips[0], population.tips[1]).decode()
    assert origin == {"generation": 2, "candidate": "job1", "parent": "job2"}
    assert [(tip.job.seq, tip.generation) for tip in _survey(_scored(1, 1), job(seq=3, origin=origin)).tips] == [(3, 2)]
