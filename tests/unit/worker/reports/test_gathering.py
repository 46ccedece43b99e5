"""Threads that do at once what each of them has to do."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sweepstake.worker.reports.gathering import Gathering
from tests.kit.lab import eventually


@pytest.mark.parametrize("most, batches", [(10, [1, 3]), (2, [1, 2, 1]), (1, [1, 1, 1, 1])])
def test_what_comes_meanwhile_is_done_together(most: int, batches: list[int]) -> None:
    """While the first is at work three more come; whoever is next does as many of them as are done at once."""
    gathering = Gathering[int](most)
    begun, go = threading.Event(), threading.Event()
    done: list[list[int]] = []

    def hand_in(item: int) -> None:
        for taken in gathering.turns("a", item):
            done.append(taken)
            begun.set()
            assert go.wait(30)

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(hand_in, 0)
        assert begun.wait(30)
        others = [pool.submit(hand_in, item) for item in (1, 2, 3)]
        eventually(lambda: gathering.waiting("a") == len(others))
        go.set()
        for each in (first, *others):
            each.result(30)
    assert [len(each) for each in done] == batches
    assert sorted(item for each in done for item in each) == [0, 1, 2, 3]


def test_names_do_not_wait_for_each_other() -> None:
    """Nor does anybody wait for who is known to take long."""
    gathering = Gathering[int](10)
    for first in gathering.turns("a", 1):
        assert list(gathering.turns("b", 2)) == [[2]]
        gathering.go_on("a")
        assert [*gathering.turns("a", 3), first] == [[3], [1]]
