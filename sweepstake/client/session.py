"""What every object of one connection shares."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import attrs
from attrs import field, frozen

from sweepstake.client.attempt.heart import Heart
from sweepstake.client.attempt.places import Places
from sweepstake.clock import Clock
from sweepstake.domain.records import ExperimentRecord, JobRecord
from sweepstake.queue.queue import Queue
from sweepstake.spool import Spool

__all__ = ["LateSession", "Session"]


@frozen(eq=False)
class Session:
    """The queue of a connection, and what goes with it.

    A copy, by `pickle` or `deepcopy`, opens the same store again when it is first used.

    Attributes:
        queue: where everything is asked.
        heart: renews the leases of this process.
        worker: says who this process is: host and process id.
        places: where what belongs to a job lies.
        spool: keeps reports that cannot be delivered yet.
        clock: tells when they were written.
        reduced: returns a function that can be imported, and its arguments, which hold no secret: it makes a copy.
        written: what its user wrote for experiments, by their references, where their names alone may mean others.
    """

    queue: Queue
    heart: Heart
    worker: Callable[[], str]
    places: Places
    spool: Spool
    clock: Clock
    reduced: Callable[[], tuple[Callable[..., Session], tuple[Any, ...]]]
    written: dict[str, str] = field(factory=dict, repr=False)

    def remember(self, experiment: ExperimentRecord, called: str) -> None:
        """Remember what the user wrote to mean an experiment."""
        if called == experiment.name:
            self.written.pop(experiment.reference, None)
        else:
            self.written[experiment.reference] = called

    def called(self, job: JobRecord) -> str:
        """Return what programs that are started for a job write to mean its experiment."""
        return self.written.get(job.reference, job.experiment) if self.written else job.experiment

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a copy be made of where the connection came from, and of nothing that is open here."""
        return self.reduced()


class LateSession(Session):
    """A session that is opened when something of it is first asked for.

    Args:
        opened: opens it.
        reduced: what makes another copy; see `Session.reduced`.
    """

    __slots__ = ("_lock", "_opened", "_reduced")

    def __init__(self, opened: Callable[[], Session], reduced: tuple[Callable[..., Session], tuple[Any, ...]]) -> None:
        for name, value in (("_opened", opened), ("_reduced", reduced), ("_lock", threading.RLock())):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        """Open the session; called for what is not there yet."""
        fields = [field.name for field in attrs.fields(Session)]
        if name not in fields:
            raise AttributeError(name)
        with self._lock:
            opened = self._opened()
            object.__setattr__(self, "_opened", lambda: opened)
            for field in fields:
                object.__setattr__(self, field, getattr(opened, field))
        return getattr(opened, name)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a copy of a copy be what this one is; it need not be opened for that."""
        reduced: tuple[Any, ...] = self._reduced
        return reduced

    def __repr__(self) -> str:
        return "<LateSession>"
