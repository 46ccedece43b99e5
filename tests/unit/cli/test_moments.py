"""Moments and spans on the command line."""

import time

import click
import pytest

from sweepstake.cli.moments import moment, span


def test_a_moment_may_be_a_span_from_now() -> None:
    """`--not-before 1h` means the same kind of span as `--expires 30d`."""
    before = time.time()
    found = moment("1h", "--not-before")
    assert found is not None
    assert before + 3600 <= found <= time.time() + 3600


@pytest.mark.parametrize("text, seconds", [("1s", 1), ("90m", 5400), ("12h", 43200), ("30d", 2592000), ("0s", 0)])
def test_spans_have_units(text: str, seconds: float) -> None:
    """Seconds, minutes, hours and days."""
    assert span(text) == seconds


@pytest.mark.parametrize("text", ["1", "h", "1w", "-1h", "1.5h", "1 h", ""])
def test_other_text_is_no_span(text: str) -> None:
    """Nothing is guessed."""
    assert span(text) is None


@pytest.mark.parametrize("text", ["1w", "soon", "1970"])
def test_what_is_no_moment_is_refused_by_the_option(text: str) -> None:
    """The message says what to write."""
    with pytest.raises(click.UsageError, match="--not-before"):
        moment(text, "--not-before")
