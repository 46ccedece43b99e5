"""Room on this machine: allocations begin in their turn, and no more run at a time than it has room for."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sweepstake.batch.backends.local.kept import Asked, Granted, is_over, read, write

__all__ = ["is_its_turn", "last_in_line", "take_room"]

#: Sums of fractions of processors are not exact.
_CRUMB: Final = 1e-9


def take_room(folder: Path) -> bool:
    """Give an allocation room, if it is its turn and the machine has enough; tell whether it has it.

    One that needs more than there is at all has it when nothing else does.
    """
    asked = read(folder, "asked", Asked)
    if asked is None or not is_its_turn(folder, asked):
        return False
    with _alone(folder.parent.with_name("allocations.lock")) as mine:
        if not mine:  # somebody else looks at this moment
            return False
        others = [each for each in _with_room(folder.parent) if each.host == asked.host]
        for kind, amount in asked.needs.items():
            taken = sum(each.needs.get(kind, 0) for each in others)
            if taken and taken + amount > asked.room.get(kind, 0) + _CRUMB:
                return False
        write(folder, "room", Granted(at=time.time()))
        return True


def is_its_turn(folder: Path, asked: Asked) -> bool:
    """Tell whether nobody stands in line before an allocation; who waits for others to end does not count."""
    while asked.behind is not None:
        before = folder.with_name(asked.behind)
        ahead = read(before, "asked", Asked)
        if ahead is None or _has_begun(before) or is_over(before):
            return True
        if all(is_over(before.with_name(each)) for each in ahead.after):
            return False
        asked = ahead
    return True


def last_in_line(folders: Iterable[Path]) -> str | None:
    """Return which allocation was asked for last of those that have no room yet; None if there is none."""
    waiting = list[tuple[float, str]]()
    for folder in folders:
        if _has_begun(folder) or (folder / "ended.json").exists():
            continue
        asked = read(folder, "asked", Asked)
        if asked is not None:
            waiting.append((asked.asked_at, folder.name))
    return max(waiting, default=(0.0, None))[1]


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Let one process at a time do what is in the block; it is told whether it is that one."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _with_room(allocations: Path) -> Iterable[Asked]:
    for folder in allocations.iterdir():
        if _has_begun(folder) and not (folder / "ended.json").exists() and not is_over(folder):
            asked = read(folder, "asked", Asked)
            if asked is not None:
                yield asked


def _has_begun(folder: Path) -> bool:
    return (folder / "room.json").exists()
