"""Seeing what there is to do, however long the store takes to answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from sweepstake.batch.ray.scaling import Demand
from sweepstake.client import Experiment
from sweepstake.domain.counts import Counts
from sweepstake.errors import NotFoundError, StoreUnavailableError

__all__ = ["Watch"]

#: Seconds between two looks at the queue, at first and while nothing changes.
_ASK: Final = (0.5, 5.0)


class Watch:
    """Looks again and again at what there is to do, on a thread of its own: a store that is away holds up nobody.

    Args:
        experiments: whose jobs the workers run.
        tell: takes a line for people.
    """

    def __init__(self, experiments: Sequence[Experiment], tell: Callable[[str], None]) -> None:
        self._experiments = list(experiments)
        self._tell = tell
        self._seen: tuple[float, Demand] | None = None
        self._error: Exception | None = None
        self._hurry = threading.Event()
        threading.Thread(target=self._look_on, name="sweepstake-demand", daemon=True).start()

    def seen(self) -> tuple[float, Demand] | None:
        """Return what was seen last, and at which moment of the monotonic clock that was asked for.

        Raises:
            SweepstakeError: the queue cannot be asked.
        """
        if self._error is not None:
            raise self._error
        return self._seen

    def hurry(self) -> None:
        """Look at once, as something has changed."""
        self._hurry.set()

    def _look_on(self) -> None:
        pause, away = _ASK[0], False
        while True:
            asked = time.monotonic()
            try:
                demand = self._look()
            except StoreUnavailableError as error:
                if not away:
                    self._tell(f"what waits cannot be seen: {error}; the workers go on")
                away = True
            except Exception as error:  # noqa: BLE001 -- the thread ends here; `seen` raises it
                self._error = error
                return
            else:
                away = False
                changed = self._seen is None or self._seen[1] != demand
                pause = _ASK[0] if changed else min(2 * pause, _ASK[1])
                self._seen = asked, demand
            if self._hurry.wait(pause):
                self._hurry.clear()
                pause = _ASK[0]

    def _look(self) -> Demand:
        counts = []
        for each in list(self._experiments):
            try:
                counts.append(each.counts())
            except NotFoundError as error:
                self._experiments.remove(each)
                if not self._experiments:
                    raise
                self._tell(f"{str(error).removesuffix('.')}; going on without it")
        return Demand(
            ready=sum(each.ready for each in counts),
            running=sum(each.running for each in counts),
            delayed=sum(each.delayed for each in counts),
            finished=sum(map(_finished, counts)),
            proposes=any(each.search().kind != "Manual" for each in self._experiments),
        )


def _finished(counts: Counts) -> int:
    return counts.done + counts.crashed + counts.pruned
