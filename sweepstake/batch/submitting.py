"""Submitting batches: each step may be the last of a submitter that dies, and whoever comes next goes on.

First the queue is told what is intended, then the scheduler is asked, then the queue is told what it answered. A worker
begins its batch in the queue before it claims anything, so that nothing runs twice whatever became of the steps.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import evolve, field, frozen

from sweepstake.batch.backends.scheduler import Backend
from sweepstake.batch.backends.submissions import Site, Submission
from sweepstake.batch.cancelling import cancel_batches
from sweepstake.batch.planning.records import BatchJob, BatchSpec, Capacity
from sweepstake.batch.planning.schedules import schedule
from sweepstake.client import Experiment
from sweepstake.domain.batches.records import AllocationState, BatchDraft, BatchRecord, BatchStatus
from sweepstake.errors import ConfigurationError, SubmissionError, SubmissionLostError, SweepstakeError
from sweepstake.folders import own_folder

__all__ = ["Order", "Variant", "alone", "submissions_of", "submit_plan"]

#: So many allocations are one array at most.
_MOST_TOGETHER: Final = 500
#: Characters of a name that are of its batch.
_OF_ID: Final = 20


@frozen(kw_only=True)
class Variant:
    """What differs for jobs that are submitted on terms of their own.

    Attributes:
        name: of these terms.
        capacity: what an allocation can have.
        command, time_limit, site: as in `Order`.
    """

    name: str
    capacity: Capacity
    command: Sequence[str]
    time_limit: float | None
    site: Site


@frozen(kw_only=True)
class Order:
    """How batches are submitted.

    Attributes:
        called: what the worker is told that the experiment is called.
        folder: where output is; the allocations must find it at the same path.
        command: what follows the worker's own arguments: options, or ``--`` and a command.
        time_limit: seconds of each allocation; None for what was planned.
        site: what else the scheduler is told.
        members: the queue's jobs of each planned one.
        after: ids of the allocations, submitted before, that run what a planned job waits for.
        variants: what differs for some of the planned jobs, which stand in batches of their own.
    """

    called: str
    folder: Path
    command: Sequence[str] = ()
    time_limit: float | None = None
    site: Site = field(factory=Site)
    members: Mapping[str, Sequence[str]] = field(factory=dict)
    after: Mapping[str, Sequence[str]] = field(factory=dict)
    variants: Mapping[str, Variant] = field(factory=dict)

    def of(self, spec: BatchSpec, capacity: Capacity) -> tuple[Capacity, Order]:
        """Return what an allocation of a batch can have, and how that batch is submitted."""
        own = self.variants.get(spec.jobs[0].id)
        if own is None:
            return capacity, self
        return own.capacity, evolve(self, command=own.command, time_limit=own.time_limit, site=own.site)


def submit_plan(
    experiment: Experiment, plan: Sequence[BatchSpec], capacity: Capacity, backend: Backend, order: Order
) -> list[BatchRecord]:
    """Submit batches, those first that others wait for.

    Returns:
        The submission of each, in the order of the plan.

    Raises:
        InvalidInputError: something cannot be told the scheduler; then nothing was done.
        SubmissionError: the scheduler refused one, in its own words; then none is submitted.
        ConfigurationError: this machine has none of the scheduler's commands; then none is submitted.
        SubmissionLostError: there was no answer. The intent stands, and so does what was submitted before.
        LiveBatchError: somebody else has submitted some of these jobs meanwhile.
    """
    queue, reference = experiment.session.queue, experiment.reference
    jobids: dict[str, str] = {}
    made: list[BatchRecord] = []
    for each in submissions_of(plan, capacity, backend, order):
        backend.script(each)  # what cannot be told the scheduler is refused before anything is intended
    own_folder(order.folder)
    for specs in _together(plan, backend, order):
        name = f"{specs[0].id[:_OF_ID]}-{queue.new_id()[-6:]}"
        drafts = [_draft(spec, capacity, backend, name, order) for spec in specs]
        numbers = queue.intend_batches(reference, drafts)
        submission = _submission(specs, numbers, capacity, name, jobids, order)
        try:
            ids = backend.submit(submission)
        except SubmissionLostError:  # it may be there: whoever comes next looks for it
            raise
        except (ConfigurationError, SubmissionError) as error:  # the first: this machine lacks the scheduler's commands
            for spec, number in zip(specs, numbers, strict=True):
                queue.note_batch(reference, spec.id, number, status=BatchStatus.ENDED, reason=str(error))
            _end_earlier(experiment, made, backend, error)
            raise
        told = [
            queue.note_batch(reference, spec.id, number, jobid=jobid, allocation=AllocationState.PENDING)
            for spec, number, jobid in zip(specs, numbers, ids, strict=True)
        ]
        jobids |= {spec.id: jobid for spec, jobid in zip(specs, ids, strict=True)}
        made += told
        # Somebody has cancelled these before their ids were known.
        over = [jobid for jobid, each in zip(ids, told, strict=True) if each.jobid is None]
        backend.cancel(dict.fromkeys(over, name))
    place = {spec.id: number for number, spec in enumerate(plan)}
    return sorted(made, key=lambda each: place[each.id])


def _end_earlier(
    experiment: Experiment, made: Sequence[BatchRecord], backend: Backend, refusal: SweepstakeError
) -> None:
    """End what was submitted before a refusal."""
    try:
        cancel_batches(experiment, made, lambda _: backend, str(refusal))
    except SubmissionError as error:
        raise SubmissionError(f"{refusal}. What was submitted before that is up still: {error}") from refusal


def alone(spec: BatchSpec, capacity: Capacity, order: Order) -> Submission:
    """Return the submission of one batch of which no queue is told."""
    return _submission([spec], [1], capacity, spec.id, {}, order)


def submissions_of(plan: Sequence[BatchSpec], capacity: Capacity, backend: Backend, order: Order) -> list[Submission]:
    """Return what would be submitted, with ids that stand for those that nobody has given out yet."""
    found = []
    jobids: dict[str, str] = {}
    for place, specs in enumerate(_together(plan, backend, order), 1):
        name = f"{specs[0].id[:_OF_ID]}-dry"
        found.append(_submission(specs, [1] * len(specs), capacity, name, jobids, order))
        jobids |= {spec.id: f"ID-{place}" for spec in specs}
    return found


def _together(plan: Sequence[BatchSpec], backend: Backend, order: Order) -> list[list[BatchSpec]]:
    """Return the batches that are one submission each: alike in all that the scheduler is told."""
    found = dict[object, list[BatchSpec]]()
    for number, spec in enumerate(plan):  # each stands behind those that it waits for
        variant = order.variants.get(spec.jobs[0].id)
        terms = variant.name if variant is not None else None
        alike: object = (terms, spec.nodes, _limit(spec, order), spec.dependencies, _earlier(spec, order))
        if not backend.has_arrays:
            alike = number
        elif len(found.get(alike, ())) == _MOST_TOGETHER:
            found[number] = found.pop(alike)
        found.setdefault(alike, []).append(spec)
    levels = _levels(plan)
    return sorted(found.values(), key=lambda specs: levels[specs[0].id])


def _levels(plan: Sequence[BatchSpec]) -> Mapping[str, int]:
    """Return how many batches must be submitted before each, one after another; alike ones wait for the same."""
    levels: dict[str, int] = {}
    for spec in plan:
        levels[spec.id] = 1 + max((levels.get(other, 0) for other in spec.dependencies), default=0)
    return levels


def _draft(spec: BatchSpec, capacity: Capacity, backend: Backend, name: str, order: Order) -> BatchDraft:
    capacity, order = order.of(spec, capacity)
    placed = schedule(spec, capacity)
    members = [order.members.get(job.id, (job.id,)) for job in spec.jobs]
    return BatchDraft(
        id=spec.id,
        jobs=tuple(each for several in members for each in several),
        dependencies=spec.dependencies,
        backend=backend.name,
        name=name,
        nodes=spec.nodes,
        estimated_runtime=spec.estimated_runtime,
        timeout=_limit(spec, order),
        layout=spec.layout,
        session=spec.session,
        estimates=tuple(float(job.runtime) for job, several in zip(spec.jobs, members, strict=True) for _ in several),
        starts=tuple(each.start for each, several in zip(placed, members, strict=True) for _ in several),
    )


def _submission(
    specs: Sequence[BatchSpec],
    numbers: Sequence[int],
    capacity: Capacity,
    name: str,
    jobids: Mapping[str, str],
    order: Order,
) -> Submission:
    capacity, order = order.of(specs[0], capacity)
    worker = [*shlex.split(order.site.container), *_WORKER, order.called]
    jobs = [job for spec in specs for job in spec.jobs]
    memory = capacity.resources.get("memory")
    return Submission(
        name=name,
        commands=[
            [*worker, "--batch", f"{spec.id}/{number}", *order.command]
            for spec, number in zip(specs, numbers, strict=True)
        ],
        nodes=specs[0].nodes,
        cpus=int(capacity.cpus),
        gpus=int(capacity.gpus) if any(_uses(job, "gpus") for job in jobs) else 0,
        memory=int(memory) if memory is not None and any(_uses(job, "memory") for job in jobs) else None,
        time_limit=_limit(specs[0], order),
        after=[*(jobids[other] for other in specs[0].dependencies if other in jobids), *_earlier(specs[0], order)],
        folder=order.folder,
        site=order.site,
    )


#: The worker, by the interpreter that runs this: the allocation may have another path.
_WORKER: Final = (sys.executable, "-c", "from sweepstake.cli import main; main()", "worker")


def _earlier(spec: BatchSpec, order: Order) -> tuple[str, ...]:
    return tuple(sorted({each for job in spec.jobs for each in order.after.get(job.id, ())}))


def _uses(job: BatchJob, kind: str) -> bool:
    return bool(job.exclusive or (job.gpus if kind == "gpus" else job.resources.get(kind, 0)))


def _limit(spec: BatchSpec, order: Order) -> float:
    own = order.variants.get(spec.jobs[0].id)
    asked = order.time_limit if own is None else own.time_limit
    limit = spec.timeout if asked is None else asked
    assert limit is not None, "it was planned"
    return limit
