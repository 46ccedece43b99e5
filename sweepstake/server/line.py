"""A line for calls of which only so many may be made at once, fair to each address."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from sweepstake.errors import TooManyTriesError

__all__ = ["Line"]

_FULL: Final = "too many others wait to log in; try again in a moment"


class Line:
    """Lets calls pass by turns: one of each address that waits, then the next of each.

    Whoever has many connections waits behind their own, and not before others. Addresses that may wait longer have
    their turns when no other waits. Everything happens on one event loop, and a call that waits takes no thread.

    Args:
        at_once: how many calls may be under way.
        later: tells whether an address may wait longer than others.
        most_of_one: how many of one address may wait.
        most: how many may wait in all. When as many do, the address with the longest line makes room for a new one.
        patience: how many seconds anybody waits before being sent away; sooner than clients take the server for dead.
    """

    def __init__(
        self,
        at_once: int,
        later: Callable[[str], bool] = lambda _: False,
        most_of_one: int = 32,
        most: int = 1024,
        patience: float = 20.0,
    ) -> None:
        self._free = at_once
        self._later = later
        self._most_of_one = most_of_one
        self._most = most
        self._patience = patience
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._count = 0

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Wait for one's turn; it ends with the block.

        Raises:
            TooManyTriesError: too many wait, or it took too long.
        """
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait(address)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, address: str) -> None:
        own = self._waiting.get(address)
        if own is not None and len(own) >= self._most_of_one:
            raise TooManyTriesError(_FULL, 1.0)
        if self._count >= self._most:
            self._make_place(len(own or ()))
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(address, deque()).append(turn)
        self._count += 1
        try:
            async with asyncio.timeout(self._patience):
                await self._come(address, turn)
        except TimeoutError:
            raise TooManyTriesError(_FULL, 1.0) from None

    async def _come(self, address: str, turn: asyncio.Future[None]) -> None:
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting.get(address, ()):
                self._leave(address, turn)
            elif not turn.cancelled() and turn.exception() is None:  # the turn came at the moment at which we left
                self._pass_on()
            raise

    def _make_place(self, own: int) -> None:
        """Send away the last of the longest line, unless it is no longer than the line of whoever comes."""
        longest = max(self._waiting, key=lambda address: len(self._waiting[address]))
        if len(self._waiting[longest]) <= own + 1:
            raise TooManyTriesError(_FULL, 1.0)
        turn = self._waiting[longest][-1]
        self._leave(longest, turn)
        turn.set_exception(TooManyTriesError(_FULL, 1.0))

    def _leave(self, address: str, turn: asyncio.Future[None]) -> None:
        line = self._waiting[address]
        line.remove(turn)
        self._count -= 1
        if not line:
            del self._waiting[address]

    def _pass_on(self) -> None:
        """Give the turn to the first of the address that has waited longest for one; that address goes to the end."""
        while self._waiting:
            others = (address for address in self._waiting if not self._later(address))
            address = next(others, next(iter(self._waiting)))
            turn = self._waiting[address][0]
            self._leave(address, turn)
            if address in self._waiting:
                self._waiting.move_to_end(address)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
