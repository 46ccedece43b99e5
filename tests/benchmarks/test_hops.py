"""How many functions of ours a call passes, which no machine changes."""

from collections.abc import Mapping

import pytest

from tests.benchmarks.hops import LIMITS, REACHED, Passed, count


@pytest.fixture(scope="module")
def counts() -> Mapping[str, Passed]:
    """Return the fewest of several counts: who waits for the lock of a file passes two functions more."""
    several = [count() for _ in range(3)]
    return {name: min((each[name] for each in several), key=lambda passed: passed.functions) for name in LIMITS}


@pytest.mark.parametrize("call", LIMITS)
def test_a_call_passes_few_functions(counts: Mapping[str, Passed], call: str) -> None:
    """A floor that comes back into the way of a call is seen here."""
    passed = counts[call]
    assert passed.functions <= REACHED.get(call, LIMITS[call]), "\n".join(map(str, passed.calls))
