"""Every call that a server answers, as one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sweepstake.http.users import OF_USERS
from sweepstake.queue.calls import CALLS, Ping
from sweepstake.wire.operation import Operation

__all__ = ["HEALTH", "OPERATIONS"]

#: Answered by the server itself.
HEALTH: Final = Operation(
    name="health",
    method="GET",
    path="/healthz",
    summary="Tell that the server runs",
    answers={200: "Health"},
    role=None,
    at_once=True,
)

_OF_THE_QUEUE: Final = [kind.operation for kind in CALLS.values() if kind is not Ping]

#: Every operation by its name; those that workers call most come first.
OPERATIONS: Final[Mapping[str, Operation]] = {
    each.name: each for each in (*_OF_THE_QUEUE, *OF_USERS, HEALTH, Ping.operation)
}
