"""How an experiment stands, in one word."""

from typing import Any

import attrs
import pytest

from sweepstake.client.standing import Standing, standing
from sweepstake.domain.counts import Counts
from sweepstake.domain.records import SearchDefinition
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus
from tests.kit.records import experiment

NONE = Counts(ready=0, blocked=0, delayed=0, running=0, done=3, crashed=0, pruned=0)
GRID = SearchDefinition("Grid", '{"x": [1, 2]}')
RANDOM = SearchDefinition("RandomSearch", '{"x": {"const": 1}}')


@pytest.mark.parametrize(
    "known, counts, stands",
    [
        ({}, {"running": 2}, Standing.RUNNING),
        ({}, {}, Standing.IDLE),
        ({}, {"ready": 5}, Standing.IDLE),
        ({"search": GRID, "proposals": 1}, {}, Standing.IDLE),
        ({"search": GRID, "proposals": 2}, {}, Standing.COMPLETE),
        ({"search": GRID, "proposals": 2}, {"delayed": 1}, Standing.IDLE),
        ({"search": GRID, "proposals": 2}, {"running": 1}, Standing.RUNNING),
        ({"search": RANDOM, "created": 9}, {}, Standing.IDLE),
        ({"search": RANDOM, "created": 9, "settings": Settings(max_jobs=9)}, {}, Standing.COMPLETE),
        ({"status": ExperimentStatus.DONE}, {}, Standing.COMPLETE),
        ({"status": ExperimentStatus.DONE}, {"running": 1}, Standing.RUNNING),
        ({"status": ExperimentStatus.DONE}, {"blocked": 1}, Standing.PAUSED),
        ({"status": ExperimentStatus.DONE}, {"delayed": 1, "running": 1}, Standing.PAUSED),
        ({"status": ExperimentStatus.DONE, "search": GRID, "proposals": 1}, {}, Standing.PAUSED),
        ({"status": ExperimentStatus.DONE, "search": GRID, "proposals": 2}, {}, Standing.COMPLETE),
        ({"status": ExperimentStatus.DONE, "search": RANDOM, "created": 9}, {}, Standing.PAUSED),
        (
            {"status": ExperimentStatus.DONE, "search": RANDOM, "created": 9, "settings": Settings(max_jobs=9)},
            {},
            Standing.COMPLETE,
        ),
    ],
)
def test_one_word_says_what_goes_on(known: dict[str, Any], counts: dict[str, int], stands: Standing) -> None:
    """A paused experiment can go on, a complete one has nothing left, and an idle one has nobody at work."""
    assert standing(attrs.evolve(experiment(), **known), attrs.evolve(NONE, **counts)) is stands
