"""Which thread of a worker claims, and for whom."""

from collections import Counter
from typing import Any

import pytest

from sweepstake.domain.status import NoJobReason, Outcome
from sweepstake.worker.duty import CommandDuty
from sweepstake.worker.pacing.agenda import Agenda, Options

DONE = {Outcome.DONE}


def agenda(*names: str, **options: Any) -> Agenda:
    """Make the agenda of a worker with room for a job."""
    return Agenda(names, CommandDuty(("true",), {}, 1), Options(**options), Counter())


def test_one_thread_claims_at_a_time() -> None:
    """Who reports meanwhile leaves it to the other; after that it may."""
    only = agenda("a")
    assert only.next_turn() == "a"
    assert not only.may_claim("a", DONE)
    only.let_claim()
    assert only.may_claim("a", DONE)
    assert not only.may_claim("a", DONE)


def test_who_reports_does_not_take_the_turn_of_others() -> None:
    """It is the next one's, also for those who claim with a report of it."""
    both = agenda("a", "b")
    assert both.next_turn() == "a"
    both.let_claim()
    assert not both.may_claim("a", DONE)
    assert both.may_claim("b", DONE)


def test_an_end_is_reason_enough_to_ask_again() -> None:
    """An experiment that rests, because it had no job, may have one now."""
    only = agenda("a")
    assert only.next_turn() == "a"
    only.had_none("a", NoJobReason.BLOCKED)
    only.let_claim()
    assert only.may_claim("a", DONE)


@pytest.mark.parametrize(
    "outcome, options",
    [(Outcome.RELEASED, {}), (Outcome.CRASHED, {"stop_on_crash": True}), (Outcome.DONE, {"max_jobs": 0})],
)
def test_some_ends_are_no_reason(outcome: Outcome, options: dict[str, Any]) -> None:
    """A job that was given back would come again at once; else it is enough."""
    assert not agenda("a", **options).may_claim("a", {outcome})


def test_as_many_are_asked_for_as_may_begin() -> None:
    """At least one, unless there is room for none."""
    assert [agenda("a").at_once(most) for most in (0, 1, 7, 1000)] == [0, 1, 7, 100]
    assert [agenda("a", max_jobs=2, crashes=5).at_once(most) for most in (0, 1, 7)] == [0, 1, 2]
    assert agenda("a", crashes=5).at_once(7) == 5


def test_the_first_error_counts() -> None:
    """Those that follow are its consequences."""
    only = agenda("a")
    assert [only.fail(error) for error in (ZeroDivisionError(), OSError())] == [True, False]
    assert isinstance(only.summary(None).failure, ZeroDivisionError)
    assert only.next_turn() is None
