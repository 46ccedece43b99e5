"""Calls that must be made, or must be refused, and that can be made again."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from sweepstake.errors import ClientRequestError

__all__ = ["REFUSED", "Call", "Caller", "Made", "Refusals"]

Call = Callable[[], Any]
Refusals = set[type[ClientRequestError]]

#: Stands for the answer of a call that was refused as it must be.
REFUSED = object()


@attrs.frozen
class Made:
    """A write that was made: the call, how its sender would repeat it, and what it answered."""

    call: Call
    again: Call
    answer: Any


class Caller:
    """One who counts his calls, and keeps the writes.

    Attributes:
        made: each write that was made, for being made again.
        calls: how many calls were made.
    """

    def __init__(self) -> None:
        self.made: list[Made] = []
        self.calls = 0

    def _call(self, call: Call) -> Any:
        self.calls += 1
        return call()

    def _make(self, call: Call, refusals: Refusals, again: Call | None = None) -> Any:
        """Make a call that must be refused for one of these reasons; without any it must be made, and is kept."""
        if not refusals:
            answer = self._call(call)
            self.made.append(Made(call, again or call, answer))
            return answer
        with pytest.raises(ClientRequestError) as refusal:
            self._call(call)
        assert refusal.type in refusals, repr(refusal.value)
        return REFUSED
