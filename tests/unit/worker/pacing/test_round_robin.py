"""Whose turn it is."""

import math
from collections import Counter

import pytest

from sweepstake.domain.status import NoJobReason
from sweepstake.worker.pacing.round_robin import RoundRobin


def rounds(*names: str) -> RoundRobin:
    """Return a round of experiments at time 0, with rests of their plain lengths."""
    return RoundRobin(names, 0.0, lambda: 0.5)


def test_experiments_take_turns() -> None:
    """While all have jobs, each gets one in the order of their names on the command line, round and round."""
    turns = rounds("a", "b", "c")
    taken = []
    for _ in range(6):
        name = turns.turn(0.0)
        assert name is not None
        turns.had(name, 0.0)
        taken.append(name)
    assert taken == ["a", "b", "c", "a", "b", "c"]


def test_a_turn_is_taken_by_whose_it_is() -> None:
    """Who is not the next must wait; one that rests is not the next."""
    turns = rounds("a", "b")
    assert [turns.takes(name, 0.0) for name in ("b", "a", "a", "b")] == [False, True, False, True]
    turns.had_none("a", NoJobReason.EMPTY, 0.0)
    assert [turns.takes(name, 0.0) for name in ("a", "b")] == [False, True]


def test_an_experiment_named_twice_gets_one_turn() -> None:
    """Nobody gets more than a fair share by mistake."""
    turns = rounds("a", "b", "a")
    assert [turns.turn(0.0) for _ in range(4)] == ["a", "b", "a", "b"]


def test_an_empty_experiment_costs_few_looks() -> None:
    """Over an hour it is asked about every 5 seconds, while the other has all the turns in between."""
    turns = rounds("empty", "full")
    asked: Counter[str] = Counter()
    for second in range(3600):
        name = turns.turn(float(second))
        assert name is not None
        asked[name] += 1
        if name == "empty":
            turns.had_none(name, NoJobReason.EMPTY, float(second))
        else:
            turns.had(name, float(second))
    assert 600 < asked["empty"] < 750


def test_rests_differ() -> None:
    """Many workers that found nothing at once do not ask at once again."""
    pauses = set()
    for chance in (0.0, 0.3, 0.6, 1.0):
        turns = RoundRobin(["a"], 0.0, lambda chance=chance: chance)  # type: ignore[misc]
        turns.had_none("a", NoJobReason.EMPTY, 0.0)
        assert 0.075 <= turns.pause(0.0) <= 0.125
        pauses.add(turns.pause(0.0))
    assert len(pauses) == 4


def test_a_job_that_ends_here_wakes_its_experiment() -> None:
    """It may have freed others, so there is a look at once; the next rest is short again."""
    turns = rounds("a")
    for _ in range(10):
        turns.had_none("a", NoJobReason.BLOCKED, 0.0)
    assert turns.turn(4.0) is None
    turns.ended("a", 4.0, given_back=False)
    assert turns.turn(4.0) == "a"
    turns.had_none("a", NoJobReason.BLOCKED, 4.0)
    assert math.isclose(turns.pause(4.0), 0.1)


def test_a_job_that_is_given_back_again_and_again_is_not_had_at_once() -> None:
    """Its experiment rests a little longer each time."""
    turns = rounds("a")
    pauses = []
    for _ in range(4):
        turns.had("a", 0.0)
        turns.ended("a", 0.0, given_back=True)
        pauses.append(turns.pause(0.0))
    assert pauses == [0.2, 0.5, 1.0, 2.0]


def test_how_long_waiting_is_worth_it() -> None:
    """Not at all when all is DONE, `idle` seconds when something is empty, any time when something will come."""
    turns = rounds("a", "b")
    assert turns.left(10.0, 5.0) == math.inf  # nobody has looked yet
    turns.had_none("a", NoJobReason.FINISHED, 0.0)
    turns.had_none("b", NoJobReason.DELAYED, 0.0)
    assert turns.left(10.0, 5.0) == math.inf
    turns.had_none("b", NoJobReason.EMPTY, 0.0)
    assert turns.left(10.0, 4.0) == 6.0
    assert turns.left(10.0, 14.0) == 0.0
    turns.had_none("b", NoJobReason.FINISHED, 0.0)
    assert turns.left(10.0, 4.0) == 0.0


def test_an_experiment_that_is_gone_is_left_out() -> None:
    """The others go on; the end of its last job disturbs nobody."""
    turns = rounds("a", "b")
    assert turns.remove("a")
    turns.ended("a", 0.0, given_back=False)
    assert [turns.turn(0.0) for _ in range(2)] == ["b", "b"]
    assert not turns.remove("b")
    assert turns.turn(0.0) is None


def test_what_waits_for_a_failed_job_is_not_waited_for() -> None:
    """Where nothing runs, blocked jobs stay blocked; that is believed when it is seen twice in a row."""
    turns = rounds("a")
    turns.had_none("a", NoJobReason.BLOCKED, 0.0, stuck=True)
    assert turns.left(1.0, 0.0) == math.inf
    turns.had_none("a", NoJobReason.BLOCKED, 0.1, stuck=True)
    assert turns.left(1.0, 0.1) == pytest.approx(0.9)
    turns.had_none("a", NoJobReason.BLOCKED, 0.2)
    assert turns.left(1.0, 0.2) == math.inf


def test_a_first_experiment_is_waited_for_as_jobs_are() -> None:
    """A worker that is started before anything was submitted does not end at once."""
    rounds = RoundRobin([], 100.0, lambda: 0.5)
    assert (rounds.left(600.0, 101.0), rounds.left(0.0, 101.0)) == (599.0, 0.0)
    rounds.add("a", 102.0)
    assert rounds.turn(102.0) == "a"
