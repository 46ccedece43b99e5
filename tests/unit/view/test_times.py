"""Times for people to read."""

import pytest

from sweepstake.view.times import ago, iso, lasting

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    "before, said",
    [
        (0, "now"),
        (1, "1 s ago"),
        (59.9, "59 s ago"),
        (120, "2 min ago"),
        (3 * 3600, "3 h ago"),
        (49 * 3600, "2 d ago"),
        (-90, "in 1 min"),
    ],
)
def test_a_moment_is_so_long_ago(before: float, said: str) -> None:
    """In the largest unit that fits, whole; what lies ahead is `in`."""
    assert ago(NOW - before, NOW) == said


@pytest.mark.parametrize(
    "seconds, said", [(0, "0 s"), (0.25, "0.25 s"), (1, "1 s"), (90, "1 min"), (7200, "2 h"), (90_000, "1 d")]
)
def test_a_span_has_a_unit(seconds: float, said: str) -> None:
    """Short ones keep two digits."""
    assert lasting(seconds) == said


def test_programs_get_iso_8601_in_utc() -> None:
    """To the microsecond."""
    assert iso(NOW + 0.25) == "2027-01-15T08:00:00.250000+00:00"
