"""How many functions of ours a call passes, which no machine changes."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.benchmarks.hops import LIMITS, REACHED


@pytest.fixture(scope="module")
def counts() -> Mapping[str, int]:
    """Return the counts, made in a process in which nothing else has happened and that works on nobody's job."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SWEEPSTAKE_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.hops", *LIMITS],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )
    print(done.stdout, done.stderr)  # pytest shows it when a count is too high
    found = re.findall(r"^(.+): (\d+) functions in", done.stdout, re.MULTILINE)
    return {name: int(functions) for name, functions in found}


@pytest.mark.parametrize("call", LIMITS)
def test_a_call_passes_few_functions(counts: Mapping[str, int], call: str) -> None:
    """A floor that comes back into the way of a call is seen here."""
    assert counts[call] <= REACHED.get(call, LIMITS[call])
