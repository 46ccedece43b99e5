"""How the end of a command becomes the outcome of its attempt."""

from __future__ import annotations

import signal
from typing import Final

from attrs import frozen

from sweepstake.client.attempt.leaving import EXIT_RELEASE
from sweepstake.domain.causes import causes_of_exit
from sweepstake.domain.status import Outcome, Signal
from sweepstake.worker.results import BEGIN, END

__all__ = ["GAVE_WAY", "TOLD", "Ending", "Verdict", "describe", "judge", "terminated"]

#: Why a worker ends a command.
TOLD: Final = "the worker was told to stop"
GAVE_WAY: Final = "it gave way to a more urgent job that lacked room"
_NO_RESULTS: Final = (
    f"exit code 0, but no results: print a block between {BEGIN} and {END}, write the file SWEEPSTAKE_RESULTS_PATH, "
    "or run with --allow-empty-results"
)


@frozen(kw_only=True)
class Ending:
    """What is known when a command has ended.

    Attributes:
        code: its exit code; -n when signal n ended it.
        stopped: whether this worker was told to stop, and ended it.
        why_stopped: why it did.
        begun: whether the command had begun.
        timeout: the seconds it was allowed, if it was ended because they were over.
        signal: what the queue said of its job while it ran.
        reported: whether it reported any results.
        problem: what is wrong with the results it reported.
        failed: how what ran it failed, which is no fault of its own; empty if it did not.
        last_words: the last line of its output.
        note: what people should know of the results it left, which is no reason for a crash.
    """

    code: int
    stopped: bool = False
    why_stopped: str = TOLD
    begun: bool = True
    timeout: float | None = None
    signal: Signal = Signal.CONTINUE
    reported: bool = False
    problem: str = ""
    failed: str = ""
    last_words: str = ""
    note: str = ""


@frozen
class Verdict:
    """The outcome to record, the reason for people to read, and for a crash what `no_retry_on` may name."""

    outcome: Outcome
    reason: str = ""
    causes: tuple[str | int, ...] = ()


def judge(ending: Ending, *, allow_empty: bool) -> Verdict:
    """Return the outcome of an attempt: 0 is done, 75 gives the job back, everything else is a crash.

    Args:
        ending: how the command ended.
        allow_empty: whether a command may succeed without any results.
    """
    if ending.signal is Signal.PRUNE:
        return Verdict(Outcome.PRUNED, "pruned while it ran")
    if not ending.begun:
        return Verdict(Outcome.RELEASED, f"{ending.why_stopped}, before it began")
    if ending.timeout is not None:
        return _crash(f"ran longer than its timeout of {ending.timeout:g} s", ending, ending.last_words)
    if ending.failed or ending.code == EXIT_RELEASE:
        return Verdict(Outcome.RELEASED, ending.failed or f"exit code {EXIT_RELEASE}: it gave the job back")
    missing = not (ending.reported or ending.problem)
    if ending.stopped and (ending.code != 0 or missing):
        return Verdict(Outcome.PREEMPTED, ending.why_stopped)
    if ending.code != 0:
        return _crash(describe(ending.code), ending, ending.last_words)
    if ending.problem or (missing and not allow_empty):
        return _crash(ending.problem or _NO_RESULTS, ending)
    return Verdict(Outcome.DONE, ending.note)


def terminated(code: int) -> bool:
    """Tell whether SIGTERM ended a command; shells report that as 143."""
    return code in (-signal.SIGTERM, 128 + signal.SIGTERM)


def describe(code: int) -> str:
    """Say what an exit code means; shells report a command that signal n killed as 128 + n."""
    if code < 0:
        return f"killed by {_name(-code)}"
    if code > 128 and _name(code - 128).startswith("SIG"):
        return f"exit code {code} ({_name(code - 128)})"
    return f"exit code {code}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _crash(reason: str, ending: Ending, last_words: str = "") -> Verdict:
    reason = f"{reason}: {last_words}" if last_words else reason
    whole = f"{reason}; {ending.note}" if ending.note else reason
    return Verdict(Outcome.CRASHED, whole, causes_of_exit(ending.code))
