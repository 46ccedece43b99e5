"""A batch on its way: its folder, what it waits for, and how it stands.

One class, and so long, because whoever knows Canary's `TestBatch` finds all of it here.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import Attribute, define, evolve, field
from attrs.validators import optional

from sweepstake.batch.backends.adapting import PlainBackend, adapted
from sweepstake.batch.backends.scheduler import Backend
from sweepstake.batch.ending import Ending, Phase, ending_of
from sweepstake.batch.following import Followed, Stored, Unstored, follow
from sweepstake.batch.planning.limits import padded
from sweepstake.batch.planning.records import BatchJob, BatchSpec, Capacity
from sweepstake.batch.submitting import Order
from sweepstake.client import Experiment
from sweepstake.client.listing import iterate
from sweepstake.domain.batches.records import AllocationState, BatchRecord, BatchStatus
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.status import JobStatus
from sweepstake.errors import ConfigurationError, LiveBatchError, NotFoundError, SubmissionError, shown
from sweepstake.folders import write_whole
from sweepstake.plaintext import counted

__all__ = ["Batch", "TestBatch"]

#: The file of a batch in its folder.
_FILE: Final = "batch.json"
#: Seconds for which an allocation is waited for.
_QUEUE_TIMEOUT: Final = 14400.0
#: Characters of an id by which people know a batch.
_SHORT: Final = 8


class Put(Protocol):
    """What is told how a batch gets on, such as a queue."""

    def put(self, item: Any, /) -> Any:
        """Take what is told."""
        ...


def _listed(batches: Sequence[Batch] | None) -> list[Batch]:
    return list(batches or ())


def _is_amount(batch: object, attribute: Attribute[Any], value: float) -> None:
    del batch
    if not value >= 0:  # NaN is not
        raise ValueError(f"{attribute.name}: must be a number from 0, is {shown(value)}")


@define(eq=False, repr=False, slots=False)
class Batch:
    """Jobs that run in one allocation, with a folder that outlives whoever submitted it.

    Iterating over it gives its jobs.

    Args:
        spec: which jobs, and what is known of them.
        workspace: its folder, which `setup` makes.
        dependencies: the batches that it waits for.
        backend_supports_dependencies: whether a scheduler lets allocations wait for each other; then it is ready as
            soon as those are submitted.
        timeout_multiplier: by what the limit is multiplied, to wait for the end.
        queue_timeout: seconds for which its allocation is waited for.
        time_limit: seconds of its limit, whatever its jobs are expected to take.
        experiment: where its jobs are, to read how they stand.
        capacity: what each of its nodes has, as it was planned; None to ask the scheduler when it is run.
        order: how it is submitted when it is run; None for a worker that is told nothing more.

    Attributes:
        jobid: what its scheduler calls its allocation; None before it is submitted.
        phase: where it is on its way.
        status: how it ended.
        submitted_at, started_at, ended_at: Unix times; None as long as they are unknown.
    """

    __test__ = False  # pytest looks at names, and one of them begins as those of tests do

    spec: BatchSpec
    workspace: Path = field(converter=Path)
    dependencies: list[Batch] = field(default=None, converter=_listed)
    backend_supports_dependencies: bool = False
    timeout_multiplier: float = field(default=1.0, kw_only=True, validator=_is_amount)
    queue_timeout: float = field(default=_QUEUE_TIMEOUT, kw_only=True, validator=_is_amount)
    time_limit: float | None = field(default=None, kw_only=True, validator=optional(_is_amount))
    experiment: Experiment | None = field(default=None, kw_only=True)
    capacity: Capacity | None = field(default=None, kw_only=True)
    order: Order | None = field(default=None, kw_only=True)
    jobid: str | None = field(default=None, init=False)
    phase: Phase = field(default=Phase.PENDING, init=False)
    status: Ending = field(factory=Ending, init=False)
    submitted_at: float | None = field(default=None, init=False)
    started_at: float | None = field(default=None, init=False)
    ended_at: float | None = field(default=None, init=False)
    _resources: dict[str, list[dict[str, Any]]] = field(factory=dict, init=False)
    _states: dict[str, JobStatus] = field(factory=dict, init=False)

    def __iter__(self) -> Iterator[BatchJob]:
        return iter(self.spec.jobs)

    def __len__(self) -> int:
        return len(self.spec.jobs)

    def __repr__(self) -> str:
        return f"<Batch {self.display_name()}: {counted(len(self), 'job')}, {self.phase}>"

    # What it is

    @property
    def id(self) -> str:
        """The id of its spec: the same jobs in the same layout have the same."""
        return self.spec.id

    @property
    def session(self) -> str:
        """What tells plans of the same jobs apart."""
        return self.spec.session

    @property
    def jobs(self) -> tuple[BatchJob, ...]:
        """Its jobs, in the order in which they are tried."""
        return self.spec.jobs

    def display_name(self, *, status: bool = False) -> str:
        """Return what people know it by, with how it stands if they want that."""
        name = self.id[:_SHORT] + (f" ({self.jobid})" if self.jobid is not None else "")
        if not status:
            return name
        return f"{name} {self.status.outcome or self.phase}"

    # What it takes

    @property
    def cpus(self) -> int:
        """Processors that submitting it takes."""
        return self.spec.rparameters["cpus"]

    @property
    def gpus(self) -> int:
        """GPUs that submitting it takes."""
        return self.spec.rparameters["gpus"]

    def required_resources(self) -> list[dict[str, Any]]:
        """Return what submitting it takes, as kinds with their slots."""
        return self.spec.required_resources()

    @property
    def resources(self) -> dict[str, list[dict[str, Any]]]:
        """What was assigned to it: of each kind the ids, and how many slots of each."""
        return deepcopy(self._resources)

    @property
    def cpu_ids(self) -> list[str]:
        """The ids of the processors that were assigned to it."""
        return [str(each["id"]) for each in self._resources.get("cpus", ())]

    @property
    def gpu_ids(self) -> list[str]:
        """The ids of the GPUs that were assigned to it."""
        return [str(each["id"]) for each in self._resources.get("gpus", ())]

    def assign_resources(self, resources: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Assign resources in the place of those that it had."""
        self._resources = {kind: [dict(each) for each in several] for kind, several in resources.items()}

    def free_resources(self) -> dict[str, list[dict[str, Any]]]:
        """Take back what was assigned to it, and return that."""
        freed, self._resources = self._resources, {}
        return freed

    # How long it takes

    @property
    def runtime(self) -> float:
        """How many seconds it is expected to run: as planned, else one job's own time, else the sum."""
        return self.find_approximate_runtime()

    def find_approximate_runtime(self) -> float:
        """Return `runtime`."""
        if self.spec.estimated_runtime is not None:
            return self.spec.estimated_runtime
        return math.fsum(job.runtime for job in self)

    def estimated_runtime(self) -> float:
        """Return `runtime`."""
        return self.find_approximate_runtime()

    @property
    def timeout(self) -> float:
        """The limit to ask for, in seconds: what was said, else what was planned, else the runtime with slack."""
        if self.time_limit is not None:
            return self.time_limit
        return padded(self.runtime) if self.spec.timeout is None else self.spec.timeout

    def total_timeout(self) -> float:
        """Return for how many seconds its end is waited for: its time in the site's queue, and its limit."""
        return self.queue_timeout + self.timeout_multiplier * self.timeout

    def cost(self) -> float:
        """Return how much it is, to submit large ones first: sqrt(cpus^2 + runtime^2), with the most cpus of a job."""
        return math.hypot(max((job.cpus for job in self), default=0), self.runtime)

    def times(self) -> tuple[float | None, float | None, float | None]:
        """Return the seconds that it took in all, that it ran, and that it waited for its allocation, where known."""
        return (
            _between(self.submitted_at, self.ended_at),
            _between(self.started_at, self.ended_at),
            _between(self.submitted_at, self.started_at),
        )

    # Whether it may begin

    @property
    def is_complete(self) -> bool:
        """Whether it has ended and did what it should; of an end without an outcome nobody says otherwise."""
        return self.phase is Phase.DONE and not self.status.failed

    def dependency_batches_submitted(self) -> bool:
        """Tell whether all that it waits for are submitted."""
        return all(each.jobid is not None for each in self.dependencies)

    def dependency_batches_complete(self) -> bool:
        """Tell whether all that it waits for are complete: one that failed is not, as its jobs are needed here."""
        return all(each.is_complete for each in self.dependencies)

    def is_runnable(self) -> bool:
        """Tell whether it may ever begin: it has not ended, and is not skipped."""
        return self.phase is not Phase.DONE and not self.status.skipped

    def is_ready(self) -> bool:
        """Tell whether it may be submitted now."""
        if not self.is_runnable() or self.phase is Phase.RUNNING:
            return False
        if self.backend_supports_dependencies and not self._failed_dependencies():
            return all(each.jobid is not None or each.is_complete for each in self.dependencies)
        return self.dependency_batches_complete()

    def refresh_readiness(self) -> None:
        """End it, if it has not begun and what it waits for failed."""
        failed = self._failed_dependencies()
        if self.phase is Phase.PENDING and failed:
            names = ", ".join(each.display_name() for each in failed)
            self.phase = Phase.DONE
            self.set_status(outcome="BLOCKED", reason=f"what it waits for failed: {names}")

    def _failed_dependencies(self) -> list[Batch]:
        return [each for each in self.dependencies if each.phase is Phase.DONE and each.status.failed]

    # How it stands

    def set_status(
        self, category: str | None = None, outcome: str | None = None, reason: str | None = None, code: int = -1
    ) -> None:
        """Say how it ended; an outcome implies its category and number.

        Raises:
            ValueError: there is no such end, or what is said contradicts itself.
        """
        self.status = Ending.of(category, outcome, reason, code)

    def refresh(self) -> None:
        """Read from the store how its jobs stand, and how far it has come, if it knows where they are.

        Jobs that are gone stand no more. One that is over in the store is as `finish` would settle it, but not saved.

        Raises:
            StoreUnavailableError: the store is away.
        """
        if self.experiment is None:
            return
        queue, reference = self.experiment.session.queue, self.experiment.reference
        wanted, states = {job.id for job in self}, dict[str, JobStatus]()
        for each in iterate(queue, reference, JobQuery()):  # by pages, which may have others' jobs among them
            if each.id in wanted:
                states[each.id] = JobStatus(each.status)
            if len(states) == len(wanted):
                break
        self._states = states
        with suppress(NotFoundError):  # it was not submitted
            self._take_over(queue.get_batch(reference, self.id))

    def _take_over(self, record: BatchRecord) -> None:
        """Take over how far its newest submission has come."""
        if self.jobid not in (None, record.jobid) or self.phase is Phase.DONE:
            return
        self.jobid = record.jobid
        self.submitted_at, self.started_at = record.submitted_at, record.begun_at
        if record.status is BatchStatus.BEGUN:
            self.phase = Phase.RUNNING
        elif record.status is BatchStatus.ENDED:
            self.ended_at = record.ended_at
            self._settle(record.allocation, record.reason)

    @property
    def states(self) -> dict[str, JobStatus]:
        """How its jobs stood when that was read last, by their ids."""
        return dict(self._states)

    def finish(self) -> None:
        """Settle how it ended, by how its jobs stand if that was read, and save it."""
        self._settle(None)
        self.save()

    def _settle(self, allocation: AllocationState | None, reason: str = "") -> None:
        """Settle how it ended: by its jobs, else by its allocation; what was said before stays."""
        if self.status.outcome is None:
            self.status = ending_of(self._states, len(self), allocation, reason)
        self.phase = Phase.DONE
        self.ended_at = time.time() if self.ended_at is None else self.ended_at

    # Its way

    def run(self, backend: PlainBackend | Backend, queue: Put, *, pause: Callable[[float], None] = time.sleep) -> None:
        """Submit it, and return when it has ended, or was waited for as long as `total_timeout` says.

        With an experiment the store is told of it, as by `sweepstake.batch.submit`. Without one only the scheduler says
        how it ends, and the worker that it runs is told the session for the name of the experiment.

        Args:
            backend: where it is submitted.
            queue: gets ``{"event": "job_submitted", "id": ..., "jobid": ..., "timestamp": ...}``, the same with
                ``job_started``, and at the end what `getstate` returns. Nothing of it is read.
            pause: waits so many seconds.

        Raises:
            ConfigurationError: this machine lacks the scheduler's commands, or something it must be told.
            OSError: its folder cannot be written.
        """
        self.setup()
        try:
            self._follow(self._submit(adapted(backend)), queue, pause)
        except (LiveBatchError, SubmissionError) as error:
            self.set_status(outcome="FAILED", reason=str(error))
        self.refresh()
        self.finish()
        queue.put(self.getstate())

    def _submit(self, backend: Backend) -> Followed:
        order = self.order or Order(called=self.session, folder=self.workspace, time_limit=self.timeout)
        before = [each.jobid for each in self.dependencies if each.jobid is not None and each.phase is not Phase.DONE]
        if before and backend.supports_dependencies:
            order = evolve(order, after={**order.after, **{job.id: before for job in self}})
        if self.experiment is not None:
            called = order.called or self.experiment.session.written.get(
                self.experiment.reference, self.experiment.name
            )
            order = evolve(order, called=called)
            return Stored(self.spec, self.experiment, self.capacity, backend, order)
        most = Capacity(
            cpus=max((job.cpus for job in self), default=1), gpus=max((job.gpus for job in self), default=0)
        )
        return Unstored(self.spec, self.capacity or most, backend, order)

    def _follow(self, followed: Followed, queue: Put, pause: Callable[[float], None]) -> None:
        """Look at its allocation until that has ended, and tell what changes."""
        self.jobid, self.submitted_at, self.phase = followed.jobid, time.time(), Phase.STAGING
        self.save()
        queue.put(self._event("job_submitted", self.submitted_at))

        def begun() -> None:
            self.phase, self.started_at = Phase.RUNNING, time.time()
            self.save()
            queue.put(self._event("job_started", self.started_at))

        found = follow(followed, self.total_timeout(), begun, pause)
        self.phase, self.ended_at = Phase.FINISHING, time.time()
        if found is None:
            self.set_status(outcome="TIMEOUT", reason=f"it has not ended within {self.total_timeout():g} s")
            return
        self.refresh()
        self._settle(found.state, found.reason)

    def _event(self, event: str, at: float) -> dict[str, Any]:
        return {"event": event, "id": self.id, "jobid": self.jobid, "timestamp": at}

    def getstate(self) -> dict[str, Any]:
        """Return how it stands, as `setstate` takes it."""
        return {
            "id": self.id,
            "jobid": self.jobid,
            "phase": str(self.phase),
            "status": {
                "category": self.status.category,
                "outcome": self.status.outcome,
                "reason": self.status.reason,
                "code": self.status.code,
            },
            "submitted_at": self.submitted_at,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
        }

    def setstate(self, state: Mapping[str, Any]) -> None:
        """Take over how it stands elsewhere: what is named, and nothing else.

        It may be what `loadconfig` returns; what is not how a batch stands, such as its jobs, is passed over.

        Raises:
            ValueError: it is the state of another batch, or none; then nothing is changed.
        """
        if state.get("id", self.id) != self.id:
            raise ValueError(f"id: this is the state of the batch {shown(state['id'])}, not of {self.id}")
        unknown = state.keys() - self._content().keys()
        if unknown:
            raise ValueError(f"{min(unknown)}: a batch has no such state")
        if state.get("phase", self.phase) not in list(Phase):
            raise ValueError(f"phase: must be {', '.join(Phase)}, is {shown(state['phase'])}")
        status = Ending.of(**state["status"]) if "status" in state else self.status
        self.status = status
        self.phase = Phase(state.get("phase", self.phase))
        for name in ("jobid", "submitted_at", "started_at", "ended_at"):
            setattr(self, name, state.get(name, getattr(self, name)))

    # Its folder

    def setup(self) -> None:
        """Make its folder, with how it stands."""
        self.workspace.mkdir(parents=True, exist_ok=True)
        self.save()

    def save(self) -> None:
        """Write how it stands into its folder: whole, or not at all.

        Raises:
            OSError: it cannot be written; then what was there stays.
        """
        write_whole(self.workspace / _FILE, json.dumps(self._content(), indent=2).encode(), sync=True)

    def _content(self) -> dict[str, Any]:
        return {
            **self.getstate(),
            "session": self.session,
            "layout": self.spec.layout,
            "jobs": [job.id for job in self],
            "dependencies": [each.id for each in self.dependencies] or list(self.spec.dependencies),
            "nodes": self.spec.nodes,
            "estimated_runtime": self.runtime,
            "timeout": self.timeout,
            "resources": self._resources,
        }

    @staticmethod
    def loadconfig(workspace: str | os.PathLike[str]) -> dict[str, Any]:
        """Return what a batch's folder says of it, such as its id, jobs, jobid, phase and status.

        Raises:
            ConfigurationError: it is no folder of a batch.
        """
        path = Path(workspace) / _FILE
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path} cannot be read as the file of a batch: {error}") from error
        if not isinstance(content, dict) or not {"id", "jobs", "phase"} <= content.keys():
            raise ConfigurationError(f"{path} is not the file of a batch")
        return content


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


#: Another name of it.
TestBatch = Batch
