"""A progress bar."""

import pytest

from sweepstake.view.progress import watched


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output stays clean for data; the bar counts what was done."""
    with watched("Adding [jobs]", 4, wanted=True) as advance:
        advance(3)
        advance(1)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Adding [jobs]" in shown.err
    assert "4/4" in shown.err
