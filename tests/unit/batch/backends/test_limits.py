"""Each scheduler has its own way to write how long something may take."""

from collections.abc import Callable

import pytest

from sweepstake.batch.backends.limits import flux_seconds, pbs_limit, pbs_seconds, slurm_limit, slurm_seconds
from sweepstake.errors import InvalidInputError

__all__: list[str] = []

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("90", 90 * MINUTE),
        ("90:30", 90 * MINUTE + 30),
        ("1:30:00", 1.5 * HOUR),
        ("1-12", 1.5 * DAY),
        ("1-00:30", DAY + 30 * MINUTE),
        ("1-00:00:00", DAY),
    ],
)
def test_slurm_reads_a_bare_number_as_minutes(text: str, seconds: float) -> None:
    """And days before a dash, after which a bare number is hours."""
    assert slurm_seconds(text) == seconds


@pytest.mark.parametrize("text, seconds", [("90", 90.0), ("1:30", 90.0), ("1:30:00", 1.5 * HOUR)])
def test_pbs_reads_a_bare_number_as_seconds(text: str, seconds: float) -> None:
    """What comes last is always seconds."""
    assert pbs_seconds(text) == seconds


@pytest.mark.parametrize("text, seconds", [("90", 90 * MINUTE), ("90s", 90.0), ("1.5h", 1.5 * HOUR), (".5d", DAY / 2)])
def test_flux_reads_a_unit(text: str, seconds: float) -> None:
    """And a bare number as minutes."""
    assert flux_seconds(text) == seconds


@pytest.mark.parametrize("read", [slurm_seconds, pbs_seconds, flux_seconds])
@pytest.mark.parametrize("text", ["", "an hour", "-5", "1:2:3:4", "0", "٣", "5 5"])
def test_what_is_no_limit_is_told(read: Callable[[str], float], text: str) -> None:
    """With the name of the option."""
    with pytest.raises(InvalidInputError, match=r"^--time: "):
        read(text)


@pytest.mark.parametrize(
    "seconds, slurm, pbs",
    [(0.5, "1", "00:00:01"), (60.0, "1", "00:01:00"), (60.1, "2", "00:01:01"), (360000.0, "6000", "100:00:00")],
)
def test_a_limit_is_rounded_up(seconds: float, slurm: str, pbs: str) -> None:
    """To the unit of its scheduler: none is shorter than what was asked for."""
    assert (slurm_limit(seconds), pbs_limit(seconds)) == (slurm, pbs)
