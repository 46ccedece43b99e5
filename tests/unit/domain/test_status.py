import itertools

import pytest

from sweepstake.domain.records import ABSENT, PRESENT, UNGUARDED, Guard, GuardKind
from sweepstake.domain.status import TRANSITIONS, JobStatus, Outcome
from sweepstake.queue.verbs.puts import plan_put


def test_every_status_is_schedys() -> None:
    """There are exactly the five statuses that Schedy's clients know."""
    assert {status.value for status in JobStatus} == {"QUEUED", "RUNNING", "CRASHED", "PRUNED", "DONE"}


def test_leaving_running_ends_the_attempt() -> None:
    """Exactly the transitions out of RUNNING say how the attempt ended."""
    for transition in TRANSITIONS:
        assert (transition.outcome is not None) is (transition.before is JobStatus.RUNNING)


def test_a_job_that_ended_stays_so_unless_somebody_asks() -> None:
    """The queue's own verbs touch only jobs that are queued or running; a retry also what failed, and nothing DONE."""
    ended = [each for each in TRANSITIONS if each.before not in (JobStatus.QUEUED, JobStatus.RUNNING)]
    assert {each.verb for each in ended} == {"retry"}
    assert {each.before for each in ended} == {JobStatus.CRASHED, JobStatus.PRUNED}


def test_transitions_are_told_apart() -> None:
    """A verb, where it starts and where it leads stand once."""
    assert len({(t.verb, t.before, t.after) for t in TRANSITIONS}) == len(TRANSITIONS)


@pytest.mark.parametrize("before,after,holder", list(itertools.product([None, *JobStatus], JobStatus, [False, True])))
def test_a_put_keeps_attempts_and_statuses_in_step(before: JobStatus | None, after: JobStatus, holder: bool) -> None:
    """After any PUT an attempt is open exactly if the job is RUNNING, and only the holder's own keeps its lease."""
    plan = plan_put(before, after, holder=holder)
    was_open = before is JobStatus.RUNNING
    is_open = plan.begins or (was_open and plan.ends is None)
    assert is_open is (after is JobStatus.RUNNING)
    assert was_open or plan.ends is None
    assert (was_open and plan.ends is None) is (was_open and holder and after is JobStatus.RUNNING)


@pytest.mark.parametrize("status", [JobStatus.DONE, JobStatus.CRASHED, JobStatus.PRUNED])
def test_a_put_says_how_the_attempt_ended(status: JobStatus) -> None:
    """A PUT of an end is that end of the attempt, whoever states it."""
    for holder in (False, True):
        assert plan_put(JobStatus.RUNNING, status, holder=holder).ends == Outcome[status.name]


def test_guards_are_values() -> None:
    """A guard by etag accepts several; the others name none."""
    assert Guard.match("a", "b") == Guard(GuardKind.MATCH, ("a", "b"))
    assert {guard.etags for guard in (ABSENT, PRESENT, UNGUARDED)} == {()}
