"""How many functions of ours a call passes, which no machine changes."""

import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.benchmarks.hops import LIMITS, REACHED

#: Whoever waits for the lock of a file passes two functions more, so the fewest of some counts is meant.
_COUNTS = 5


@pytest.fixture(scope="module")
def counts() -> Mapping[str, int]:
    """Return the fewest functions of several counts, each in a process in which nothing else has happened."""
    fewest: dict[str, int] = {}
    for _ in range(_COUNTS):
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.hops"], capture_output=True, text=True, check=False, timeout=120
        )
        for name, functions in re.findall(r"^(.+): (\d+) functions in", done.stdout, re.MULTILINE):
            fewest[name] = min(int(functions), fewest.get(name, int(functions)))
    return fewest


@pytest.mark.parametrize("call", LIMITS)
def test_a_call_passes_few_functions(counts: Mapping[str, int], call: str) -> None:
    """A floor that comes back into the way of a call is seen here."""
    assert counts[call] <= REACHED.get(call, LIMITS[call])
