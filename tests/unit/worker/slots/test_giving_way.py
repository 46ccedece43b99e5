"""Which jobs give way to a more urgent one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.worker.slots.giving_way import Running, who_gives_way
from sweepstake.worker.slots.room import Room


def job(key: str, cpus: float = 1.0, priority: int = 0, began: float = 0.0, **more: bool) -> Running:
    """Return a job that runs, and is preemptible unless it is said."""
    told = {"preemptible": True, **more}
    return Running(key=key, room=Room(cpus=cpus), priority=priority, began=began, **told)


@pytest.mark.parametrize(
    "running, cpus, gone",
    [
        ([job("low", priority=-2), job("lower", priority=-3)], 1, ["lower"]),
        ([job("old", began=1.0), job("young", began=2.0)], 1, ["young"]),
        ([job("a", began=1.0), job("b", began=2.0), job("c", began=3.0)], 2, ["b", "c"]),
        ([job("small", began=2.0), job("large", 4.0, began=1.0)], 4, ["large"]),
        ([job("fixed", preemptible=False), job("a")], 2, []),
        ([job("equal", priority=5), job("above", priority=6)], 1, []),
        ([job("asked", ending=True), job("a")], 1, []),
        ([job("asked", ending=True), job("a")], 2, ["a"]),
        ([], 0, []),
    ],
)
def test_the_least_urgent_and_youngest_give_way(running: list[Running], cpus: float, gone: list[str]) -> None:
    """As many as it takes, and none in vain."""
    assert sorted(who_gives_way(Room(), running, Room(cpus=cpus), 5)) == gone


def test_what_is_free_counts() -> None:
    """And nobody gives way to what has room."""
    running = [job("a"), job("b")]
    assert len(who_gives_way(Room(cpus=1.0), running, Room(cpus=2.0), 5)) == 1
    assert not who_gives_way(Room(cpus=2.0), running, Room(cpus=2.0), 5)


JOBS = st.builds(
    job,
    st.uuids().map(str),
    st.integers(1, 4).map(float),
    st.integers(-3, 3),
    st.integers(0, 9).map(float),
    preemptible=st.booleans(),
    ending=st.booleans(),
)


@given(st.lists(JOBS, max_size=8), st.integers(0, 3), st.integers(0, 12))
def test_it_makes_room_or_nobody_gives_way(running: list[Running], free: int, wanted: int) -> None:
    """Without any of those that do, there would be none; and none is asked that may not be, or was asked."""
    room, urgent = Room(cpus=wanted), 1
    gone = set(who_gives_way(Room(cpus=free), running, room, urgent))
    soon = free + sum(each.room.cpus for each in running if each.ending)
    made = {each.key: each.room.cpus for each in running if each.key in gone}
    assert all(each.preemptible and each.priority < urgent and not each.ending for each in running if each.key in gone)
    if gone:
        assert soon < wanted <= soon + sum(made.values())
        assert all(soon + sum(made.values()) - one < wanted for one in made.values())
    else:
        able = sum(
            each.room.cpus for each in running if each.preemptible and each.priority < urgent and not each.ending
        )
        assert soon >= wanted or soon + able < wanted
