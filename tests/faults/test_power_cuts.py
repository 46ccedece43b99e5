"""That cutting the power would show a write that was acknowledged too early."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.fault import open_place
from tests.faults.power_cuts import NO_SYNC, cut, missing, new_experiment
from tests.faults.shims import can_compile


@pytest.mark.skipif(not can_compile(), reason="needs a C compiler")
def test_without_a_sync_what_was_acknowledged_is_lost(tmp_path: Path, new_database: Callable[[], str]) -> None:
    """The disk of this fault forgets indeed: a store that does not wait for it breaks its promise."""
    with open_place("sqlite", tmp_path, new_database) as place:
        name, dice = new_experiment(place), random.Random(0)
        lost = [missing(place, name, cut(place, name, dice, how=NO_SYNC)[0]) for _ in range(3)]
        assert any(lost)
