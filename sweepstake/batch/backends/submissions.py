"""Submissions: what a scheduler is asked for, in the same words for all schedulers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

__all__ = ["Site", "Submission"]


@frozen(kw_only=True)
class Site:
    """What a site asks for, or a person wants there, beside what the batches need.

    Attributes:
        partition: the partition, or the queue.
        account: who pays.
        qos: the quality of service.
        constraint: features that nodes must have.
        modules: what is loaded before the worker starts.
        environment: variables that the worker starts with.
        container: the command in which the worker runs, such as that of a container's engine; empty for none.
        extra: arguments for the scheduler, as they are.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    modules: Sequence[str] = ()
    environment: Mapping[str, str] = field(factory=dict)
    container: str = ""
    extra: Sequence[str] = ()


@frozen(kw_only=True)
class Submission:
    """Allocations that are alike in all that their scheduler is told; several are one array.

    Attributes:
        name: what they are called: an allocation with another name is another's, whatever its number.
        commands: the arguments of the worker of each.
        nodes: how many nodes each has.
        cpus: processors of each node.
        gpus: GPUs of each node.
        memory: bytes of each node; None for what the scheduler gives.
        time_limit: seconds.
        after: ids of the allocations that must have ended, however, before these begin.
        folder: where scripts and output are.
        site: what else the scheduler is told.
    """

    name: str
    commands: Sequence[Sequence[str]]
    nodes: int = 1
    cpus: int = 1
    gpus: int = 0
    memory: int | None = None
    time_limit: float = 1800.0
    after: Sequence[str] = ()
    folder: Path = Path()
    site: Site = Site()

    @property
    def is_array(self) -> bool:
        """Tell whether it is more than one allocation."""
        return len(self.commands) > 1
