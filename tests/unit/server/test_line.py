"""The line in which calls wait, fair to each address."""

import asyncio

import pytest

from sweepstake.errors import TooManyTriesError
from sweepstake.server.line import Line

STRANGER, OTHER, USER = "192.0.2.1", "192.0.2.2", "198.51.100.7"


class Counter:
    """Calls of a line that end when they are told to, and the order in which they began."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.began: list[str] = []
        self.go_on = asyncio.Semaphore(0)

    def call(self, address: str) -> asyncio.Task[None]:
        """Begin a call."""
        return asyncio.create_task(self._call(address))

    async def _call(self, address: str) -> None:
        async with self.line.turn(address):
            self.began.append(address)
            await self.go_on.acquire()

    async def settle(self) -> None:
        """Let everything happen that can."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def end(self, calls: int) -> None:
        """Let so many calls end."""
        for _ in range(calls):
            self.go_on.release()
        await self.settle()


def test_somebody_with_many_connections_waits_behind_himself() -> None:
    """Whoever else comes has the next turn, however many of his wait."""

    async def scene() -> None:
        counter = Counter(Line(2, most_of_one=100))
        strangers = [counter.call(STRANGER) for _ in range(50)]
        await counter.settle()
        assert counter.began == [STRANGER, STRANGER]
        others = [counter.call(USER), counter.call(OTHER)]
        await counter.settle()
        await counter.end(4)
        assert counter.began == [STRANGER, STRANGER, STRANGER, USER, OTHER, STRANGER]
        await counter.end(100)
        await asyncio.gather(*strangers, *others)
        assert len(counter.began) == 52

    asyncio.run(scene())


def test_who_may_wait_longer_comes_last() -> None:
    """Whoever it is in the moment of the turn."""

    async def scene() -> None:
        failed: set[str] = set()
        counter = Counter(Line(1, failed.__contains__))
        calls = [counter.call(address) for address in (STRANGER, STRANGER, OTHER, STRANGER, USER)]
        await counter.settle()
        failed.update((STRANGER, OTHER))
        await counter.end(2)
        assert counter.began == [STRANGER, USER, STRANGER]
        await counter.end(9)
        await asyncio.gather(*calls)
        assert counter.began == [STRANGER, USER, STRANGER, OTHER, STRANGER]

    asyncio.run(scene())


def test_a_line_has_an_end() -> None:
    """For each address, and for all together; a full line makes place for who has none in it."""

    async def scene() -> None:
        counter = Counter(Line(1, most_of_one=3, most=5))
        calls = [counter.call(STRANGER) for _ in range(5)] + [counter.call(OTHER) for _ in range(2)]
        await counter.settle()
        assert [call.done() for call in calls] == [False] * 4 + [True] + [False] * 2
        user = counter.call(USER)
        await counter.settle()
        assert [call.done() for call in calls] == [False] * 3 + [True] * 2 + [False] * 2
        assert not user.done()
        refused = counter.call(OTHER)
        await counter.settle()
        assert isinstance(refused.exception(), TooManyTriesError)
        await counter.end(100)
        results = await asyncio.gather(*calls, user, return_exceptions=True)
        assert sum(isinstance(each, TooManyTriesError) for each in results) == 2
        assert counter.began[:3] == [STRANGER, STRANGER, OTHER]

    asyncio.run(scene())


def test_who_goes_while_waiting_leaves_no_gap() -> None:
    """Also in the moment in which it would have been his turn; and a block that fails ends its turn."""

    async def scene() -> None:
        line = Line(1)
        counter = Counter(line)
        first, gone, late, last = (counter.call(address) for address in (USER, STRANGER, OTHER, USER))
        await counter.settle()
        gone.cancel()
        counter.go_on.release()
        await asyncio.wait([first])
        late.cancel()
        await counter.end(5)
        assert (await asyncio.gather(gone, late, last, return_exceptions=True))[2] is None
        await _fail(line)
        assert await asyncio.wait_for(_pass(line), 5)

    asyncio.run(scene())


async def _fail(line: Line) -> None:
    with pytest.raises(RuntimeError):
        async with line.turn(USER):
            raise RuntimeError


async def _pass(line: Line) -> bool:
    async with line.turn(STRANGER):
        return True


def test_nobody_waits_for_ever() -> None:
    """Who is passed over again and again is sent away in time, and takes no place any more."""

    async def scene() -> None:
        line = Line(1, patience=0.02)
        counter = Counter(line)
        first = counter.call(USER)
        await counter.settle()
        with pytest.raises(TooManyTriesError):
            await counter.call(STRANGER)
        await counter.end(1)
        last = counter.call(OTHER)
        await counter.end(1)
        await asyncio.gather(first, last)
        assert counter.began == [USER, OTHER]

    asyncio.run(scene())
