import math
from typing import Any

import pytest

from sweepstake.domain.settings import DEFAULT_LEASE, Direction, Settings
from sweepstake.errors import FrozenSettingsError, InvalidInputError


def test_defaults_are_those_of_the_design() -> None:
    """An experiment that asks for nothing has a lease of a minute, one attempt, and no limits."""
    settings = Settings()
    assert (settings.lease, settings.max_attempts, settings.max_lost) == (DEFAULT_LEASE, 1, 3)
    assert (settings.max_running, settings.max_jobs, settings.timeout, settings.max_preemptions) == (None,) * 4


def test_takes_what_users_write() -> None:
    """Ints as seconds, the direction as text, lists as tuples."""
    settings = Settings(lease=5, direction="min", tags=["a", "a", "b"], no_retry_on=["ValueError", 3])
    assert settings.direction is Direction.MINIMIZE
    assert settings.tags == ("a", "b")
    assert settings.no_retry_on == ("ValueError", 3)


def test_is_a_value() -> None:
    """Settings cannot be changed, and equal ones are one."""
    settings = Settings(max_jobs=3)
    with pytest.raises(FrozenSettingsError, match=r"experiment.update\(max_jobs=...\)"):
        settings.max_jobs = 4
    assert {settings, Settings(max_jobs=3)} == {settings}


@pytest.mark.parametrize("name", ["lease", "timeout", "retry_delay"])
@pytest.mark.parametrize(
    "value", ["60", True, -1, math.nan, math.inf, 1e10, 10**400, pytest.param(10**5000, id="huge"), [1]]
)
def test_seconds_are_sensible_numbers(name: str, value: Any) -> None:
    """Durations are finite, not negative, and at most some thirty years."""
    with pytest.raises(InvalidInputError) as caught:
        Settings(**{name: value})
    assert caught.value.problems[0][0] == name


@pytest.mark.parametrize("name", ["max_attempts", "max_lost", "max_preemptions", "max_running", "max_jobs"])
@pytest.mark.parametrize("value", ["3", True, -1, 2.0, 2**60, pytest.param(10**5000, id="huge"), [1]])
def test_counts_are_whole_numbers(name: str, value: Any) -> None:
    """Limits are whole numbers that every store can count to."""
    with pytest.raises(InvalidInputError) as caught:
        Settings(**{name: value})
    assert caught.value.problems[0][0] == name


@pytest.mark.parametrize(
    "name,value,path",
    [
        ("lease", None, "lease"),
        ("lease", 0, "lease"),
        ("max_attempts", 0, "max_attempts"),
        ("max_attempts", None, "max_attempts"),
        ("direction", "up", "direction"),
        ("direction", None, "direction"),
        ("direction", ["min"], "direction"),
        ("objective", "", "objective"),
        ("objective", "a" * 256, "objective"),
        ("objective", "a\0", "objective"),
        ("objective", 3, "objective"),
        ("seed", 1.0, "seed"),
        ("seed", 2**53 + 1, "seed"),
        ("seed", True, "seed"),
        ("no_retry_on", "ValueError", "no_retry_on"),
        ("no_retry_on", [""], "no_retry_on[0]"),
        ("no_retry_on", [1, True], "no_retry_on[1]"),
        ("no_retry_on", ["a\0"], "no_retry_on[0]"),
        ("tags", "abc", "tags"),
        ("notes", None, "notes"),
    ],
)
def test_faults_are_named(name: str, value: Any, path: str) -> None:
    """A setting that cannot be is refused by its name."""
    with pytest.raises(InvalidInputError) as caught:
        Settings(**{name: value})
    assert caught.value.problems[0][0] == path


@pytest.mark.parametrize("name", ["max_lost", "max_preemptions", "max_running", "max_jobs"])
def test_limits_may_be_zero(name: str) -> None:
    """A limit of nothing is a limit."""
    limits: dict[str, Any] = {name: 0}
    assert getattr(Settings(**limits), name) == 0
