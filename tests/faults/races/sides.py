"""Calls that halt before one of their statements, until they may go on."""

import threading
from collections.abc import Callable
from typing import Final

from sweepstake.errors import ClientRequestError
from tests.faults.races.moments import watched
from tests.kit.lab import WAIT_SECONDS

__all__ = ["Side", "play"]

#: How long a call that does not come to its halt is given before it counts as waiting for the other's lock. Too short
#: a time makes another interleaving, not a wrong one.
_BLOCKED_SECONDS: Final = 0.04


class Side:
    """A thread that makes one call, and halts before one of its statements until it may go on.

    Args:
        call: what it does.
        halt: before which of its statements; a negative one lets it come to its end.
        apart: count only the statements before which nothing is held and nobody waited for.

    Attributes:
        answer: what the call returned, or the name of the error with which it was refused.
        between: for each of its statements, whether it is such a one.
    """

    def __init__(self, call: Callable[[], object], halt: int, *, apart: bool) -> None:
        self.answer: object = None
        self.between: list[bool] = []
        self._call = call
        self._halt = halt
        self._apart = apart
        self._inside = False
        self._still = threading.Event()
        self._go = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self, within: float) -> None:
        """Begin, and return when it halts or ends; or after some seconds, because it waits for a lock."""
        self._thread.start()
        self._still.wait(within)

    def go_on(self, within: float) -> bool:
        """Let it come to its end, and wait for that; false if it did not within some seconds."""
        self._go.set()
        self._thread.join(within)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with watched(self._reached):
                self.answer = self._call()
        except ClientRequestError as refusal:
            self.answer = type(refusal).__name__
        except Exception as error:  # noqa: BLE001 -- a thread ends here, and the answer says what happened
            self.answer = error
        finally:
            self._still.set()

    def _reached(self, moment: str) -> None:
        when, _, statement = moment.partition(" ")
        word = statement.partition(" ")[0]
        if when == "after":
            self._inside = word not in ("commit", "rollback") and (self._inside or word == "begin")
            return
        # Whoever begins on a SQLite file has the turn already.
        between = not self._inside and statement != "begin immediate"
        passed = sum(self.between) if self._apart else len(self.between)
        if passed == self._halt and (between or not self._apart):
            self._still.set()
            self._go.wait(WAIT_SECONDS)
        self.between.append(between)


def play(first: Side, second: Side, *, apart: bool) -> None:
    """Let the first come to its halt, then the second to its own, then the first to its end, and then the second.

    Whoever waits for a lock of the other's goes on when the other is through.

    Args:
        apart: both were made to halt apart, so that none can wait for the other.

    Raises:
        AssertionError: a call came to no end; whatever else a call raised is raised again.
    """
    patience = WAIT_SECONDS if apart else _BLOCKED_SECONDS
    first.start(WAIT_SECONDS)
    second.start(patience)
    if not first.go_on(patience):
        assert second.go_on(WAIT_SECONDS), "the second call hangs"
    assert first.go_on(WAIT_SECONDS), "the first call hangs"
    assert second.go_on(WAIT_SECONDS), "the second call hangs"
    for side in (first, second):
        if isinstance(side.answer, Exception):
            raise side.answer
