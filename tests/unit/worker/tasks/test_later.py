"""What is to be done later is done then, unless it was called off."""

import threading

from sweepstake.worker.tasks.later import Later
from tests.kit.lab import eventually


def test_calls_are_made_in_the_order_in_which_they_are_due() -> None:
    """Also one that is due before those that were there; what fails costs the others nothing."""
    later, done = Later(), list[int]()

    def fail() -> None:
        done.append(0)
        raise ValueError

    for seconds, do in ((0.2, lambda: done.append(2)), (0.1, lambda: done.append(1)), (0.0, fail)):
        later.call(seconds, do)
    eventually(lambda: len(done) == 3)
    assert done == [0, 1, 2]


def test_what_is_called_off_is_not_done() -> None:
    """Also the first, for which the thread waits."""
    later, done, over = Later(), list[int](), threading.Event()
    later.call(0.05, lambda: done.append(1))()
    later.call(0.1, over.set)
    assert over.wait(60)
    assert done == []
