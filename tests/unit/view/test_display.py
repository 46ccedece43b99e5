"""What a connection shows."""

import pytest

from sweepstake.view.display import RichDisplay
from tests.unit.view.records import experiment, job


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output stays clean for data; the bar counts what was done."""
    with RichDisplay(frame=list).progress("Adding [jobs]", 4) as advance:
        advance(3)
        advance(1)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Adding [jobs]" in shown.err
    assert "4/4" in shown.err


def test_a_frame_is_made_by_what_was_handed_in() -> None:
    """The display itself needs no pandas."""
    assert RichDisplay(frame=lambda jobs: len(list(jobs))).frame([job("a"), job("b")]) == 2


def test_records_become_html() -> None:
    """Experiments and jobs are tables."""
    display = RichDisplay(frame=list)
    assert display.experiment_html(experiment("mnist"), "1 job", [], [job("a")]).count("<table>") == 2
    assert "<td>a</td>" in display.jobs_html([job("a")])
