"""Jobs as a data frame."""

import pytest

from sweepstake.view.frame import jobs_frame
from tests.kit.records import job

pandas = pytest.importorskip("pandas")


def test_a_frame_has_a_row_for_each_job_by_id() -> None:
    """Hyperparameters and results are columns, ids the index, times are in UTC."""
    frame = jobs_frame([job("a", {"lr": 0.1}, {"acc": 0.5}, created_at=0.0), job("b", {"lr": 0.2}, {"acc": 0.75})])
    assert list(frame.index) == ["a", "b"]
    assert frame.loc["b", "acc"] == 0.75
    assert frame["lr"].max() == 0.2
    assert frame.loc["a", "created_at"] == pandas.Timestamp("1970-01-01", tz="UTC")


def test_a_frame_without_jobs_is_empty() -> None:
    """An experiment without jobs has a frame of no rows."""
    assert len(jobs_frame([])) == 0


def test_names_shared_by_hyperparameters_and_results_are_told_apart() -> None:
    """Neither of two columns of one name hides the other."""
    frame = jobs_frame([job("a", {"x": 1, "id": 5, "created_at": 3}, {"x": 2})])
    assert frame.loc["a", "hyperparameter.x"] == 1
    assert frame.loc["a", "result.x"] == 2
    assert frame.loc["a", "hyperparameter.id"] == 5
