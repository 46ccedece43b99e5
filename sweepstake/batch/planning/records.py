"""What a plan is made from, and the batches that it consists of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Self

from attrs import Factory, field, frozen

from sweepstake.batch.planning.amounts import Amounts
from sweepstake.errors import PlanError, shown
from sweepstake.spec.scalars import memory_bytes

__all__ = ["BatchJob", "BatchSpec", "Capacity"]

#: The kinds of a capacity that have a field of their own.
_OWN: Final = ("nodes", "cpus", "gpus")
#: Characters of a batch's id.
_ID: Final = 20


def _ids(ids: Iterable[str]) -> tuple[str, ...]:
    # A text is no list of ids, though it can be iterated over: it is left for `plan` to refuse.
    return ids if isinstance(ids, str) else tuple(ids)  # type: ignore[return-value]


def _jobs(jobs: Iterable[BatchJob]) -> tuple[BatchJob, ...]:
    return tuple(jobs)


@frozen(kw_only=True)
class BatchJob:
    """A job as planning sees it. The replicas of a task are one, with `nodes` for their number.

    `plan` checks it, so that one error names everything that is wrong.

    Attributes:
        id: the queue's id of the job.
        runtime: how long it is expected to run, in seconds.
        cpus: processors that it takes on each of its nodes; may be a fraction.
        gpus: GPUs on each node.
        nodes: how many nodes it takes at once.
        resources: amounts of other kinds on each node, such as ``{"memory": 2**30}``; memory is in bytes.
        exclusive: nothing else runs on its nodes while it does.
        depends_on: ids of the jobs that it waits for; those that are not planned with it count as met.
        priority: higher is more urgent.
    """

    id: str
    runtime: float
    cpus: float = 1
    gpus: float = 0
    nodes: int = 1
    resources: Mapping[str, float] = field(default=Amounts(), converter=Amounts)
    exclusive: bool = False
    depends_on: tuple[str, ...] = field(default=(), converter=_ids)
    priority: int = 0


@frozen(kw_only=True)
class Capacity:
    """What one allocation can have.

    Attributes:
        cpus: processors of each node.
        gpus: GPUs of each node.
        nodes: the most nodes of one allocation.
        resources: what each node has of other kinds; memory is in bytes.
    """

    cpus: float
    gpus: float = 0
    nodes: int = 1
    resources: Mapping[str, float] = field(default=Amounts(), converter=Amounts)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a capacity as people write it: ``nodes=4,cpus=64,gpus=8,memory=256GiB``.

        `cpus` must be there. Other kinds than nodes, cpus and gpus are counted, or are sizes with a unit.

        Raises:
            PlanError: the text is no capacity; the message names the part that is wrong.
        """
        if not isinstance(text, str):
            raise PlanError(f"capacity: must be a text such as 'nodes=4,cpus=64,gpus=8', is {shown(text)}")
        amounts: dict[str, int] = {}
        for part in filter(None, (each.strip() for each in text.split(","))):
            kind, equals, amount = (each.strip() for each in part.partition("="))
            if not equals or not kind or not amount:
                raise PlanError(f"capacity: {shown(part)} must be KIND=NUMBER, as in 'nodes=4,cpus=64,gpus=8'")
            if kind in amounts:
                raise PlanError(f"capacity: {kind} is given twice")
            amounts[kind] = _amount(kind, amount)
        if "cpus" not in amounts:
            raise PlanError(f"capacity: cpus is missing in {shown(text)}; add cpus=NUMBER, those of one node")
        others = {kind: amount for kind, amount in amounts.items() if kind not in _OWN}
        return cls(resources=others, **{kind: amounts[kind] for kind in _OWN if kind in amounts})


def _amount(kind: str, text: str) -> int:
    least = 1 if kind in {"nodes", "cpus"} else 0
    if text.isascii() and text.isdecimal() and int(text) >= least:
        return int(text)
    if kind in _OWN:
        raise PlanError(f"capacity: {kind} must be a whole number from {least}, is {shown(text)}")
    try:
        return memory_bytes(text)
    except ValueError as error:
        raise PlanError(f"capacity: {kind} {error}") from None


@frozen(kw_only=True)
class BatchSpec:
    """Some jobs that run in one allocation, and what is known of them beforehand.

    Iterating over it gives its jobs.

    Attributes:
        layout: ``flat`` or ``atomic``, as in `plan`.
        jobs: in an order in which they can start; whoever runs them tries them in this order.
        dependencies: ids of the batches that must be complete before this one starts.
        exclusive: whether a job of it wants its nodes to itself.
        nodes: how many nodes its allocation has.
        estimated_runtime: seconds that its simulated schedule takes; None if nobody planned it.
        timeout: the wall limit to ask for, in seconds; None if nobody planned it.
        session: what tells plans of the same jobs apart, where that is wanted.
        id: made from the layout, the session and the ids of the jobs, so that the same batch always has the same.
    """

    layout: str
    jobs: tuple[BatchJob, ...] = field(converter=_jobs)
    dependencies: tuple[str, ...] = field(default=(), converter=_ids)
    exclusive: bool = False
    nodes: int = 1
    estimated_runtime: float | None = None
    timeout: float | None = None
    session: str = ""
    id: str = field(init=False, default=Factory(lambda self: self._name(), takes_self=True))

    def __iter__(self) -> Iterator[BatchJob]:
        return iter(self.jobs)

    def __len__(self) -> int:
        return len(self.jobs)

    @property
    def rparameters(self) -> dict[str, int]:
        """What submitting the batch takes, and waiting for it: one processor, whatever its jobs need."""
        return {"cpus": 1, "gpus": 0}

    def required_resources(self) -> list[dict[str, Any]]:
        """Return what submitting the batch takes, as a list of kinds with their slots."""
        return [{"type": "cpus", "slots": 1}]

    def _name(self) -> str:
        said = json.dumps([self.layout, self.session, sorted(job.id for job in self.jobs)])
        return hashlib.sha256(said.encode()).hexdigest()[:_ID]
