"""A worker's book of what its jobs have: decisions, and the locks that make them hold on the whole host."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from attrs import field, frozen

from sweepstake.worker.slots.locks import GpuLocks
from sweepstake.worker.slots.room import Room, Slots

__all__ = ["PATIENCE", "Book", "GuardedBook", "Locks", "Share"]

#: Seconds for which smaller jobs may overtake one that fits this machine, but not what is free of it now.
PATIENCE: Final = 60.0


class Locks(Protocol):
    """Locks that others on this host hold as well."""

    def lock(self, gpu: str) -> bool:
        """Lock a GPU, unless somebody else has; tell whether it did."""
        ...

    def unlock(self, gpu: str) -> None:
        """Let others have it."""
        ...


@frozen(kw_only=True, eq=False)
class Share:
    """What one job has of the machine."""

    room: Room
    gpus: tuple[str, ...] = field(default=())


class Book:
    """Hands out processors and memory by amount, and GPUs by number, each to one job at a time.

    It is called by one thread at a time. A worker offers what `open` returns, which locks the GPUs that it names, so
    that a job that was claimed for them can have them; then it takes a share for each job that it got, and closes.

    Args:
        slots: what there is to hand out.
        locks: of the host's GPUs.
        patience: seconds after which room is kept for a job that waits.

    Attributes:
        slots: what there is to hand out.
    """

    def __init__(self, slots: Slots, locks: Locks, patience: float = PATIENCE) -> None:
        self.slots = slots
        self._locks = locks
        self._patience = patience
        self._shares: set[Share] = set()
        self._opened: list[str] = []
        self._waiting: Room | None = None
        self._since = 0.0

    @property
    def used(self) -> Room:
        """What jobs have."""
        total = Room()
        for share in self._shares:
            total = total.plus(share.room)
        return total

    @property
    def free(self) -> Room:
        """What nobody of this worker has; another worker may have some of its GPUs."""
        return self.slots.room.minus(self.used)

    def open(self, now: float, *, for_waiting: bool = True) -> Room:
        """Return what may be offered now, after locking its GPUs; `close` must follow.

        While room is kept for a job that waits, everybody else is offered what is left beside it, so that nothing that
        begins now stands in its way.

        Args:
            now: a moment of the clock by which patience is measured.
            for_waiting: whether the job that waits may be among those that will be claimed: then all is offered once
                it has room.
        """
        assert not self._opened
        taken = {gpu for share in self._shares for gpu in share.gpus}
        try:
            for gpu in self.slots.gpus:
                if gpu not in taken and self._locks.lock(gpu):
                    self._opened.append(gpu)
        except OSError:
            self.close()
            raise
        offered = self.opened
        if self._waiting is not None and self.keeps(now) and not (for_waiting and self._has(self._waiting)):
            offered = offered.minus(self._waiting)
        return offered

    @property
    def opened(self) -> Room:
        """What is free, with so many GPUs as are locked for those to whom it is opened."""
        free = self.free
        return Room(cpus=free.cpus, gpus=min(free.gpus, len(self._opened)), memory=free.memory)

    def take(self, room: Room) -> Share | None:
        """Give a job its share of what was opened; None if it does not fit."""
        if not self._has(room):
            return None
        gpus, self._opened = self._opened[: room.gpus], self._opened[room.gpus :]
        share = Share(room=room, gpus=tuple(gpus))
        self._shares.add(share)
        return share

    def close(self) -> None:
        """Unlock the GPUs that were opened, and that nobody took."""
        while self._opened:
            self._locks.unlock(self._opened.pop())

    def give_back(self, share: Share) -> None:
        """Take back what a job had, once its last process has ended."""
        self._shares.remove(share)
        for gpu in share.gpus:
            self._locks.unlock(gpu)

    def waits(self, room: Room | None, now: float, *, at_once: bool = False) -> None:
        """Note the room of the first job that fits the machine, but not what is free; None if there is none.

        Its time begins anew when it is another room, because then the one before has begun, or is gone.

        Args:
            room: what it takes.
            now: as of `open`.
            at_once: room is kept for it without patience.
        """
        if room is not None and not self.slots.room.holds(room):
            room = None
        if room != self._waiting:
            self._waiting, self._since = room, now
        if at_once:
            self._since = -math.inf

    def keeps(self, now: float) -> bool:
        """Tell whether room is kept for the job that waits, whose patience is over."""
        return self._waiting is not None and now - self._since >= self._patience

    def _has(self, room: Room) -> bool:
        return self.free.holds(room) and room.gpus <= len(self._opened)


class GuardedBook:
    """A book with the locks of its host, which several threads may use.

    Args:
        slots: what there is to hand out.
        locks: of the host's GPUs.
        patience: see `Book`.
    """

    def __init__(self, slots: Slots, locks: GpuLocks, patience: float = PATIENCE) -> None:
        self._book = Book(slots, locks, patience)
        self._locks = locks
        self._turn = threading.RLock()

    @property
    def slots(self) -> Slots:
        """What there is to hand out."""
        return self._book.slots

    @property
    def free(self) -> Room:
        """What nobody of this worker has."""
        with self._turn:
            return self._book.free

    @contextmanager
    def opened(self, *, for_waiting: bool = True) -> Iterator[tuple[Room, Callable[[Room], Share | None]]]:
        """Open the book; give what may be offered, and what takes a share of it. Threads that give back go on."""
        with self._turn:
            offered = self._book.open(time.monotonic(), for_waiting=for_waiting)
        try:
            yield offered, self._take
        finally:
            with self._turn:
                self._book.close()

    @property
    def there(self) -> Room:
        """What is free while the book is open, with the GPUs that are locked."""
        with self._turn:
            return self._book.opened

    @property
    def keeps(self) -> bool:
        """Whether room is kept for a job that waits."""
        with self._turn:
            return self._book.keeps(time.monotonic())

    def waits(self, room: Room | None, *, at_once: bool = False) -> None:
        """Note the room of the first job that fits the machine, but not what is free; see `Book.waits`."""
        with self._turn:
            self._book.waits(room, time.monotonic(), at_once=at_once)

    def give_back(self, share: Share) -> None:
        """Take back what a job had."""
        with self._turn:
            self._book.give_back(share)

    def descriptors(self, share: Share) -> tuple[int, ...]:
        """Return the locks of a share's GPUs, for a command to inherit."""
        return tuple(self._locks.descriptor(gpu) for gpu in share.gpus)

    def touch(self) -> None:
        """Keep the files of locks from being tidied away."""
        self._locks.touch()

    def _take(self, room: Room) -> Share | None:
        with self._turn:
            return self._book.take(room)
