"""Threads that do at once what each of them has to do."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sweepstake.worker.reports.batches import Batches
from tests.kit.lab import eventually


@pytest.mark.parametrize("most, batches", [(10, [1, 3]), (2, [1, 2, 1]), (1, [1, 1, 1, 1])])
def test_what_comes_meanwhile_is_done_together(most: int, batches: list[int]) -> None:
    """While the first is at work three more come; whoever is next does as many of them as are done at once."""
    gathered = Batches[int](most)
    begun, go = threading.Event(), threading.Event()
    done: list[list[int]] = []

    def hand_in(item: int) -> None:
        for taken in gathered.turns("a", item):
            done.append(taken)
            begun.set()
            assert go.wait(30)

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(hand_in, 0)
        assert begun.wait(30)
        others = [pool.submit(hand_in, item) for item in (1, 2, 3)]
        eventually(lambda: gathered.waiting("a") == len(others))
        go.set()
        for each in (first, *others):
            each.result(30)
    assert [len(each) for each in done] == batches
    assert sorted(item for each in done for item in each) == [0, 1, 2, 3]


def test_names_do_not_wait_for_each_other() -> None:
    """Nor does anybody wait for who is known to take long."""
    gathered = Batches[int](10)
    for first in gathered.turns("a", 1):
        assert list(gathered.turns("b", 2)) == [[2]]
        gathered.go_on("a")
        assert [*gathered.turns("a", 3), first] == [[3], [1]]


def test_nothing_is_done_twice() -> None:
    """Though those who are at work let others go on, and do less at once than waits."""
    batches = Batches[int](1)
    done: list[int] = []

    def hand_in(item: int) -> None:
        for taken in batches.turns("a", item):
            done.extend(taken)
            batches.go_on("a")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that threads come between each other where they can
    try:
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(hand_in, range(2000), timeout=60))
    finally:
        sys.setswitchinterval(interval)
    assert sorted(done) == list(range(2000))
