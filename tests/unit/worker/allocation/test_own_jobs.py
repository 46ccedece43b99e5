"""Which jobs of its batch a worker asks for."""

from sweepstake.domain.batches.records import BatchDraft
from sweepstake.domain.names import MAX_IDS
from sweepstake.worker.allocation.own_jobs import OwnJobs


def own(*jobs: str, estimates: tuple[float, ...] = ()) -> OwnJobs:
    """Make the jobs of a batch."""
    return OwnJobs(BatchDraft(id="b", jobs=jobs, backend="local", estimates=estimates))


def anything(seconds: float) -> bool:
    """Tell that a job may begin."""
    return seconds >= 0


def test_each_is_asked_for_until_it_was_taken() -> None:
    """In their order; what was not ready is asked for again in the next round, as it may have been given back."""
    jobs = own("c", "a", "b")
    assert jobs.next(anything) == ("c", "a", "b")
    jobs.took(["a"])
    assert jobs.next(anything) == ("c", "b")
    jobs.passed(["c", "b"])
    assert jobs.next(anything) == ()
    assert jobs.begin_round()
    assert jobs.next(anything) == ("c", "a", "b")
    jobs.passed(["c", "a", "b"])
    assert not jobs.begin_round()


def test_those_that_do_not_fit_are_passed_over() -> None:
    """Those of which nothing is known always fit."""
    jobs = own("a", "b", "c", estimates=(3.0, 9.0, 5.0))
    assert jobs.next(lambda seconds: seconds <= 5) == ("a", "c")
    assert jobs.longest == 9.0
    assert jobs.misfits(lambda seconds: seconds <= 5) == 1
    jobs.took("ab")
    assert jobs.misfits(lambda seconds: seconds <= 1) == 1
    assert own("a").misfits(lambda seconds: seconds <= 0) == 0


def test_only_so_many_are_asked_for_as_a_claim_may_name() -> None:
    """The others when those were taken, or cannot begin."""
    jobs = own(*map(str, range(MAX_IDS + 2)))
    first = jobs.next(anything)
    assert len(first) == MAX_IDS
    jobs.passed(first)
    assert jobs.next(anything) == (str(MAX_IDS), str(MAX_IDS + 1))
