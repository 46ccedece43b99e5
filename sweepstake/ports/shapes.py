"""What calls on a queue or a store take and answer, beside the records of the domain."""

from __future__ import annotations

from typing import Final

from attrs import asdict, field, frozen

from sweepstake.domain.records import JobRecord, SearchDefinition
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus
from sweepstake.markup import pairs_html
from sweepstake.plaintext import counted

__all__ = ["MAX_BULK", "MAX_PAGE", "Counts", "ExperimentDraft", "Outlook", "PutAnswer"]

#: The most items of one page of a listing.
MAX_PAGE: Final = 1000
#: The most jobs of one bulk add; a client sends more in several calls.
MAX_BULK: Final = 5000


@frozen(kw_only=True)
class ExperimentDraft:
    """The definition of an experiment as somebody wants it stored.

    Attributes:
        settings: None keeps those of an experiment that exists (the shape of a Schedy PUT), and means the defaults
            for a new one.
        owner: email of the user whose a new one is; None: everybody's. One that exists keeps its owner.
    """

    search: SearchDefinition
    status: ExperimentStatus = ExperimentStatus.RUNNING
    settings: Settings | None = None
    owner: str | None = None


@frozen(kw_only=True)
class PutAnswer:
    """A document was written, or its create repeated.

    Attributes:
        created: the document is new.
        superseded: the write was made once, by an earlier call with the same key, and somebody else has written
            since; `record` carries the etag of *this* write, so that its next guard fails.
    """

    record: JobRecord
    created: bool
    superseded: bool = False


@frozen(kw_only=True)
class Counts:
    """How many jobs of an experiment are in which state.

    Attributes:
        ready: queued, nothing waited for, due.
        blocked: queued behind unfinished dependencies.
        delayed: queued for later.
        active_at: Unix time at which a job was last made, begun or ended; None without jobs, or if the server is of an
            older version. Two counts are equal whatever it is.
    """

    ready: int
    blocked: int
    delayed: int
    running: int
    done: int
    crashed: int
    pruned: int
    active_at: float | None = field(default=None, eq=False)

    @property
    def states(self) -> dict[str, int]:
        """How many jobs are in each state, by its name."""
        return {name: count for name, count in asdict(self).items() if name != "active_at"}

    @property
    def total(self) -> int:
        """How many jobs there are."""
        return sum(self.states.values())

    def __str__(self) -> str:
        """Return the states that jobs are in, in words: `30 jobs: 10 ready, 20 done`."""
        states = ", ".join(f"{count:,} {state}" for state, count in self.states.items() if count)
        return f"{counted(self.total, 'job')}{f': {states}' if states else ''}"

    def _repr_html_(self) -> str:
        return pairs_html("Jobs", [(state, f"{count:,}") for state, count in self.states.items()])


@frozen(kw_only=True)
class Outlook:
    """What there is to claim in an experiment.

    Attributes:
        ready: a job is queued, waits for nothing and is due.
        blocked: a job is queued behind unfinished dependencies.
        delayed: a job is queued for later.
        full: as many jobs run as `max_running` allows.
    """

    ready: bool
    blocked: bool
    delayed: bool
    full: bool
