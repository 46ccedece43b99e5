"""Python's garbage collector, run at moments at which nobody waits for it.

A full collection looks at every object and holds the interpreter meanwhile: a tenth of a second beside a large body or
a long listing, which consist of a million objects, none of them garbage. By itself Python begins one just then.
"""

from __future__ import annotations

import asyncio
import gc
from types import TracebackType
from typing import Final

__all__ = ["Garbage", "set_aside"]

#: Seconds between two full collections: while no long call is under way, and in any case.
_AT_REST: Final = 10
_AT_LAST: Final = 60
_NEVER: Final = 1_000_000_000


def set_aside() -> None:
    """Let no full collection begin by itself in this process, and none look at what is there already."""
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _NEVER)


class Garbage:
    """Collects garbage between long calls; each long call is a `with` block of this.

    One thread alone enters and leaves the blocks, that of the event loop.
    """

    def __init__(self) -> None:
        self._long_calls = 0

    async def collect(self, at_rest: float = _AT_REST, at_last: float = _AT_LAST) -> None:
        """Collect again and again, until the task is cancelled.

        Args:
            at_rest: seconds after which it is time while no long call is under way.
            at_last: seconds after which it is time in any case.
        """
        waited = 0.0
        while True:
            await asyncio.sleep(at_rest)
            waited += at_rest
            if not self._long_calls or waited >= at_last:
                gc.collect()
                waited = 0.0

    def __enter__(self) -> None:
        """Begin a long call."""
        self._long_calls += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End a long call."""
        self._long_calls -= 1
