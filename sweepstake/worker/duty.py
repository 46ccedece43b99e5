"""What a worker is for: how much it may take on, and what it runs for a job that it got."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from attrs import frozen

from sweepstake.client import Experiment
from sweepstake.domain.records import Claim, Claims
from sweepstake.domain.tasks.needs import Offer
from sweepstake.queue.call import Patience, usual_patience
from sweepstake.worker.slots.book import GuardedBook, Share
from sweepstake.worker.slots.offer import gpu_variables
from sweepstake.worker.slots.room import Room
from sweepstake.worker.work import CommandWork, Keeping, Work

__all__ = ["Assignment", "CommandDuty", "Duty", "Opening"]


@frozen(kw_only=True)
class Assignment:
    """What is run for a job, and what it has of the machine.

    Attributes:
        work: what is run.
        timeout: seconds that it may take; None for no limit of its own.
        end: gives back what it has of the machine; called once, when its last process has ended.
        keep: makes a block in which all that it leaves is kept, told the file of its output; None: nobody keeps it.
    """

    work: Work
    timeout: float | None
    end: Callable[[], None]
    keep: Callable[[Path], AbstractContextManager[Keeping]] | None = None


class Opening(Protocol):
    """Room for one job more, or several, kept for them until the block is left."""

    @property
    def offer(self) -> Offer | None:
        """What jobs may need together; None asks for jobs that say nothing of what is run for them."""
        ...

    @property
    def slots(self) -> Offer | None:
        """All that this worker has, if it wants to know which job waits for more than is offered."""
        ...

    @property
    def at_once(self) -> int:
        """How many jobs there may be room for; none if it only wants to know what waits."""
        ...

    @property
    def ids(self) -> tuple[str, ...]:
        """The only jobs that are wanted, in the order in which they are tried; nothing for any."""
        ...

    def heard(self, experiment: Experiment, found: Claims) -> Sequence[str]:
        """Note what a claim was answered, and return the keys of the claims whose jobs give way to one that waits."""
        ...

    def assign(self, experiment: Experiment, claim: Claim, called: str) -> Assignment:
        """Return what is run for a job that was claimed for the offer.

        Raises:
            ConfigurationError: it cannot be run on this machine, and goes back.
            NotFoundError: it is of another experiment than was asked, or what it runs is gone; it goes back.
            StoreUnavailableError: the store went away; it goes back.
        """
        ...


class Duty(Protocol):
    """Decides whether another job may begin, and what is run for it; threads may call it at once."""

    def has_room(self) -> bool:
        """Tell whether it is worth asking for another job, before one of those that run has ended."""
        ...

    def next_up(self) -> str | None:
        """Return the reference of the experiment for a job of which room is kept; None if it is for none."""
        ...

    def is_over(self) -> bool:
        """Tell whether nothing is to begin any more, whatever comes."""
        ...

    def open(self, experiment: Experiment, patience: Patience) -> AbstractContextManager[Opening | None]:
        """Keep room for a job of an experiment that will be claimed within the block; None if there is none now.

        Args:
            experiment: whose job it will be.
            patience: how long each call is tried while the store is away.

        Raises:
            NotFoundError: the experiment is gone.
            StoreUnavailableError: the store is away.
        """
        ...


class CommandDuty:
    """Runs one command for every job, so many of them side by side.

    Args:
        command: the arguments, with their escapes.
        environment: variables beside those of this process that every command gets.
        concurrency: how many run side by side.
        gpus_per_job: how many GPUs each has to itself; with 0 it sees those that this process sees.
        book: of the GPUs, if each has some.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        concurrency: int,
        gpus_per_job: int = 0,
        book: GuardedBook | None = None,
    ) -> None:
        self._command = command
        self._environment = {**os.environ, **environment}
        self._concurrency = concurrency
        self._room = Room(gpus=gpus_per_job)
        self._book = book
        self._running = 0
        self._lock = threading.Lock()

    def has_room(self) -> bool:
        """Tell whether fewer run than may, and one more could have its GPUs."""
        return self._running < self._concurrency and (self._book is None or self._book.free.holds(self._room))

    def next_up(self) -> None:
        """Room is kept for nobody: one command takes what the other does."""

    def is_over(self) -> bool:
        """Jobs may come as long as the worker waits for them."""
        return False

    @contextmanager
    def open(self, experiment: Experiment, patience: Patience = usual_patience) -> Iterator[Opening | None]:
        """Lock the GPUs of one job more."""
        del experiment, patience
        if self._book is None:
            yield _CommandOpening(self, Share(room=self._room))
            return
        with self._book.opened() as (_, take):
            share = take(self._room)
            if share is None:
                yield None
                return
            opening = _CommandOpening(self, share)
            try:
                yield opening
            finally:
                if not opening.taken:
                    self._book.give_back(share)

    def begin(self, claim: Claim, called: str, share: Share) -> Assignment:
        """Return the command for a job that has a share of the GPUs."""
        with self._lock:
            self._running += 1
        environment = {**self._environment, **(gpu_variables(share.gpus) if self._book is not None else {})}
        inherited = () if self._book is None else self._book.descriptors(share)
        work = CommandWork(
            command=self._command, job=claim.job, called=called, environment=environment, inherited=inherited
        )
        return Assignment(work=work, timeout=None, end=lambda: self._end(share))

    def _end(self, share: Share) -> None:
        with self._lock:
            self._running -= 1
        if self._book is not None:
            self._book.give_back(share)


class _CommandOpening:
    """Room for one command more."""

    offer = None
    slots = None
    at_once = 1
    ids = ()

    def __init__(self, duty: CommandDuty, share: Share) -> None:
        self.taken = False
        self._duty = duty
        self._share = share

    def heard(self, experiment: Experiment, found: Claims) -> Sequence[str]:
        del experiment, found
        return ()

    def assign(self, experiment: Experiment, claim: Claim, called: str) -> Assignment:
        del experiment
        self.taken = True
        return self._duty.begin(claim, called, self._share)
