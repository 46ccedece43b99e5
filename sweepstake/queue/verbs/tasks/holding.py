"""How long a gang is held that waits for its others, so that it begins at last, and stands in nobody's way for ever."""

from __future__ import annotations

from attrs import frozen

from sweepstake.domain.status import JobStatus
from sweepstake.domain.tasks.gangs import GANG_SECONDS, longest_hold
from sweepstake.domain.tasks.needs import Needs, places, unmet
from sweepstake.queue.verbs.tasks.matching import read_needs
from sweepstake.queue.verbs.tasks.workers import offers_for
from sweepstake.stores.engine import Transaction

__all__ = ["holding_seconds"]


@frozen
class _Gang:
    """A gang of which some jobs wait for the others.

    Attributes:
        number: of its experiment.
        text: what each of its jobs needs.
        priority: the larger, the earlier it comes.
        seq: of its first job; of the same priority, the smaller comes first.
    """

    number: int
    name: str
    text: str
    priority: int
    seq: int

    @property
    def needs(self) -> Needs:
        return read_needs(self.text)

    def precedes(self, other: _Gang) -> bool:
        return (-self.priority, self.seq) < (-other.priority, other.seq)


def holding_seconds(transaction: Transaction, number: int, name: str) -> float:
    """Return for how many seconds jobs of a gang are held that wait for the others, if its task states no time.

    If the live workers have room for all of it, it is held as room is kept for a large job, until what runs there has
    ended; see `longest_hold`. It is held no longer than any other if they have not, or if a gang that comes before it,
    of whichever experiment, could use what it holds: so of gangs that hold a part of the room each, the first begins.
    """
    gangs = [_Gang(*row) for row in transaction.rows("gathering")]
    own = next((each for each in gangs if (each.number, each.name) == (number, name)), None)
    if own is None:  # its experiment is paused
        return GANG_SECONDS
    workers = dict(offers_for(transaction, number))
    if sum(places(own.needs, offer, own.needs.replicas) for offer in workers.values()) < own.needs.replicas:
        return GANG_SECONDS
    members = transaction.rows("members", experiment_id=number, gang=name)
    held = [member for member in members if member[3] == JobStatus.RUNNING]
    for gang in gangs:
        if gang.precedes(own):
            theirs = dict(offers_for(transaction, gang.number))
            used = (theirs.get(member[4]) for member in held if member[4] in theirs or member[4] not in workers)
            if any(offer is None or unmet(gang.needs, offer) is None for offer in used):
                return GANG_SECONDS
    return longest_hold(min((member[6] for member in held), default=1))
