"""Where those wait who come with a password, before a thread works for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sweepstake.errors import InvalidInputError
from sweepstake.server.line import Line
from sweepstake.server.passwords import PasswordDoor, network_of, too_early
from sweepstake.values import parse_json

__all__ = ["Entrance"]

#: How many passwords are checked at once in a process; each takes a thread and 64 MiB.
_AT_ONCE: Final = 4
#: Seconds after which somebody who tries too early is told so: who tries without a pause keeps the server less busy.
_PAUSE: Final = 0.5


class Entrance:
    """Turns those away who are known to have to wait, and lets the others pass by turns.

    Args:
        door: knows who has to wait.
    """

    def __init__(self, door: PasswordDoor) -> None:
        self._door = door
        self._line = Line(_AT_ONCE, door.has_failed)

    @asynccontextmanager
    async def turn(self, address: str, body: bytes) -> AsyncIterator[None]:
        """Wait for one's turn; it ends with the block.

        Args:
            address: of the caller.
            body: of the request, which may be anything.

        Raises:
            TooManyTriesError: the try is too early, or too many wait.
        """
        seconds = self._door.known_wait(_email(body), address)
        if seconds > 0:
            await asyncio.sleep(min(seconds, _PAUSE))
            raise too_early(seconds)
        async with self._line.turn(network_of(address)):
            yield


def _email(body: bytes) -> str:
    """Return the email in a body; what has none is refused later."""
    try:
        tree = parse_json(body)
    except InvalidInputError:
        return ""
    email = tree.get("email") if isinstance(tree, dict) else None
    return email if isinstance(email, str) else ""
