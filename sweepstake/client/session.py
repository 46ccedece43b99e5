"""What every object of one connection shares."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import attrs
from attrs import field, frozen

from sweepstake.client.attempt.heartbeat import Heartbeat
from sweepstake.client.attempt.places import Places
from sweepstake.clock import Clock
from sweepstake.config import Config
from sweepstake.domain.records import ExperimentRecord, JobRecord
from sweepstake.queue.queue import Queue
from sweepstake.spool import Spool
from sweepstake.values import JsonObject

__all__ = ["LateSession", "Reduced", "Session"]

#: What makes a copy, as `__reduce__` says it: a function that can be imported, and arguments that hold no secret.
Reduced = tuple[Callable[..., "Session"], tuple[Any, ...]]


@frozen(eq=False)
class Session:
    """The queue of a connection, and what goes with it.

    A copy, by `pickle` or `deepcopy`, opens the same store again when it is first used.

    Attributes:
        queue: where everything is asked.
        heartbeat: renews the leases of this process.
        places: where what belongs to a job lies.
        spool: keeps reports that cannot be delivered yet.
        clock: tells when they were written.
        config: the settings of the connection.
        copied: makes a copy.
        snapshot: returns what the code is from which this connection was made, and what is installed.
        written: what its user wrote for experiments, by their references, where their names alone may mean others.
    """

    queue: Queue
    heartbeat: Heartbeat
    places: Places
    spool: Spool
    clock: Clock
    config: Config = field(repr=False)
    copied: Reduced
    snapshot: Callable[[], JsonObject | None] = field(default=lambda: None, repr=False)
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

    def __reduce__(self) -> Reduced:
        """Let a copy be made of where the connection came from, and of nothing that is open here."""
        return self.copied


class LateSession(Session):
    """A session that is opened when something of it is first asked for.

    Args:
        opened: opens it.
        copied: makes another copy; it need not be opened for that.
    """

    __slots__ = ("_lock", "_opened")

    def __init__(self, opened: Callable[[], Session], copied: Reduced) -> None:
        for name, value in (("_opened", opened), ("copied", copied), ("_lock", threading.RLock())):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        """Open the session; called for what is not there yet."""
        fields = [field.name for field in attrs.fields(Session) if field.name != "copied"]
        if name not in fields:
            raise AttributeError(name)
        with self._lock:
            opened = self._opened()
            object.__setattr__(self, "_opened", lambda: opened)
            for field in fields:
                object.__setattr__(self, field, getattr(opened, field))
        return getattr(opened, name)

    def __repr__(self) -> str:
        return "<LateSession>"
