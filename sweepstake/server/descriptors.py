"""A warning in the log when a process runs out of file descriptors: by itself the server just keeps trying."""

from __future__ import annotations

import asyncio
import logging
import resource
from pathlib import Path
from typing import Final

__all__ = ["Descriptors", "watch_descriptors"]

#: Seconds between two looks, and between two lines about the same.
_LOOK: Final = 1.0
_AGAIN: Final = 60.0
#: The part of what is allowed that is worth a warning.
_MANY: Final = 0.9
_OPEN: Final = Path("/dev/fd")

_logger = logging.getLogger(__name__)


class Descriptors:
    """Counts the open descriptors of this process, and warns once a minute while they are nearly all in use."""

    def __init__(self) -> None:
        self._silent_until = 0.0

    def look(self, now: float) -> None:
        """Look once; `now` is a time in seconds, of a clock that is never set back."""
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        used = _in_use(most)
        if used < _MANY * most or now < self._silent_until:
            return
        self._silent_until = now + _AGAIN
        _logger.error(
            "%d of %d file descriptors are in use; without more, nobody can connect: raise `ulimit -n`, or limit the "
            "connections in the proxy",
            used,
            most,
        )


def _in_use(most: int) -> int:
    try:
        return sum(1 for _ in _OPEN.iterdir())
    except OSError:  # to look takes a descriptor, too
        return most


async def watch_descriptors() -> None:
    """Look once a second, until cancelled."""
    descriptors = Descriptors()
    while True:
        descriptors.look(asyncio.get_running_loop().time())
        await asyncio.sleep(_LOOK)
