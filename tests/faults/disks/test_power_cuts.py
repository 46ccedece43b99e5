"""That cutting the power would show a write that was acknowledged too early."""

import random
from pathlib import Path

import pytest

from tests.faults.disks.power_cuts import Machine
from tests.faults.disks.shims import can_compile


@pytest.mark.skipif(not can_compile(), reason="needs a C compiler")
def test_without_a_sync_what_was_acknowledged_is_lost(tmp_path: Path) -> None:
    """The disk of this fault forgets indeed: a store that does not wait for it breaks its promise."""
    machine, dice = Machine.new(tmp_path / "store.db"), random.Random(0)
    for _ in range(3):
        machine.cut(dice, syncing=False)
    assert machine.lost()
