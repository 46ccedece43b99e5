"""Workers that are alive, as they say with their heartbeats."""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

from sweepstake.domain.lengths import MAX_BEATS
from sweepstake.domain.names import check_name
from sweepstake.domain.schema import checked, narrowed, ref
from sweepstake.domain.tasks.needs import Offer

__all__ = ["LIVE_SECONDS", "MOST_LISTED", "WorkerRecord", "WorkerReport", "Workers"]

#: For so many seconds after its last heartbeat a worker counts as alive.
LIVE_SECONDS: Final = 60.0
#: How many workers are listed at most.
MOST_LISTED: Final = 10 * MAX_BEATS


@frozen(kw_only=True)
class WorkerReport:
    """What a worker says of itself with a heartbeat.

    Attributes:
        name: by which people know it; one name is one worker of its user.
        slots: all that it has for jobs, and its labels.
        free: what of that no job has.
        leaves: it ends, and offers nothing any more.
    """

    name: str = field(validator=checked(check_name), metadata=narrowed(ref("Name")))
    slots: Offer
    free: Offer
    leaves: bool = False


@frozen(kw_only=True)
class WorkerRecord:
    """A worker that is alive; see `WorkerReport`.

    Attributes:
        seen_at: Unix time of its last heartbeat by the store's clock.
        owner: email of its user, if it came through a server that knows users.
    """

    name: str
    slots: Offer
    free: Offer
    seen_at: float
    owner: str | None = None


@frozen
class Workers:
    """The workers that are alive, by name."""

    workers: tuple[WorkerRecord, ...]
