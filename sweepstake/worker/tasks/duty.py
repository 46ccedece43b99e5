"""A worker that runs what jobs carry: tasks of the specs of their experiments, as many as its slots allow."""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from attrs import evolve, field, frozen

from sweepstake.client import Experiment
from sweepstake.client.attempt.process import PROCESS
from sweepstake.domain.records import Claim, Claims
from sweepstake.domain.tasks.needs import Offer, WorkerLabel
from sweepstake.domain.tasks.waiting import Waiting
from sweepstake.errors import ConfigurationError, NotFoundError, SweepstakeError
from sweepstake.queue.call import Patience, no_patience, usual_patience
from sweepstake.spec import TaskSpec
from sweepstake.worker.duty import Assignment, Opening
from sweepstake.worker.leftovers.living import Living
from sweepstake.worker.slots.book import GuardedBook, Share
from sweepstake.worker.slots.giving_way import Running, who_gives_way
from sweepstake.worker.slots.offer import HOSTNAME
from sweepstake.worker.slots.room import Room
from sweepstake.worker.tasks.fetched import Fetched, Loan
from sweepstake.worker.tasks.fitness import Fitness, has_image
from sweepstake.worker.tasks.gathering import Gathering
from sweepstake.worker.tasks.keeping import KeepOptions, TaskKeeping
from sweepstake.worker.tasks.preparing import Stock
from sweepstake.worker.tasks.run import (
    JobFacts,
    check_task,
    is_preemptible,
    least_runtime_of,
    room_of,
    timeout_of,
)
from sweepstake.worker.tasks.secrets import without_secrets
from sweepstake.worker.tasks.specs import Specs, check_same
from sweepstake.worker.tasks.work import Runner, TaskWork

__all__ = ["TaskDuty"]

_logger = logging.getLogger(__name__)

#: Seconds between two looks at what an experiment needs, and for what waits while room is kept or all is in use.
_BETWEEN_LOOKS: Final = 2.0


