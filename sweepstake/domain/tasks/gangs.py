"""Jobs that begin together."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from sweepstake.domain.status import JobStatus

__all__ = ["GANG_SECONDS", "GIVEN_UP", "Gang", "Member", "longest_hold"]

#: For so many seconds the jobs of a gang are held that waits for others, unless its task says another time; for longer,
#: if only so it will have the room that there is: at first for so many, doubled so often at most.
GANG_SECONDS: Final = 120.0
_FIRST_HOLD: Final = 900.0
_MOST_DOUBLINGS: Final = 10
#: The end of what stands for a report where an attempt ended because its gang was given up.
GIVEN_UP: Final = ".gang"


def longest_hold(attempt: int) -> float:
    """Return for how many seconds a gang may be held whose task states no time.

    It is twice as long with each attempt, as nobody knows whether all of the room that there is will be for it.

    Args:
        attempt: which attempt at its jobs it is, from 1.
    """
    return _FIRST_HOLD * float(2 ** min(max(attempt, 1) - 1, _MOST_DOUBLINGS))


@frozen(kw_only=True)
class Member:
    """One of the jobs that begin together.

    Attributes:
        rank: from 0; the first is the leader.
        attempt: which attempt at it this is, from 1; 0 before the first.
        worker: who runs it, or ran it last.
        hostname: of its worker, if that says it among its labels.
    """

    id: str
    rank: int
    status: JobStatus
    attempt: int = 0
    worker: str | None = None
    hostname: str | None = None


@frozen(kw_only=True)
class Gang:
    """The jobs that begin with one, by rank.

    Attributes:
        together: all were claimed, so that this one may begin. A job without a gang may at once.
        members: those that begin together; none of a job without a gang.
    """

    together: bool
    members: tuple[Member, ...] = ()
