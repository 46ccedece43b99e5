"""What a worker is asked to do beyond running commands, and what it did."""

from __future__ import annotations

import signal
from collections import Counter

from attrs import field, frozen

from sweepstake.domain.status import Outcome
from sweepstake.worker.stopping import Stop

__all__ = ["Options", "Summary"]


@frozen(kw_only=True)
class Options:
    """What a worker does beyond running commands.

    Attributes:
        concurrency: how many jobs run side by side.
        idle: seconds to wait for another job when there is none; jobs that are only delayed, blocked behind others or
            held up by a limit are always waited for, except for blocked ones of an experiment in which nothing runs.
            None to wait until told to stop, also for a store that is away.
        max_jobs: begin no more than so many jobs; None for no limit.
        stop_on_crash: begin no other job after one that crashed.
        drain: seconds for which running jobs may go on after the first signal to stop; 0 to end them at once.
        crashes: how many jobs in a row that crash quickly stop it; 0 for any.
        quickly: seconds within which a crash is quick.
    """

    concurrency: int = 1
    idle: float | None = 0.0
    max_jobs: int | None = None
    stop_on_crash: bool = False
    drain: float = 0.0
    crashes: int = 0
    quickly: float = 10.0


@frozen(kw_only=True)
class Summary:
    """What a worker did.

    Attributes:
        outcomes: how many attempts ended in which way.
        told: how it was told to stop.
        stopped_by: the last signal that told it, or None.
        tripped: why the machine seems unfit, if too many jobs in a row crashed quickly; else empty.
        failure: the error of ours that ended it, or None.
    """

    outcomes: Counter[Outcome] = field(factory=Counter)
    told: Stop = Stop.NO
    stopped_by: signal.Signals | None = None
    tripped: str = ""
    failure: BaseException | None = None
