"""A queue that repeats each call at once until it is answered, as a client does that has no time to wait."""

from collections.abc import Callable
from typing import Any, cast

import attrs

from sweepstake.domain.records import Finished
from sweepstake.errors import StoreUnavailableError
from sweepstake.queue.queue import Queue

__all__ = ["persistent"]

#: Losing as many answers as this one after the other is no chance.
_MOST = 100


@attrs.frozen
class _Persistent:
    queue: Queue

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        method = getattr(self.queue, verb)

        def call(*arguments: Any, **named: Any) -> Any:
            answer = _insist(method, verb in ("claim", "finish"), arguments, named)
            if isinstance(answer, Finished) and answer.next is None and named.get("claim"):
                again = {"worker": named["worker"], "key": named["claim"], "repeat": True}
                answer = attrs.evolve(answer, next=_insist(self.queue.claim, True, arguments[:1], again))
            return answer

        return call


def _insist(method: Callable[..., Any], says_so: bool, arguments: Any, named: dict[str, Any]) -> Any:
    for _ in range(_MOST):
        try:
            return method(*arguments, **named)
        except StoreUnavailableError as error:
            last = error
            if says_so:
                named = {**named, "repeat": True}
    raise AssertionError(f"{_MOST} tries brought no answer") from last


def persistent(queue: Queue) -> Queue:
    """Return a queue that never says that the store is away; keys stay, and repeats are told that they are."""
    return cast("Queue", _Persistent(queue))
