"""What may begin before the end of an allocation."""

import math

import pytest

from sweepstake.worker.allocation.deadline import MARGIN, Deadline

#: An allocation of 1,000 s that began at 100.
DEADLINE = Deadline(end=1100.0, limit=1000.0)


@pytest.mark.parametrize(
    "seconds, now, fits",
    [
        (0.0, 100.0, True),
        (990.0, 100.0, True),
        (5000.0, 100.0, True),  # no other allocation gives it more
        (5000.0, 199.0, True),  # loading Python took its time
        (5000.0, 201.0, False),
        (490.0, 600.0, True),
        (490.1, 600.0, False),
        (0.0, 1089.0, True),
        (0.0, 1091.0, False),  # it would be given back at once
    ],
)
def test_a_job_fits_in_what_is_left(seconds: float, now: float, fits: bool) -> None:
    """Up to the moment at which all is given back; in a fresh allocation whatever it takes."""
    assert DEADLINE.fits(seconds, now) is fits


def test_an_allocation_that_had_less_than_its_batch_needs_is_not_fresh() -> None:
    """One that a person had already, and that has ten minutes left for a batch of two hours."""
    deadline = Deadline(end=600.0, limit=7200.0)
    assert [deadline.fits(seconds, 0.0) for seconds in (500.0, 700.0)] == [True, False]


def test_without_an_end_everything_fits() -> None:
    """And nothing is near."""
    deadline = Deadline()
    assert deadline.fits(1e9, 1e9)
    assert not deadline.is_near(1e9)
    assert deadline.gives_back == deadline.left(0.0) == math.inf


def test_a_signal_that_comes_a_minute_early_is_not_believed() -> None:
    """What is left is known better; close to the end it is."""
    assert [DEADLINE.is_near(now) for now in (100.0, 1000.0, 1080.0, 1200.0)] == [False, False, True, True]
    assert [DEADLINE.left(now) for now in (100.0, 1200.0)] == [1000.0 - MARGIN, 0.0]
    assert DEADLINE.gives_back == DEADLINE.end - MARGIN
