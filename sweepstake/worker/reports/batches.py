"""Doing at once what several threads have to do: one does it for all that came while another was at it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["Batches"]

T = TypeVar("T")


class Batches(Generic[T]):
    """Gathers what threads hand in under the same name.

    Nobody waits for company: whoever comes first begins at once, and those that come meanwhile are the next.

    Args:
        most: how many are taken at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._turn = threading.Condition()
        self._waiting: dict[str, list[T]] = {}
        self._busy: set[str] = set()

    def turns(self, name: str, item: T) -> Iterator[list[T]]:
        """Hand something in, and yield what this thread has to do: nothing if another thread does it.

        Args:
            name: under which at most one thread is at work.
            item: equal to no other.
        """
        with self._turn:
            self._waiting.setdefault(name, []).append(item)
        while taken := self._take(name, item):
            try:
                yield taken
            finally:
                self.go_on(name)
            if item in taken:
                return

    def waiting(self, name: str) -> int:
        """Return how much waits for its turn."""
        with self._turn:
            return len(self._waiting.get(name, ()))

    def go_on(self, name: str) -> None:
        """Let the others not wait any more for the thread that is at work."""
        with self._turn:
            self._busy.discard(name)
            self._turn.notify_all()

    def _take(self, name: str, item: T) -> list[T]:
        """Wait until nobody is at work, and take what waits; nothing if the item was taken meanwhile."""
        with self._turn:
            waiting = self._waiting[name]
            self._turn.wait_for(lambda: item not in waiting or name not in self._busy)
            if item not in waiting:
                return []
            self._busy.add(name)
            taken = waiting[: self._most]
            del waiting[: self._most]
            return taken
