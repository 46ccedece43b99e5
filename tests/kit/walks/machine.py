"""The walks that Hypothesis takes: it chooses the calls, and finds the shortest walk that goes wrong."""

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome
from tests.kit.lab import new_key
from tests.kit.walks.model import Wanted
from tests.kit.walks.walker import GUARDS, Walker

__all__ = ["walk"]

_IDS = st.sampled_from("abcdef")
_STATUSES = st.sampled_from([JobStatus.QUEUED] * 4 + list(JobStatus))
_OUTCOMES = st.sampled_from([Outcome.DONE, Outcome.CRASHED, Outcome.PRUNED, Outcome.RELEASED, Outcome.PREEMPTED])
_DELAYED = st.sampled_from([False] * 5 + [True])
_WANTED = st.builds(Wanted, _IDS, _STATUSES, st.integers(-1, 1), _DELAYED)
_NEEDS = st.sampled_from([0, 0, 1, 2]).flatmap(lambda n: st.lists(_IDS, min_size=n, max_size=n, unique=True)).map(tuple)
_TIED = st.builds(Wanted, _IDS, _STATUSES, st.integers(-1, 1), _DELAYED, _NEEDS, st.booleans())
_GUARDS = st.sampled_from(["none"] * 4 + ["match"] * 2 + list(GUARDS))
_STEPS = st.sampled_from(["add", "claim", "claim", "wait", "finish", "finish", "finish and claim", "finish any"])
_ANY = st.integers(0, 1000)
_LIMIT = st.sampled_from([None, None, None, None, 2, 1, 3, 0])


class Walk(RuleBasedStateMachine):
    """A walk that begins in an empty experiment."""

    def __init__(self, start: Callable[[], Walker]) -> None:
        super().__init__()
        self.walker = start()

    def teardown(self) -> None:
        """Let go of the store."""
        self.walker.close()

    @initialize(wanted=st.lists(_WANTED, min_size=2, max_size=4, unique_by=lambda wanted: wanted.job_id))
    def begin(self, wanted: list[Wanted]) -> None:
        """Have something to do."""
        self.walker.add(wanted)

    @rule(wanted=st.lists(_TIED, min_size=1, max_size=3))
    def add(self, wanted: list[Wanted]) -> None:
        """Add jobs in bulk."""
        self.walker.add(wanted)

    @rule(job_id=_IDS, status=_STATUSES, guarded=_GUARDS)
    def put(self, job_id: str, status: JobStatus, guarded: str) -> None:
        """State a fact about a job."""
        self.walker.put(job_id, status, guarded)

    @rule(steps=st.lists(st.tuples(_STEPS, _OUTCOMES, _ANY), min_size=1, max_size=6))
    def work(self, steps: list[tuple[str, Outcome, int]]) -> None:
        """Claim jobs, and report on them."""
        for step, outcome, which in steps:
            if step == "wait":
                self.walker.let_time_pass(which)
            elif step == "add":
                self.walker.add([Wanted(new_key())])
            elif step == "claim" or not self.walker.claims:
                self.walker.claim()
            else:
                held = None if step == "finish any" else self.walker.held()
                self.walker.finish(which if held is None else held, outcome, then_claim=step == "finish and claim")
            self.agrees()

    @precondition(lambda self: self.walker.claims)
    @rule(which=_ANY, status=_STATUSES)
    def put_as_holder(self, which: int, status: JobStatus) -> None:
        """Write a job's document in the name of any claim there ever was."""
        self.walker.put_as_holder(which, status)

    @rule(verb=st.sampled_from(["prune", "delete", "offer", "retry"]), job_id=_IDS, guarded=_GUARDS)
    def change(self, verb: str, job_id: str, guarded: str) -> None:
        """Prune, retry or delete a job, there or not, or ask for one as the old client does."""
        if verb == "prune":
            self.walker.prune(job_id)
        elif verb == "delete":
            self.walker.delete(job_id, guarded)
        elif verb == "retry":
            self.walker.retry(job_id)
        else:
            self.walker.offer()

    @rule(
        status=st.sampled_from([ExperimentStatus.RUNNING] * 5 + [ExperimentStatus.DONE]),
        guarded=_GUARDS,
        max_running=_LIMIT,
        max_jobs=st.sampled_from([None, None, None, None, 12, 8]),
        max_attempts=st.integers(1, 3),
        max_lost=st.integers(0, 2),
        max_preemptions=_LIMIT,
    )
    def define(self, status: ExperimentStatus, guarded: str, **limits: int | None) -> None:
        """Pause the experiment or let it run, with other limits."""
        self.walker.define(status, guarded, **limits)

    @precondition(lambda self: self.walker.claims)
    @rule()
    def heartbeat(self) -> None:
        """Renew all claims there ever were in one call."""
        self.walker.heartbeat()

    @rule(which=_ANY)
    def let_time_pass(self, which: int) -> None:
        """Let a lease or a delay be over."""
        self.walker.let_time_pass(which)

    @rule(job_id=_IDS, priority=st.integers(-1, 1), delayed=st.booleans())
    def requeue(self, job_id: str, priority: int, *, delayed: bool) -> None:
        """Change when a job is claimed."""
        self.walker.requeue(job_id, priority, delayed=delayed)

    @precondition(lambda self: self.walker.made)
    @rule()
    def repeat(self) -> None:
        """Repeat the last write, whose answer may have been lost."""
        self.walker.repeat()

    @precondition(lambda self: self.walker.made)
    @rule(which=_ANY, as_repeat=st.booleans())
    def replay(self, which: int, *, as_repeat: bool) -> None:
        """Let an old write arrive once more."""
        self.walker.replay(which, as_repeat=as_repeat)

    @invariant()
    def agrees(self) -> None:
        """The queue is where the model says."""
        self.walker.keep_leases()
        self.walker.agree()


def walk(start: Callable[[], Walker], *, walks: int, steps: int) -> None:
    """Take that many walks of at most so many steps, each with a walker of its own.

    Raises:
        AssertionError: a walk went wrong.
    """

    class Here(Walk):
        def __init__(self) -> None:
            super().__init__(start)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=walks,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],  # to find a shorter walk would take minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
