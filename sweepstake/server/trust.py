"""What was looked up a moment ago, so that most requests need not look again."""

from __future__ import annotations

import threading
from typing import Final, Generic, TypeVar

from sweepstake.clock import Clock

__all__ = ["TRUST", "Trusted"]

K = TypeVar("K")
V = TypeVar("V")

#: Seconds for which a look-up counts: the longest that a token or a share which was revoked elsewhere still works.
TRUST: Final = 5.0
#: How many look-ups are remembered.
_MOST: Final = 4096


class Trusted(Generic[K, V]):
    """Values that count for a few seconds. Safe to use from several threads."""

    def __init__(self, clock: Clock, seconds: float = TRUST, most: int = _MOST) -> None:
        self._clock = clock
        self._seconds = seconds
        self._most = most
        self._known: dict[K, tuple[V, float]] = {}
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Return what was looked up, if that was a moment ago."""
        known = self._known.get(key)
        return None if known is None or known[1] <= self._clock.monotonic() else known[0]

    def put(self, key: K, value: V) -> None:
        """Remember what was looked up."""
        with self._lock:
            if len(self._known) >= self._most:
                self._known.clear()
            self._known[key] = (value, self._clock.monotonic() + self._seconds)

    def clear(self) -> None:
        """Forget everything, because something was changed here."""
        with self._lock:
            self._known.clear()
