"""How many workers begin."""

import pytest

from sweepstake.batch.ray.scaling import Demand, more_workers


def _demand(ready: int, running: int = 0, *, proposes: bool = False) -> Demand:
    return Demand(ready=ready, running=running, delayed=0, finished=0, proposes=proposes)


@pytest.mark.parametrize(
    "ready,running,up,starting,per_worker,more",
    [
        (0, 0, 0, 0, 1, 0),
        (1, 0, 0, 0, 1, 1),
        (500, 0, 0, 0, 1, 2),  # however many wait, few begin
        (500, 0, 0, 2, 1, 0),  # and none more until they have a place
        (500, 8, 8, 0, 1, 8),  # then as many as there are
        (500, 8, 8, 3, 1, 5),
        (3, 5, 8, 0, 1, 0),  # those that are free take them
        (3, 7, 8, 0, 1, 2),
        (9, 0, 0, 0, 4, 2),  # of which the last has room left
        (4, 0, 0, 1, 4, 0),
        (5, 60, 8, 0, 4, 2),  # others run jobs as well
    ],
)
def test_as_many_begin_as_there_are_jobs_without_a_place(
    ready: int, running: int, up: int, starting: int, per_worker: int, more: int
) -> None:
    """Workers that wait or begin count as free; the number grows by no more than what is up."""
    assert more_workers(_demand(ready, running), up=up, starting=starting, per_worker=per_worker) == more


def test_a_search_is_tried_for_more_by_one_worker_at_a_time() -> None:
    """What a search still has, only a worker finds out: one more asks while all are busy."""
    assert more_workers(_demand(0, proposes=True), up=0, starting=0, per_worker=1) == 1
    assert more_workers(_demand(0, proposes=True), up=0, starting=1, per_worker=1) == 0
    assert more_workers(_demand(0, 4, proposes=True), up=4, starting=0, per_worker=1) == 1
    assert more_workers(_demand(0, 3, proposes=True), up=4, starting=0, per_worker=1) == 0
