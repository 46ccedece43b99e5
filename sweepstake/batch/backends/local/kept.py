"""What is kept of an allocation of this machine: small files, each written once and whole, in a folder of its own."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from attrs import asdict, field, frozen

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.local.identity import Identity
from sweepstake.folders import write_whole

__all__ = ["Asked", "Began", "Ended", "Granted", "allocation_in", "is_over", "read", "script_in", "write"]

T = TypeVar("T")
#: For so many seconds an allocation counts that nobody keeps: its submitter may be about to start who does.
_STARTING: Final = 30.0


@frozen(kw_only=True)
class Asked:
    """What was asked for: written by whoever submits.

    Attributes:
        name: what the allocation is called.
        host: the machine that it is on.
        asked_at: Unix time in seconds.
        time_limit: seconds that its command may run.
        grace: seconds that the command has to end once it is asked to.
        after: ids of the allocations that must have ended before it begins.
        log: where its output goes.
        needs: how much it takes of each kind, such as cpus.
        room: how much the machine has of each kind.
        behind: the allocation that was last in line when this one was asked for; None if nobody waited.
    """

    name: str
    host: str
    asked_at: float
    time_limit: float
    grace: float
    after: Sequence[str]
    log: str
    needs: Mapping[str, float] = field(factory=dict)
    room: Mapping[str, float] = field(factory=dict)
    behind: str | None = None


@frozen(kw_only=True)
class Began:
    """A process of an allocation.

    Attributes:
        pid: its number.
        began: what tells it from another of this number.
        at: Unix time in seconds at which it began.
    """

    pid: int
    began: str
    at: float

    @property
    def identity(self) -> Identity:
        """Which process it is."""
        return Identity(self.pid, self.began)


@frozen(kw_only=True)
class Granted:
    """An allocation has room on the machine, until it has ended.

    Attributes:
        at: Unix time in seconds since which.
    """

    at: float


@frozen(kw_only=True)
class Ended:
    """How an allocation ended.

    Attributes:
        state: in the words of all schedulers.
        code: the exit code of its command, below 0 the number of the signal that ended it; None if it never began.
        reason: why, for people.
    """

    state: str
    code: int | None
    reason: str = ""


#: The files: what was asked for, who keeps the allocation, that it has room, what runs in it, and how it ended.
_FILES: Final[Mapping[str, type[Any]]] = {
    "asked": Asked,
    "keeper": Began,
    "room": Granted,
    "command": Began,
    "ended": Ended,
}


def write(folder: Path, name: str, record: Any) -> None:
    """Write one of an allocation's files.

    Raises:
        OSError: it cannot be written.
    """
    assert isinstance(record, _FILES[name]), "each file has its record"
    write_whole(folder / f"{name}.json", json.dumps(asdict(record)).encode())


def read(folder: Path, name: str, kind: type[T]) -> T | None:
    """Return what one of an allocation's files says; None if it is not there."""
    assert _FILES[name] is kind, "each file has its record"
    try:
        return kind(**json.loads((folder / f"{name}.json").read_bytes()))
    except FileNotFoundError:
        return None


def script_in(folder: Path) -> Path:
    """Return where the script of an allocation is."""
    return folder / "script"


def is_over(folder: Path) -> bool:
    """Tell whether an allocation has ended, or is not known at all."""
    found = allocation_in(folder)
    return found is None or found.is_over


def allocation_in(folder: Path) -> Allocation | None:
    """Return what became of the allocation that is kept in a folder; None if there is none."""
    asked = read(folder, "asked", Asked)
    if asked is None:
        return None
    if asked.host != (here := socket.gethostname()):
        elsewhere = f"it is on {asked.host}, and this is {here}"
        return Allocation(jobid=folder.name, state=AllocationState.UNKNOWN, name=asked.name, reason=elsewhere)
    keeper, command = read(folder, "keeper", Began), read(folder, "command", Began)
    lives = any(each is not None and each.identity.is_alive() for each in (keeper, command))
    ended = read(folder, "ended", Ended)  # after the look at who lives: who keeps it writes this before its own end
    left = None
    if ended is not None:
        state, reason = AllocationState(ended.state), ended.reason
    elif lives and command is not None:
        state, reason = AllocationState.RUNNING, ""
        left = max(0.0, command.at + asked.time_limit - time.time())
    elif lives or (keeper is None and time.time() - asked.asked_at < _STARTING):
        state, reason = (
            AllocationState.PENDING,
            _waits_for(folder, asked),
        )
    else:
        state, reason = (
            AllocationState.FAILED,
            "it was killed" if keeper else "whoever submitted it died before it began",
        )
    return Allocation(jobid=folder.name, state=state, name=asked.name, reason=reason, left=left)


def _waits_for(folder: Path, asked: Asked) -> str:
    """Say what an allocation waits for: of others it is not asked what they wait for in turn."""
    others = [folder.with_name(each) for each in asked.after]
    if any(each.exists() and not (each / "ended.json").exists() for each in others):
        return "it waits for others"
    return "it waits for room"
