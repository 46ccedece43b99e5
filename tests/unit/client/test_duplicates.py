"""Sweeps that are added again, as a user does."""

import pytest

from sweepstake import InvalidInputError, ManualSearch, NewJob, ResourceExistsError


def test_a_sweep_that_is_added_again_adds_what_is_new(exp: ManualSearch) -> None:
    """The ids are those of the jobs that stand for what was given, in its order."""
    first = exp.add_jobs([{"x": 1}, {"x": 2}])
    again = exp.add_jobs([{"x": 3}, {"x": 2}, NewJob({"x": 1}), {"x": 3}], on_duplicate="skip")
    assert (again[1], again[2], again[3]) == (first[1], first[0], again[0])
    assert again.skipped == [1, 2, 3]
    assert [job.job_id for job in exp.all_jobs()] == [*first, again[0]]


def test_places_count_through_all_calls(exp: ManualSearch) -> None:
    """A long list is sent in several, and places are those in the list."""
    ids = exp.add_jobs({"x": i} for i in range(2100))
    again = exp.add_jobs(({"x": i} for i in [*range(5000, 7090), 7, 2099]), on_duplicate="skip")
    assert again.skipped == [2090, 2091]
    assert again[2090:] == [ids[7], ids[2099]]


def test_one_job_may_be_the_one_that_is_there(exp: ManualSearch) -> None:
    """`add_job` returns it, with its results, or raises."""
    done = exp.add_job({"x": 1, "y": 2}, "DONE", {"z": 3})
    found = exp.add_job({"y": 2, "x": 1}, on_duplicate="skip")
    assert (found.job_id, found.results) == (done.job_id, {"z": 3})
    with pytest.raises(ResourceExistsError, match=done.job_id):
        exp.add_job({"x": 1, "y": 2}, on_duplicate="error")
    assert exp.add_job({"x": 1, "y": 2}).job_id != done.job_id


def test_an_unknown_word_is_refused(exp: ManualSearch) -> None:
    """The error says which there are."""
    for call in (lambda: exp.add_job({}, on_duplicate="ignore"), lambda: exp.add_jobs([{}], on_duplicate="ignore")):
        with pytest.raises(InvalidInputError, match="on_duplicate: must be one of allow, skip, error"):
            call()
    assert list(exp.all_jobs()) == []
