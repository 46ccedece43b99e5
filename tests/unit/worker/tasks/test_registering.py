"""How a worker says what it has."""

import threading
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import attrs

from sweepstake.domain.tasks.needs import Offer
from sweepstake.queue.call import Call
from sweepstake.queue.calls import Heartbeat
from sweepstake.queue.queue import Queue, Sender
from sweepstake.worker.tasks.registering import registered
from tests.kit.lab import eventually
from tests.kit.stack import open_queue

A = TypeVar("A")


@attrs.define
class _Slow:
    """Passes calls on; the second report takes its time, while others may overtake it."""

    sender: Sender
    under_way: threading.Event = attrs.field(factory=threading.Event)
    left: threading.Event = attrs.field(factory=threading.Event)
    leaves: list[bool] = attrs.field(factory=list)
    begun: int = 0

    @property
    def identity(self) -> str | None:
        return self.sender.identity

    def send(self, call: Call[A]) -> A:
        report = call.worker if isinstance(call, Heartbeat) else None
        if report is None:
            return self.sender.send(call)
        self.begun += 1
        if self.begun == 2:
            self.under_way.set()
            self.left.wait(0.3)
        answer = self.sender.send(call)
        self.leaves.append(report.leaves)
        if report.leaves:
            self.left.set()
        return answer

    def close(self) -> None:
        self.sender.close()


def test_what_is_free_is_told_when_it_changes(tmp_path: Path) -> None:
    """Long before the next report is due; at the end the worker has left."""
    free = [Offer(cpu=2)]
    with closing(open_queue(f"sqlite:///{tmp_path}/store.db")) as queue:
        with registered(queue, "w", Offer(cpu=2), lambda: free[0], pause=3600, look=0.01):
            assert queue.list_workers()[0].free.cpu == 2
            free[0] = Offer(cpu=1)
            eventually(lambda: queue.list_workers()[0].free.cpu == 1)
        assert not queue.list_workers()


def test_a_worker_that_has_left_does_not_come_back(tmp_path: Path) -> None:
    """A report that is under way at its end does not arrive after it."""
    with closing(open_queue(f"sqlite:///{tmp_path}/store.db")) as queue:
        slow = _Slow(queue.sender)
        with registered(Queue(slow), "w", Offer(cpu=2), lambda: Offer(cpu=2), pause=0.01):
            assert slow.under_way.wait(60)
        eventually(lambda: len(slow.leaves) == slow.begun)
        assert slow.leaves == sorted(slow.leaves)
        assert slow.leaves[-1]
        assert not queue.list_workers()
