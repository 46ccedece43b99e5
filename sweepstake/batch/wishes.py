"""What somebody wants of batches: how jobs are packed, where they are submitted, and what is run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from attrs import field, frozen

from sweepstake.batch.planning.records import Capacity

__all__ = ["Wishes"]


def _capacity(said: Capacity | str | None) -> Capacity | None:
    return Capacity.parse(said) if isinstance(said, str) else said


def _texts(several: Iterable[str]) -> tuple[str, ...]:
    return tuple(several)


@frozen(kw_only=True)
class Wishes:
    """How jobs are packed into batches, where these are submitted, and what is run for each job.

    What is not said here is as the configuration says it, else as the scheduler does.

    Attributes:
        backend: the scheduler: ``local``, ``slurm``, ``pbs``, ``flux``, or one that another package brings; None if
            jobs are only packed.
        layout: ``flat`` or ``atomic``, as in `plan`.
        count: at most so many batches, or ``max``.
        duration: seconds that a batch may run.
        nodes: ``any`` or ``same``, as in `plan`.
        capacity: the most nodes of an allocation and what each has, also as ``nodes=1,cpus=8,gpus=2``; None to ask
            the scheduler.
        skip_misfits: leave out jobs that fit into no allocation.
        jobs: how many jobs shall wait: if they are fewer, the experiment's search is asked for more first. Without it
            no search is asked: it makes jobs when workers want some.
        checkpoints: jobs keep checkpoints: one that takes longer than an allocation may is begun all the same, and goes
            on in the next.
        estimate: seconds that a job runs of whose like none has finished.
        quantile: which share of jobs shall run no longer than its estimate.
        cpus_per_job: of jobs without a spec.
        gpus_per_job: of jobs without a spec.
        fill: let an allocation run other jobs of the experiment that fit, while none of its own can begin: several that
            are up then end together.
        command: what is run for each job without a spec, as arguments.
        time_limit: seconds of each allocation; None for what is planned.
        partition: the partition, or queue, of the cluster.
        account: who pays.
        qos: the quality of service.
        constraint: features that nodes must have.
        extra: arguments for the scheduler, as they are.
    """

    backend: str | None = None
    layout: str = "flat"
    count: int | Literal["max"] | None = None
    duration: float | None = None
    nodes: str = "any"
    capacity: Capacity | None = field(default=None, converter=_capacity)
    skip_misfits: bool = False
    jobs: int | None = None
    checkpoints: bool = False
    estimate: float | None = None
    quantile: float = 0.9
    cpus_per_job: float = 1
    gpus_per_job: int = 0
    fill: bool = False
    command: tuple[str, ...] = field(default=(), converter=_texts)
    time_limit: float | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    extra: tuple[str, ...] = field(default=(), converter=_texts)
