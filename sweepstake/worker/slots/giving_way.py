"""Which jobs give way to a more urgent one that lacks room: decisions, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

from sweepstake.worker.slots.room import Room

__all__ = ["Running", "who_gives_way"]


@frozen(kw_only=True)
class Running:
    """A job that runs here.

    Attributes:
        key: of its claim.
        room: what it has of the machine.
        priority: the larger, the more urgent.
        began: when, by any clock that all have in common.
        preemptible: whether it may be asked to give way now.
        ending: whether it was asked, and has not ended yet.
    """

    key: str
    room: Room
    priority: int
    began: float
    preemptible: bool
    ending: bool = False


def who_gives_way(free: Room, running: Iterable[Running], wanted: Room, priority: int) -> Sequence[str]:
    """Return the keys of the jobs that have to give way, so that there is room for a more urgent one.

    The least urgent give way first, and of those the youngest, who lose least. None does if it would not make room, if
    there is room, or if there will be as soon as those have ended that were asked before.

    Args:
        free: what nobody has.
        running: the jobs that run here.
        wanted: what the urgent job takes.
        priority: of the urgent job; only jobs of a lower one give way.
    """
    there = list(running)
    soon = _sum(free, (each for each in there if each.ending))
    if soon.holds(wanted):
        return ()
    willing = [each for each in there if each.preemptible and not each.ending and each.priority < priority]
    willing.sort(key=lambda each: (each.priority, -each.began))
    chosen: list[Running] = []
    while willing and not _sum(soon, chosen).holds(wanted):
        chosen.append(willing.pop(0))
    if not _sum(soon, chosen).holds(wanted):
        return ()
    for each in reversed(chosen[:]):  # the most urgent first: with what came after it, it may not be needed
        rest = [other for other in chosen if other is not each]
        if _sum(soon, rest).holds(wanted):
            chosen = rest
    return [each.key for each in chosen]


def _sum(room: Room, others: Iterable[Running]) -> Room:
    for each in others:
        room = room.plus(each.room)
    return room
