"""How many jobs of an experiment are in which state, and what there is to claim."""

from __future__ import annotations

from attrs import asdict, field, frozen

from sweepstake.markup import pairs_html
from sweepstake.plaintext import counted

__all__ = ["Counts", "Outlook"]


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
