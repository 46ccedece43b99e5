"""How a worker says what it has."""

from contextlib import closing
from pathlib import Path

from sweepstake.domain.tasks.needs import Offer
from sweepstake.worker.tasks.registering import registered
from tests.kit.lab import eventually
from tests.kit.stack import open_queue


def test_what_is_free_is_told_when_it_changes(tmp_path: Path) -> None:
    """Long before the next report is due; at the end the worker has left."""
    free = [Offer(cpu=2)]
    with closing(open_queue(f"sqlite:///{tmp_path}/store.db")) as queue:
        with registered(queue, "w", Offer(cpu=2), lambda: free[0], pause=3600, look=0.01):
            assert queue.list_workers()[0].free.cpu == 2
            free[0] = Offer(cpu=1)
            eventually(lambda: queue.list_workers()[0].free.cpu == 1)
        assert not queue.list_workers()
