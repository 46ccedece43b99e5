"""A job that waits for room on a worker that has it, but not now."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Waiting"]


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
