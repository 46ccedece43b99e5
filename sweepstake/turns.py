"""Turns of long work: it goes in slices, and between two of them whoever needs little goes first.

Threads of Python take turns by themselves, but all alike: a short call, which needs its turn ten times, would wait for
a long one as often. Here the long one stops until the short one has been answered.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, TypeVar

__all__ = ["ITEMS", "ShortWork", "give_way", "grow_old", "in_one_piece", "sliced"]

T = TypeVar("T")

#: How many items of a list are one slice: jobs to be looked at, read or written, which take about a millisecond.
ITEMS: Final = 32
#: The most seconds that a slice waits, so that long work ends however much short work there is.
_PATIENCE: Final = 0.005

_here: Final = threading.local()


class ShortWork:
    """The short work that a process has at the moment; a block is one piece of it.

    One thread alone enters and leaves the blocks, such as that of an event loop.

    Args:
        patience: seconds after which the next slice of long work begins all the same.
    """

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._pieces = 0
        self._none = threading.Event()
        self._none.set()

    def goes_first(self) -> None:
        """Let the calling thread, whose work is long, give way to this work from now on."""
        _here.short = self
        _here.long = True

    def pass_by(self) -> None:
        """Wait until there is no short work, but for no more than a few milliseconds."""
        if self._pieces:
            self._none.wait(self._patience)

    def __enter__(self) -> None:
        """Begin a piece."""
        self._pieces += 1
        if self._pieces == 1:
            self._none.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._pieces -= 1
        if not self._pieces:
            self._none.set()


def give_way() -> None:
    """End a slice of long work; in a thread that does no long work for a server, do nothing."""
    short: ShortWork | None = getattr(_here, "short", None)
    if short is not None:
        short.pass_by()


def grow_old() -> None:
    """Tell that what long work makes becomes large; in a thread that does no long work for a server, do nothing.

    Python's collector of garbage looks at what is new again and again: a list of two million items takes it 20 ms, in
    which nothing else runs. So it looks once more now. After that all this counts as old, and in a server the collector
    does not look at what is old by itself.
    """
    if getattr(_here, "long", False):
        gc.collect(1)


def sliced(items: Iterable[T]) -> Iterator[T]:
    """Yield the items, and give way after each slice of them."""
    for place, item in enumerate(items, 1):
        yield item
        if place % ITEMS == 0:
            give_way()


@contextmanager
def in_one_piece() -> Iterator[None]:
    """Give no way within the block: it holds what short work may wait for, such as the store's lock."""
    short: ShortWork | None = getattr(_here, "short", None)
    _here.short = None
    try:
        yield
    finally:
        _here.short = short
