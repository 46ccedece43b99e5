"""Long work gives way to short work."""

import gc
import threading
import time
from collections.abc import Callable, Iterator

from sweepstake.turns import ITEMS, ShortWork, grow_old, in_one_piece, sliced

#: Seconds that nothing here takes.
LONG = 60.0


def begin_long(short: ShortWork, work: Callable[[], object]) -> threading.Thread:
    """Start a thread whose work is long."""

    def run() -> None:
        short.goes_first()
        work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_a_slice_is_a_stated_number_of_items() -> None:
    """After so many, the long work stops until the short work has ended."""
    short = ShortWork(LONG)
    reached = threading.Event()
    taken: list[int] = []

    def items() -> Iterator[int]:
        for i in range(2 * ITEMS):
            taken.append(i)
            if i == ITEMS - 1:
                reached.set()
            yield i

    with short:
        thread = begin_long(short, lambda: list(sliced(items())))
        assert reached.wait(LONG)
        thread.join(0.05)
        assert len(taken) == ITEMS
        assert thread.is_alive()
    thread.join(LONG)
    assert len(taken) == 2 * ITEMS


def test_long_work_ends_beside_short_work_that_does_not() -> None:
    """It waits a while between its slices, and goes on."""
    short = ShortWork(0.001)
    with short:
        thread = begin_long(short, lambda: list(sliced(range(10 * ITEMS))))
        thread.join(LONG)
    assert not thread.is_alive()


def test_nobody_gives_way_in_one_piece() -> None:
    """Whoever holds what others wait for goes on."""
    short = ShortWork(LONG)

    def work() -> None:
        with in_one_piece():
            list(sliced(range(10 * ITEMS)))

    with short:
        thread = begin_long(short, work)
        thread.join(LONG)
        assert not thread.is_alive()


def test_other_threads_never_wait() -> None:
    """As those of a worker or a script, which answer nobody."""
    began = time.monotonic()
    with ShortWork(LONG):
        assert list(sliced(range(3 * ITEMS))) == [*range(3 * ITEMS)]
    assert time.monotonic() - began < LONG


def test_what_grows_large_is_old_at_once() -> None:
    """Python's collector of garbage then leaves it alone; in other threads nothing happens."""
    made: list[list[int]] = []

    def make() -> None:
        made.append([len(made)])
        grow_old()

    begin_long(ShortWork(), make).join()
    assert any(each is made[0] for each in gc.get_objects(generation=2))
    make()
    assert not any(each is made[1] for each in gc.get_objects(generation=2))
