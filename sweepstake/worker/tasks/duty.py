"""A worker that runs what jobs carry: tasks of the specs of their experiments, as many as its slots allow."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from attrs import field, frozen

from sweepstake.client import Experiment
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import Claim, JobRecord
from sweepstake.domain.status import JobStatus
from sweepstake.domain.tasks.needs import Offer, WorkerLabel
from sweepstake.errors import ClientRequestError, ConfigurationError, NotFoundError
from sweepstake.spec import ExperimentSpec, TaskSpec
from sweepstake.spec.naming import task_names
from sweepstake.worker.duty import Assignment, Opening
from sweepstake.worker.slots.book import GuardedBook, Share
from sweepstake.worker.slots.room import Room
from sweepstake.worker.tasks.fetched import Fetched, Loan
from sweepstake.worker.tasks.keeping import KeepOptions, TaskKeeping
from sweepstake.worker.tasks.preparing import Stock
from sweepstake.worker.tasks.run import JobFacts, check_task, lacking, room_of, timeout_of
from sweepstake.worker.tasks.work import Runner, TaskWork

__all__ = ["NO_TASKS", "TaskDuty"]

#: Why an experiment is passed over that has no spec.
NO_TASKS: Final = "has no spec, so this worker, which was given no command, passes it over"

#: Seconds between two looks at what an experiment needs, and for a job that waits for room, and how many are looked at.
_BETWEEN_LOOKS: Final = 2.0
_NEXT: Final = 50
#: So much that this machine lacks is told at once.
_MOST_TOLD: Final = 20
_QUEUED: Final = JobQuery(status=frozenset({JobStatus.QUEUED}))


@frozen(kw_only=True)
class _Tasks:
    """The tasks of one version of a spec, by what they are called."""

    by_name: Mapping[str, TaskSpec]
    sweeps: frozenset[str]


class TaskDuty:
    """Runs tasks of specs, side by side.

    Args:
        book: of this worker's slots.
        labels: what this worker is.
        stock: what tasks can have on this machine.
        contained: in what they run that have an image; None for the host.
        environment: variables beside those of this process that everything gets which runs on the host.
        fetched: has results of other tasks on this machine.
        keep: how what attempts leave is kept.
        tell: takes a line for people.
        is_own: whether an experiment is this user's. A task without an image runs on the host, also where others do
            not; one that somebody else wrote does so only without containers.
    """

    def __init__(
        self,
        book: GuardedBook,
        labels: Mapping[str, str],
        stock: Stock,
        contained: Runner | None,
        environment: Mapping[str, str],
        fetched: Fetched,
        keep: KeepOptions,
        tell: Callable[[str], None],
        is_own: Callable[[Experiment], bool] = lambda _: True,
    ) -> None:
        self._book = book
        self._labels = tuple(WorkerLabel(name=name, value=value) for name, value in sorted(labels.items()))
        self._stock = stock
        self._contained = contained
        self._environment = {**os.environ, **environment}
        self._fetched = fetched
        self._keep = keep
        self._tell = tell
        self._is_own = is_own
        self._tasks: dict[tuple[str, int], _Tasks] = {}
        self._told: dict[str, Sequence[str]] = {}
        #: The experiments of which it is known that what their jobs leave can be kept.
        self._keeps: set[str] = set()
        self._looked: dict[str, float] = {}
        self._fit: dict[str, float] = {}
        #: For each experiment what the job takes that waits for room, those that have waited longest first.
        self._waiting: dict[str, Room] = {}
        self._hostname = socket.gethostname()

    def has_room(self) -> bool:
        """Tell whether some processor is free."""
        return self._book.free.cpus > 0

    @contextmanager
    def open(self, experiment: Experiment) -> Iterator[Opening | None]:
        """Lock the GPUs that are free, and offer all that is; nothing if this machine lacks what the spec names."""
        if not self._is_fit(experiment):
            yield None
            return
        self._note_waiting(experiment)
        with self._book.opened() as (room, take):
            if room.cpus <= 0:
                yield None
                return
            yield _TaskOpening(duty=self, offer=self._offer(room), take=take)

    @property
    def slots(self) -> Offer:
        """All that this worker has, and what it is."""
        return self._offer(self._book.slots.room)

    def free(self) -> Offer:
        """Return what of that no job has."""
        return self._offer(self._book.free)

    def _offer(self, room: Room) -> Offer:
        return Offer(cpu=room.cpus, gpu=room.gpus, memory=room.memory, labels=self._labels)

    def assign(self, opening: _TaskOpening, experiment: Experiment, claim: Claim, called: str) -> Assignment:
        """Return what is run for a job; see `Opening`."""
        job = claim.job
        tasks = self._tasks_of(experiment, job.spec_version)
        task = tasks.by_name.get(job.task or "")
        if task is None:
            raise ConfigurationError(f"version {job.spec_version} of the spec has no task {job.task!r}")
        check_task(task, self._stock.sources, self._stock.secrets.find, contained=self._contains(task))
        share = opening.take(room_of(task))
        if share is None:
            raise ConfigurationError("it needs more than it says")
        loan = Loan(self._fetched, experiment, job)
        results = experiment.session.places.results(job)
        work = TaskWork(
            task=task,
            facts=self._facts(claim, called, task, share, sweeps=job.task in tasks.sweeps),
            results=results,
            stock=self._stock,
            result=loan.result,
            contained=self._contained if _has_image(task) else None,
            environment=self._environment,
            inherited=self._book.descriptors(share),
        )
        return Assignment(
            work=work,
            timeout=timeout_of(task),
            end=lambda: self._end(share, loan),
            keep=lambda output: TaskKeeping(experiment.session.queue, claim, results, output, self._keep),
        )

    def _end(self, share: Share, loan: Loan) -> None:
        loan.give_back()
        self._book.give_back(share)

    def _facts(self, claim: Claim, called: str, task: TaskSpec, share: Share, *, sweeps: bool) -> JobFacts:
        job = claim.job
        return JobFacts(
            experiment=called,
            job_id=job.id,
            task=job.task or "",
            attempt=job.attempt,
            name=claim.key,
            hyperparameters=job.hyperparameters.decode(),
            sweeps=sweeps,
            share=share,
            hostname=self._hostname,
            rank=job.rank or 0,
            count=task.replicas or 1,
            seed=job.seed,
            results=job.results.decode(),
        )

    def _note_waiting(self, experiment: Experiment) -> None:
        """Look, once in a while, for the first job that fits this machine but not what is free now.

        The first is that of the highest priority, then the oldest, of those that are next by age.
        """
        name, now = experiment.reference, time.monotonic()
        if now - self._looked.get(name, -math.inf) < _BETWEEN_LOOKS:
            return
        self._looked[name] = now
        room = self._first_room(experiment)
        if room is None or self._book.free.holds(room):
            self._waiting.pop(name, None)
        else:
            self._waiting[name] = room
        self._book.waits(next(iter(self._waiting.values()), None))

    def _first_room(self, experiment: Experiment) -> Room | None:
        """Return what the job takes that is next on this machine; None if all is free, or there is none."""
        if self.free() == self.slots:
            return None
        queued = experiment.session.queue.list_jobs(experiment.reference, _QUEUED, limit=_NEXT).items
        rooms = (self._room_here(experiment, job) for job in sorted(queued, key=lambda each: -each.priority))
        return next((room for room in rooms if room is not None), None)

    def _room_here(self, experiment: Experiment, job: JobRecord) -> Room | None:
        """Return what a job takes that could be run here next; None if it cannot."""
        if job.task is None or job.not_before is not None:
            return None
        task = self._tasks_of(experiment, job.spec_version).by_name.get(job.task)
        if task is None or not self._book.slots.room.holds(room_of(task)):
            return None
        constraints = task.constraints
        labels = {(label.name, label.value) for label in self._labels}
        for key in constraints or ():
            if not any((key, value) in labels for value in constraints[key]):  # type: ignore[index]  # it has keys
                return None
        return room_of(task)

    def _is_fit(self, experiment: Experiment) -> bool:
        """Tell whether this machine has what the last spec of an experiment names, and the store keeps what jobs leave.

        If not, people are told once. That it has is looked at once in a while; what an experiment got since is looked
        at with each job.
        """
        now = time.monotonic()
        if now - self._fit.get(experiment.reference, -math.inf) < _BETWEEN_LOOKS:
            return True
        try:
            tasks = self._tasks_of(experiment, None).by_name
            unkept = self._unkept(experiment)
        except NotFoundError:
            self._pass_over(experiment, [NO_TASKS])
            return False
        lacks: dict[str, str] = {}
        for name, task in tasks.items():
            for what in self._lacks(experiment, task):
                lacks.setdefault(what, name)
        if lacks or unkept:
            told = [*unkept, *(f"is passed over: task {name!r}: {what}" for what, name in lacks.items())]
            rest = [f"is passed over for {len(told) - _MOST_TOLD:,} reasons more"] if len(told) > _MOST_TOLD else []
            self._pass_over(experiment, told[:_MOST_TOLD] + rest)
            return False
        self._told.pop(experiment.reference, None)
        self._fit[experiment.reference] = now
        return True

    def _pass_over(self, experiment: Experiment, why: Sequence[str]) -> None:
        if self._told.get(experiment.reference) != why:
            self._told[experiment.reference] = why
            for line in why:
                self._tell(f"{experiment.name} {line}")

    def _unkept(self, experiment: Experiment) -> list[str]:
        """Say why nothing that jobs leave can be kept; it is asked until it can."""
        if experiment.reference not in self._keeps:
            try:
                experiment.session.queue.ask_files(experiment.reference)
            except ClientRequestError as error:
                if type(error) is not ClientRequestError:  # the experiment is gone, or the credentials are wrong
                    raise
                return [f"is passed over: {error}"]
            self._keeps.add(experiment.reference)
        return []

    def _lacks(self, experiment: Experiment, task: TaskSpec) -> Iterator[str]:
        if self._contained is not None and not _has_image(task) and not self._is_own(experiment):
            yield "it has no image, and what others wrote runs on this host only with --no-container"
        yield from lacking(task, self._stock.sources, self._stock.secrets.find, contained=self._contains(task))

    def _contains(self, task: TaskSpec) -> bool:
        return self._contained is not None and _has_image(task)

    def _tasks_of(self, experiment: Experiment, version: int | None) -> _Tasks:
        """Return the tasks of a version of an experiment's spec; of the last one without a number."""
        name = experiment.reference
        if version is not None and (name, version) in self._tasks:
            return self._tasks[name, version]
        record = experiment.session.queue.get_spec(name, version)
        if (name, record.version) not in self._tasks:
            spec = ExperimentSpec.from_json(record.document.decode())
            named = dict(zip(task_names(spec), spec.tasks, strict=True))
            sweeps = frozenset(each for each, task in named.items() if spec.sweep is not None or task.sweep is not None)
            self._tasks[name, record.version] = _Tasks(by_name=named, sweeps=sweeps)
        return self._tasks[name, record.version]


def _has_image(task: TaskSpec) -> bool:
    """Tell whether a task says in what it runs; those of W&B's sweeps do not."""
    return task.image.docker is not None or task.image.beaker is not None


@frozen(kw_only=True)
class _TaskOpening:
    """What is free, while its GPUs are locked."""

    offer: Offer
    duty: TaskDuty
    take: Callable[[Room], Share | None] = field(repr=False)

    @property
    def at_once(self) -> int:
        """Most jobs take a processor."""
        return max(math.ceil(self.offer.cpu), 1)

    def assign(self, experiment: Experiment, claim: Claim, called: str) -> Assignment:
        return self.duty.assign(self, experiment, claim, called)
