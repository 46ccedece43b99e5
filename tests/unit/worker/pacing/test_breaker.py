"""When a machine seems unfit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.domain.status import Outcome
from sweepstake.worker.pacing.breaker import Breaker


def run(breaker: Breaker, job: str, outcome: Outcome, seconds: float = 1.0, *, timed_out: bool = False) -> None:
    """Let a job run alone from time 0."""
    breaker.begin("attempt", ("e", job), 0.0)
    breaker.end("attempt", outcome, seconds, timed_out=timed_out)


def test_quick_crashes_in_a_row_trip_it() -> None:
    """Three different jobs that crash quickly, and no more may begin."""
    breaker = Breaker(3, 10.0)
    for job in ("1", "2"):
        run(breaker, job, Outcome.CRASHED)
        assert not breaker.tripped
    run(breaker, "3", Outcome.CRASHED)
    assert breaker.tripped
    assert not breaker.allows(1000.0)


@pytest.mark.parametrize("outcome, seconds", [(Outcome.DONE, 1.0), (Outcome.DONE, 100.0), (Outcome.CRASHED, 11.0)])
def test_a_job_that_works_begins_the_count_anew(outcome: Outcome, seconds: float) -> None:
    """One that is done, or ran long, shows that the machine can."""
    breaker = Breaker(3, 10.0)
    for job, ended, lasted in (
        ("1", Outcome.CRASHED, 1.0),
        ("2", Outcome.CRASHED, 1.0),
        ("3", outcome, seconds),
        ("4", Outcome.CRASHED, 1.0),
        ("5", Outcome.CRASHED, 1.0),
    ):
        run(breaker, job, ended, lasted)
    assert not breaker.tripped


@pytest.mark.parametrize("outcome", [Outcome.RELEASED, Outcome.PREEMPTED, Outcome.PRUNED])
def test_other_ends_say_nothing(outcome: Outcome) -> None:
    """A job that was given back or pruned neither counts nor begins the count anew."""
    breaker = Breaker(2, 10.0)
    run(breaker, "1", Outcome.CRASHED)
    run(breaker, "2", outcome)
    assert not breaker.tripped
    run(breaker, "3", Outcome.CRASHED)
    assert breaker.tripped


def test_a_short_timeout_is_no_quick_crash() -> None:
    """The user's limit ended the job, not the machine."""
    breaker = Breaker(1, 10.0)
    run(breaker, "1", Outcome.CRASHED, timed_out=True)
    assert not breaker.tripped


def test_one_job_that_is_tried_again_does_not_trip_it() -> None:
    """A job that crashes everywhere is no fault of this machine."""
    breaker = Breaker(3, 10.0)
    for _ in range(10):
        run(breaker, "1", Outcome.CRASHED)
    assert breaker.allows(0.0)


def test_two_attempts_at_one_job_end_each_by_itself() -> None:
    """A job that was lost may be had again here while the command of the attempt before is still being ended."""
    breaker = Breaker(2, 10.0)
    breaker.begin("first", ("e", "1"), 0.0)
    breaker.begin("second", ("e", "1"), 5.0)
    breaker.end("first", Outcome.CRASHED, 11.0, timed_out=False)
    breaker.end("second", Outcome.CRASHED, 12.0, timed_out=False)
    run(breaker, "2", Outcome.CRASHED)
    assert breaker.tripped


def test_a_machine_that_proved_nothing_may_begin_few() -> None:
    """Of many side by side only as many as may crash; when they have run for a while, all."""
    breaker = Breaker(3, 10.0)
    for number in range(3):
        assert breaker.allows(0.0)
        breaker.begin(str(number), ("e", str(number)), float(number))
    assert not breaker.allows(2.0)
    assert breaker.pause(2.0) == 8.0
    assert breaker.allows(10.0)
    breaker.begin("more", ("e", "more"), 10.0)
    assert breaker.allows(10.0)


def test_zero_switches_it_off() -> None:
    """Whatever happens, the next may begin."""
    breaker = Breaker(0, 10.0)
    for job in "abcdef":
        run(breaker, job, Outcome.CRASHED)
    assert breaker.allows(0.0)
    assert not breaker.tripped
    assert breaker.pause(0.0) == math.inf


@given(limit=st.integers(1, 5), slots=st.integers(1, 8), order=st.lists(st.integers(0, 7), max_size=60))
def test_a_machine_that_fails_everything_burns_no_more_than_the_limit(limit: int, slots: int, order: list[int]) -> None:
    """However many run side by side, and in whatever order they crash."""
    breaker = Breaker(limit, 10.0)
    running: list[int] = []
    begun = 0
    for moment, choice in enumerate(order):
        now = moment / 10
        while len(running) < slots and breaker.allows(now):
            breaker.begin(str(begun), ("e", str(begun)), now)
            running.append(begun)
            begun += 1
        if running:
            job = running.pop(choice % len(running))
            breaker.end(str(job), Outcome.CRASHED, now, timed_out=False)
    assert begun <= limit
