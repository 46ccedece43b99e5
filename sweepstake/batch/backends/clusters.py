"""What a cluster has, as its scheduler says it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attrs import field, frozen

from sweepstake.batch.planning.records import Capacity

__all__ = ["Cluster", "NodeKind", "cluster_of"]


@frozen(kw_only=True)
class NodeKind:
    """Nodes that are alike.

    Attributes:
        number: how many.
        cpus: processors of each.
        gpus: GPUs of each.
        memory: bytes of each; None if the scheduler does not say.
    """

    number: int
    cpus: int
    gpus: int = 0
    memory: int | None = None


@frozen(kw_only=True)
class Cluster:
    """A partition, or a queue, of a cluster.

    Attributes:
        capacity: the most nodes of one allocation, and what each has: of several kinds of nodes that of the most.
        longest: the longest limit of an allocation, in seconds; None if there is none.
    """

    capacity: Capacity
    longest: float | None = field(default=None)


def cluster_of(kinds: Iterable[NodeKind], longest: float | None = None) -> Cluster | None:
    """Return a cluster of these nodes, by the kind of which there are the most; None if there are none."""
    numbers = Counter[tuple[int, int, int | None]]()
    for kind in kinds:
        numbers[kind.cpus, kind.gpus, kind.memory] += kind.number
    if not numbers:
        return None
    (cpus, gpus, memory), number = max(numbers.items(), key=lambda each: (each[1], each[0][:2]))
    resources = {} if memory is None else {"memory": memory}
    return Cluster(capacity=Capacity(cpus=cpus, gpus=gpus, nodes=number, resources=resources), longest=longest)
