"""Every call that a server answers, as one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sweepstake.queue.calls import CALLS, LOGINS, Ping
from sweepstake.queue.calls.users import AboutUsers
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

_VERBS: Final = sorted((*LOGINS, *CALLS.values()), key=lambda kind: issubclass(kind, AboutUsers))

#: Every operation by its name; those that workers call most come first.
OPERATIONS: Final[Mapping[str, Operation]] = {
    each.name: each for each in (*(kind.operation for kind in _VERBS if kind is not Ping), HEALTH, Ping.operation)
}