@frozen(kw_only=True)
class _Runs:
    """A job that runs here.

    Attributes:
        until: the moment before which it is not asked to give way.
    """

    job: Running
    until: float


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
        living: the sign that this worker lives, which names what it runs.
        is_own: whether an experiment is this user's. A task without an image runs on the host, also where others do
            not; one that somebody else wrote does so only without containers.

    Attributes:
        living: that sign.
    """

    def __init__(
        self,
        book: GuardedBook,
        labels: Sequence[WorkerLabel],
        stock: Stock,
        contained: Runner | None,
        environment: Mapping[str, str],
        fetched: Fetched,
        keep: KeepOptions,
        tell: Callable[[str], None],
        living: Living,
        is_own: Callable[[Experiment], bool] = lambda _: True,
    ) -> None:
        self.living = living
        self._book = book
        self._labels = tuple(labels)
        self._stock = stock
        self._contained = contained
        self._environment = {**without_secrets(os.environ), **environment}
        self._fetched = fetched
        self._keep = keep
        self._tell = tell
        self._is_own = is_own
        self._specs = Specs()
        self._fitness = Fitness(self._specs, self.slots, stock, is_own, tell, contains=contained is not None)
        self._looked: dict[str, float] = {}
        #: For each experiment the job that waits for room, those that have waited longest first.
        self._waiting: dict[str, Waiting] = {}
        self._running: dict[str, _Runs] = {}
        self._lock = threading.Lock()
        self._hostname = next((each.value for each in labels if each.name == HOSTNAME), socket.gethostname())

    def has_room(self) -> bool:
        """Tell whether some processor is free, or might be if a job gave way."""
        return self._book.free.cpus > 0 or any(each.job.preemptible for each in list(self._running.values()))

    def next_up(self) -> str | None:
        """Return the experiment of the job for which room is kept."""
        return self._first_waiting() if self._book.keeps else None

    def is_over(self) -> bool:
        """Jobs may come as long as the worker waits for them."""
        return False

    @contextmanager
    def open(self, experiment: Experiment, patience: Patience = usual_patience) -> Iterator[Opening | None]:
        """Lock the GPUs that are free, and offer all that is; nothing if this machine lacks what the spec names."""
        if not self._fitness.holds(experiment, patience):
            yield None
            return
        name = experiment.reference
        looks = self._must_look(name)
        with self._book.opened(for_waiting=self._first_waiting() in (None, name)) as (room, take):
            if not looks and room.cpus <= 0:
                yield None
                return
            offer = self._offer(Room() if looks else room)
            beside = self._book.keeps and not looks  # what is kept is known, and only what has room beside it is wanted
            opening = _TaskOpening(
                duty=self,
                offer=offer,
                slots=offer if beside else self.slots,
                beside=beside,
                looks=looks,
                take=take,
            )
            try:
                yield opening
            except NotFoundError:
                self._note_waiting(name, None)
                raise

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
        job, session = claim.job, experiment.session
        tasks = None if job.spec_version is None else self._specs.tasks(experiment, job.spec_version)
        self._check_same(opening, experiment)
        task = None if tasks is None else tasks.by_name.get(job.task or "")
        if tasks is None or task is None:
            raise ConfigurationError(f"version {job.spec_version} of the spec has no task {job.task!r}")
        check_task(task, self._stock.sources, self._stock.secrets.find, contained=self._contains(task))
        share = opening.take(room_of(task))
        if share is None:
            raise ConfigurationError("it needs more than it says")
        waiting = self._waiting.get(experiment.reference)
        if waiting is not None and waiting.id == job.id:
            self._note_waiting(experiment.reference, None)
        gang = None if job.gang is None else Gathering(session.queue, job, self._hostname)
        loan = Loan(self._fetched, experiment, job)
        results = session.places.results(job)
        work = TaskWork(
            task=task,
            facts=self._facts(claim, called, task, share, sweeps=job.task in tasks.sweeps),
            results=results,
            stock=self._stock,
            result=loan.result,
            contained=self._contained if has_image(task) else None,
            environment=self._environment,
            inherited=self._book.descriptors(share),
            gang=gang,
        )
        self._begins(claim, task, share)
        return Assignment(
            work=work,
            timeout=timeout_of(task),
            end=lambda: self._ends(claim, share, loan, gang),
            keep=lambda output: TaskKeeping(session.queue, claim, results, output, self._keep),
        )

    def _check_same(self, opening: _TaskOpening, experiment: Experiment) -> None:
        """Check once that what was claimed is of the experiment that was found; see `check_same`.

        Raises:
            NotFoundError: it is another's, whose command may be anybody's.
        """
        if opening.checked:
            return
        try:
            check_same(experiment)
        except NotFoundError:
            self._fitness.look_again(experiment)
            raise
        opening.checked.append(True)

    def _facts(self, claim: Claim, called: str, task: TaskSpec, share: Share, *, sweeps: bool) -> JobFacts:
        job = claim.job
        return JobFacts(
            experiment=called,
            job_id=job.id,
            task=job.task or "",
            attempt=job.attempt,
            name=self.living.name(claim.key),
            hyperparameters=job.hyperparameters.decode(),
            sweeps=sweeps,
            share=share,
            hostname=self._hostname,
            rank=job.rank or 0,
            count=task.replicas or 1,
            seed=job.seed,
            results=job.results.decode(),
        )

    def _begins(self, claim: Claim, task: TaskSpec, share: Share) -> None:
        now = time.monotonic()
        job = Running(
            key=claim.key,
            room=share.room,
            priority=claim.job.priority,
            began=now,
            preemptible=is_preemptible(task),
        )
        with self._lock:
            self._running[claim.key] = _Runs(job=job, until=now + least_runtime_of(task))

    def _ends(self, claim: Claim, share: Share, loan: Loan, gang: Gathering | None) -> None:
        if gang is not None:
            gang.close()
        with self._lock:
            self._running.pop(claim.key, None)
        loan.give_back()
        self._book.give_back(share)

    # What waits for room

    def heard(self, experiment: Experiment, found: Claims, *, looked: bool) -> Sequence[str]:
        """Note what waits for room, and return the keys of the jobs that give way to it; the book is open.

        Args:
            experiment: that was asked.
            found: its answer.
            looked: whether nothing was to be claimed: then the answer names the next job, which may have room.
        """
        if looked:
            self._looked[experiment.reference] = time.monotonic()
        waiting, there = found.waiting, self._book.there
        keys = () if waiting is None else self._make_room(experiment, there, waiting)
        if waiting is not None and looked and there.holds(_room_for(waiting)):
            waiting = None
        if looked and not keys and not self._book.keeps and not self._is_making_room():
            return ()  # all is in use, and it has to wait its turn
        self._note_waiting(experiment.reference, waiting, at_once=not found.claims)
        return keys

    def _must_look(self, name: str) -> bool:
        """Tell whether to look for what waits, once in a while, where a claim would not tell: it takes what is left."""
        if not self._book.keeps and self._book.free.cpus > 0:
            return False
        return time.monotonic() - self._looked.get(name, -math.inf) >= _BETWEEN_LOOKS

    def _make_room(self, experiment: Experiment, there: Room, waiting: Waiting) -> Sequence[str]:
        """Return the keys of the jobs that give way to one that waits, which are asked from now on.

        None does while another worker makes room for it.
        """
        keys = self._who_gives_way(there, waiting)
        if not keys or not _may_make_room(experiment, waiting):
            return ()
        with self._lock:
            for key in keys:
                if key in self._running:  # else it has ended meanwhile
                    self._running[key] = evolve(self._running[key], job=evolve(self._running[key].job, ending=True))
        return keys

    def _who_gives_way(self, there: Room, waiting: Waiting) -> Sequence[str]:
        now = time.monotonic()
        with self._lock:
            running = [
                evolve(each.job, preemptible=each.job.preemptible and each.until <= now)
                for each in self._running.values()
            ]
        return who_gives_way(there, running, _room_for(waiting), waiting.priority)

    def _is_making_room(self) -> bool:
        with self._lock:
            return any(each.job.ending for each in self._running.values())

    def _note_waiting(self, name: str, waiting: Waiting | None, *, at_once: bool = False) -> None:
        """Note which job of an experiment waits; room is kept for the most urgent, of those for the first."""
        with self._lock:
            if waiting is None:
                self._waiting.pop(name, None)
            else:
                self._waiting[name] = waiting
        first = self._first_waiting()
        room = None if first is None else _room_for(self._waiting[first])
        self._book.waits(room, at_once=at_once and first == name)

    def _first_waiting(self) -> str | None:
        with self._lock:
            return max(self._waiting, key=lambda name: self._waiting[name].priority, default=None)

    def _contains(self, task: TaskSpec) -> bool:
        return self._contained is not None and has_image(task)


def _may_make_room(experiment: Experiment, waiting: Waiting) -> bool:
    """Tell whether this worker is the one that makes room for a job."""
    queue = experiment.session.queue
    try:
        return queue.make_room(experiment.reference, waiting.id, PROCESS.worker, patience=no_patience)
    except SweepstakeError:  # the store is away, or the experiment is gone: the next claim tells that
        _logger.debug("It could not be asked who makes room.", exc_info=True)
        return False


def _room_for(waiting: Waiting) -> Room:
    """Return what a job takes that waits."""
    return Room(cpus=waiting.cpu, gpus=waiting.gpu, memory=waiting.memory)


@frozen(kw_only=True)
class _TaskOpening:
    """What is free, while its GPUs are locked.

    Attributes:
        looks: nothing is to be claimed.
        beside: room is kept for a job that is known.
        checked: something once it is known that what was claimed is of the experiment that was asked.
    """

    offer: Offer
    slots: Offer
    beside: bool
    duty: TaskDuty
    looks: bool
    take: Callable[[Room], Share | None] = field(repr=False)
    checked: list[bool] = field(factory=list, repr=False)
    ids: tuple[str, ...] = field(default=(), init=False)

    @property
    def at_once(self) -> int:
        """Most jobs take a processor."""
        return 0 if self.looks else max(math.ceil(self.offer.cpu), 1)

    def heard(self, experiment: Experiment, found: Claims) -> Sequence[str]:
        return () if self.beside else self.duty.heard(experiment, found, looked=self.looks)

    def assign(self, experiment: Experiment, claim: Claim, called: str) -> Assignment:
        return self.duty.assign(self, experiment, claim, called)
