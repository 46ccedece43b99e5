"""What the end of a command means."""

from typing import Any

import pytest

from sweepstake.domain.status import Outcome, Signal
from sweepstake.worker.judgement import Ending, describe, judge, terminated


@pytest.mark.parametrize(
    "ending, outcome",
    [
        ({"code": 0, "reported": True}, Outcome.DONE),
        ({"code": 0}, Outcome.CRASHED),
        ({"code": 0, "problem": "not JSON"}, Outcome.CRASHED),
        ({"code": 0, "reported": True, "problem": "not JSON"}, Outcome.CRASHED),
        ({"code": 75}, Outcome.RELEASED),
        ({"code": 75, "reported": True}, Outcome.RELEASED),
        ({"code": 1, "reported": True}, Outcome.CRASHED),
        ({"code": -9}, Outcome.CRASHED),
        ({"code": -15, "stopped": True}, Outcome.PREEMPTED),
        ({"code": 1, "stopped": True}, Outcome.PREEMPTED),
        ({"code": 0, "stopped": True}, Outcome.PREEMPTED),
        ({"code": 0, "stopped": True, "reported": True}, Outcome.DONE),
        ({"code": 75, "stopped": True}, Outcome.RELEASED),
        ({"code": -15, "timeout": 5.0}, Outcome.CRASHED),
        ({"code": 0, "reported": True, "timeout": 5.0}, Outcome.CRASHED),
        ({"code": -15, "signal": Signal.PRUNE}, Outcome.PRUNED),
        ({"code": 0, "reported": True, "signal": Signal.PRUNE}, Outcome.PRUNED),
        ({"code": -15, "signal": Signal.LOST}, Outcome.CRASHED),
    ],
)
def test_every_ending_has_its_outcome(ending: dict[str, Any], outcome: Outcome) -> None:
    """Exit codes, signals, results and what the queue said decide together."""
    assert judge(Ending(**ending), allow_empty=False).outcome is outcome


def test_empty_results_may_be_allowed() -> None:
    """A command without results is a success for whoever asks for it, but wrong ones are still wrong."""
    assert judge(Ending(code=0), allow_empty=True).outcome is Outcome.DONE
    assert judge(Ending(code=0, problem="not JSON"), allow_empty=True).outcome is Outcome.CRASHED


def test_a_crash_says_why_and_carries_the_last_words() -> None:
    """The reason names the exit code, and the last line of the output helps to find the fault."""
    verdict = judge(Ending(code=3, last_words="ValueError: no data"), allow_empty=False)
    assert verdict.reason == "exit code 3: ValueError: no data"


def test_missing_results_say_what_to_do() -> None:
    """Somebody new learns the three ways out."""
    reason = judge(Ending(code=0), allow_empty=False).reason
    for way in ("--- RESULTS ---", "SWEEPSTAKE_RESULTS_PATH", "--allow-empty-results"):
        assert way in reason


@pytest.mark.parametrize(
    "code, text",
    [
        (1, "exit code 1"),
        (-9, "killed by SIGKILL"),
        (137, "exit code 137 (SIGKILL)"),
        (-250, "killed by signal 250"),
        (255, "exit code 255"),
    ],
)
def test_exit_codes_are_put_into_words(code: int, text: str) -> None:
    """Signals have their names, also as shells report them."""
    assert describe(code) == text


@pytest.mark.parametrize("code, ended", [(-15, True), (143, True), (-9, False), (15, False), (0, False)])
def test_sigterm_is_recognised_through_a_shell(code: int, ended: bool) -> None:
    """A command that got a batch system's SIGTERM as well is not taken for one that crashed."""
    assert terminated(code) is ended
