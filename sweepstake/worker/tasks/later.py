"""Calls to be made later, by one thread for all of them."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from attrs import define, field

__all__ = ["Later"]

_logger = logging.getLogger(__name__)
#: Tells those apart that are due at the same moment.
_NUMBERS: Final = itertools.count()


@define(order=True)
class _Due:
    moment: float
    number: int = field(factory=lambda: next(_NUMBERS))
    do: Callable[[], None] | None = field(default=None, order=False)


class Later:
    """Makes calls when they are due, unless they are called off; most of what is meant for later never happens.

    What is called must not take long, because the others wait for it. The thread begins with the first call.
    """

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._due: list[_Due] = []
        self._thread: threading.Thread | None = None

    def call(self, seconds: float, do: Callable[[], None]) -> Callable[[], None]:
        """Call a function after so many seconds; return what calls that off.

        Raises:
            RuntimeError: this machine has no room for another thread.
        """
        due = _Due(time.monotonic() + seconds, do=do)

        def call_off() -> None:
            due.do = None

        with self._wake:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="sweepstake-later", daemon=True)
                thread.start()
                self._thread = thread
            heapq.heappush(self._due, due)
            if self._due[0] is due:
                self._wake.notify()
        return call_off

    def _run(self) -> None:
        while True:
            do = self._next()
            try:
                do()
            except Exception:  # a thread ends here: what one call cannot do must not cost the others
                _logger.exception("What was to be done later could not be done.")

    def _next(self) -> Callable[[], None]:
        """Wait for the next call that is due."""
        with self._wake:
            while True:
                while self._due and self._due[0].do is None:
                    heapq.heappop(self._due)
                left = self._due[0].moment - time.monotonic() if self._due else None
                if left is not None and left <= 0:
                    do = heapq.heappop(self._due).do
                    if do is not None:
                        return do
                    continue
                self._wake.wait(left)
