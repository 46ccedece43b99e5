"""Full collections begin when nobody waits for them."""

import asyncio
import gc
import subprocess
import sys
from typing import Any

from sweepstake.server.garbage import Garbage

LIMIT = 30.0

PROBE = """
import gc
from sweepstake.server.garbage import set_aside
set_aside()
full = []
gc.callbacks.append(lambda phase, info: info["generation"] == 2 and full.append(phase))
kept = [[] for _ in range(2_000_000)]
assert gc.get_freeze_count() > 1000
print(len(full))
"""


def test_none_begins_by_itself() -> None:
    """Two million objects are made, which would start many."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


async def _collected(garbage: Garbage, at_last: float, seconds: float) -> bool:
    """Tell whether there was a full collection within some seconds."""
    seen = asyncio.Event()

    def see(phase: str, info: dict[str, Any]) -> None:
        if phase == "stop" and info["generation"] == 2:
            seen.set()

    gc.callbacks.append(see)
    task = asyncio.create_task(garbage.collect(0.01, at_last))
    try:
        await asyncio.wait_for(seen.wait(), seconds)
    except TimeoutError:
        return False
    finally:
        gc.callbacks.remove(see)
        task.cancel()
    return True


def test_a_server_at_rest_collects() -> None:
    """Soon, when no long call is under way."""
    assert asyncio.run(_collected(Garbage(), 1e9, LIMIT))


def test_long_calls_without_an_end_are_not_waited_for() -> None:
    """It collects at last."""
    garbage = Garbage()
    with garbage:
        assert asyncio.run(_collected(garbage, 0.1, LIMIT))


def test_nothing_is_collected_beside_a_long_call() -> None:
    """As long as it is not time in any case."""
    garbage = Garbage()
    gc.collect()
    gc.freeze()
    try:
        with garbage:
            assert not asyncio.run(_collected(garbage, 1e9, 0.2))
    finally:
        gc.unfreeze()
