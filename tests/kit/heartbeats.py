"""Leases that nobody renews: for commands that end before theirs do."""

from collections.abc import Sequence

from sweepstake.domain.status import Signal
from sweepstake.worker.heartbeat_process import HeartbeatProcess

__all__ = ["NoHeartbeats"]


class NoHeartbeats(HeartbeatProcess):
    """Starts no process and renews nothing.

    Attributes:
        group: the process group of the last command; 0 before it.
    """

    def __init__(self) -> None:
        self.group = 0

    def wait(self) -> None:
        """There is nothing to wait for."""

    def hold(self, attempt: str, lease: float, group: int | None, ending: Sequence[str] = (), run: str = "") -> None:
        """Remember the group."""
        del attempt, lease, ending, run
        self.group = group or 0

    def ended(self, attempt: str) -> Signal:
        """Nobody said anything."""
        del attempt
        return Signal.CONTINUE

    def drop(self, attempt: str) -> None:
        """Nothing was held."""
