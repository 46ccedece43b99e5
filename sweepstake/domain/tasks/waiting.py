"""A job that waits for room on a worker that has it, but not now."""

from __future__ import annotations

from typing import Final

from attrs import frozen

__all__ = ["ROOM_SECONDS", "RoomAnswer", "Waiting"]

#: For so many seconds after a worker began to make room for a job no other does.
ROOM_SECONDS: Final = 60.0


@frozen(kw_only=True)
class Waiting:
    """The next job of those that a worker could run if nothing else ran there.

    Attributes:
        priority: the larger, the more urgent.
        cpu: processors that it needs.
        gpu: GPUs that it needs.
        memory: bytes that it needs.
    """

    id: str
    priority: int = 0
    cpu: float = 0.0
    gpu: int = 0
    memory: int = 0


@frozen
class RoomAnswer:
    """Whether a worker may let others give way to a job that waits.

    Attributes:
        granted: it may; else another worker makes room for the job, or it waits no more.
    """

    granted: bool
