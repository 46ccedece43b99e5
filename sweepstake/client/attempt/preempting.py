"""What a job's user wants done before the job is given back to the queue."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from attrs import frozen

from sweepstake.errors import InvalidInputError, shown

__all__ = ["HOOK_SECONDS", "Hooks"]

#: Seconds a hook may take. With the 10 s in which the job is given back (`TERM_PATIENCE`) they make up the 30 s that
#: Slurm and Kubernetes leave by default between SIGTERM and SIGKILL.
HOOK_SECONDS = 20.0

_logger = logging.getLogger(__name__)


@frozen
class _Hook:
    call: Callable[[], object]
    within: float


class Hooks:
    """Functions to call before a job is given back as preempted, in the order in which they were added."""

    def __init__(self) -> None:
        self._hooks: list[_Hook] = []

    def add(self, call: object, within: object) -> None:
        """Call `call` as well, and wait for it at most `within` seconds.

        Raises:
            InvalidInputError: one of the two is not what it should be.
        """
        if not callable(call):
            raise InvalidInputError.at("callback", f"must be a function, is {shown(call)}")
        if isinstance(within, bool) or not isinstance(within, (int, float)) or not 0 < within <= threading.TIMEOUT_MAX:
            raise InvalidInputError.at("within", f"must be a number of seconds above 0, is {shown(within)}")
        self._hooks.append(_Hook(call, within))

    def run(self) -> None:
        """Call each once, on a thread of its own, so that one that hangs holds nobody up for longer than its time.

        What they raise is logged. Ctrl-C ends the waiting.
        """
        hooks, self._hooks = self._hooks, []
        for hook in hooks:
            thread = threading.Thread(target=_call, args=(hook.call,), name="sweepstake-preempt", daemon=True)
            thread.start()
            try:
                thread.join(hook.within)
            except KeyboardInterrupt:  # the block is left by such an exception already, and it is raised again
                _logger.warning("Interrupted: %s is not waited for.", shown(hook.call))
                return
            if thread.is_alive():
                _logger.warning(
                    "%s did not end within %g s; the job is given back without waiting for it.",
                    shown(hook.call),
                    hook.within,
                )


def _call(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception:  # a thread ends here; the job must be given back whatever a hook does
        _logger.exception("%s failed; the job is given back all the same.", shown(call))
