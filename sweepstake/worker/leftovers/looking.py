"""Looking for what workers left that were killed: at the start of a worker, and as long as it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sweepstake.errors import SweepstakeError
from sweepstake.worker.leftovers.living import Living
from sweepstake.worker.leftovers.processes import end_processes_of_dead
from sweepstake.worker.repeating import repeated

__all__ = ["ending_leftovers"]

#: Seconds between two looks at who lives.
_PAUSE: Final = 2.0
#: Seconds after which nothing more can come of what a dead worker had begun, such as a container that was being made.
_LONG_DEAD: Final = 60.0

_logger = logging.getLogger(__name__)


@contextmanager
def ending_leftovers(
    living: Living,
    end_containers: Callable[[], list[str]] | None,
    tell: Callable[[str], None],
    pause: float = _PAUSE,
) -> Iterator[None]:
    """End what dead workers of this user and host left, and within the block what those leave that die.

    Args:
        living: the sign that this worker lives; it is kept from being tidied away.
        end_containers: ends what is left of containers, and returns their names; None without an engine.
        tell: takes a line for people.
        pause: seconds between two looks.
    """

    def end() -> None:
        for name in () if end_containers is None else end_containers():
            tell(f"ended the container {name}, whose worker had died")
        if count := end_processes_of_dead(living):
            tell(f"ended processes whose worker had died: {count}")

    def look() -> None:
        try:
            living.touch()
            if dead := living.dead():
                end()
                living.forget(dead, _LONG_DEAD)
        except (OSError, SweepstakeError):
            _logger.warning("What dead workers left could not be looked for.", exc_info=True)

    end()
    with repeated(look, pause, "sweepstake-leftovers"):
        yield
