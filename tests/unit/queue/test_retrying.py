"""`Queue`: calls whose answers are lost have the effect of one."""

import os
from typing import TypeVar

import attrs
import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import (
    ABSENT,
    UNGUARDED,
    Claim,
    Document,
    ExperimentDraft,
    Finished,
    Guard,
    SearchDefinition,
)
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import InvalidInputError, StoreUnavailableError
from sweepstake.queue.call import Call
from sweepstake.queue.queue import Queue
from sweepstake.queue.retrying import PATIENCE, patient_queue
from sweepstake.values import JsonObject
from tests.kit.clocks import HandClock
from tests.kit.lab import draft, new_key
from tests.kit.stores import Kept

A = TypeVar("A")


@attrs.define
class LossyQueue:
    """A real queue behind a bad line: it loses the call or the answer of the first tries of every verb."""

    queue: Kept
    lost_calls: int = 0
    lost_answers: int = 0
    retry_after: float | None = None
    tries: int = 0

    @property
    def identity(self) -> str | None:
        """It is told without a call."""
        return self.queue.identity

    def send(self, call: Call[A]) -> A:
        """Have a call answered, or lose it."""
        self.tries += 1
        if self.lost_calls:
            self.lost_calls -= 1
            raise StoreUnavailableError("the call was lost", self.retry_after)
        answer = self.queue.send(call)
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailableError("the answer was lost", self.retry_after)
        return answer

    def close(self) -> None:
        """Close the queue."""
        self.queue.close()


@pytest.fixture
def line(store: Kept) -> LossyQueue:
    """A queue in a file, behind a line that works until it is told otherwise."""
    return LossyQueue(store)


@pytest.fixture
def queue(line: LossyQueue, clock: HandClock) -> Queue:
    """What a client holds, with an experiment `exp` behind it."""
    retrying = patient_queue(line, clock, os.urandom, clock.sleep)
    retrying.put_experiment("exp", ExperimentDraft(search=SearchDefinition("Manual")), ABSENT)
    line.tries = 0
    return retrying


def _report(claim: Claim) -> Finish:
    return Finish(attempt=claim.key, outcome=Outcome.DONE, results=JsonObject.of({"x": 1}))


def _unheard(error: StoreUnavailableError) -> None:
    """Take no notice of the store being away."""


def test_a_lost_answer_of_every_verb_is_asked_for_again(queue: Queue, line: LossyQueue) -> None:
    """Each write whose answer was lost is made once, and reports what the first try did."""
    line.lost_answers = 1
    queue.add_jobs("exp", [draft("a"), draft("b")])
    line.lost_answers = 1
    claim = queue.claim("exp", "me")
    assert isinstance(claim, Claim)
    assert claim.job.id == "a"
    line.lost_answers = 1
    document = Document(status=JobStatus.RUNNING, results=JsonObject.of({"half": 1}))
    put = queue.put_job("exp", "a", document, Guard.match(claim.job.etag), claim.key)
    assert not put.superseded
    line.lost_answers = 1
    finished = queue.finish(
        "exp", "a", _report(claim), claim=new_key(), worker="me", key=new_key(), patience=lambda: 60.0, away=_unheard
    )
    assert finished.recorded
    assert isinstance(finished.next, Claim)
    assert finished.next.job.id == "b"
    line.lost_answers = 1
    assert queue.prune("exp", "b").status is JobStatus.PRUNED
    line.lost_answers = 1
    queue.delete_job("exp", "b", Guard.match(queue.get_job("exp", "b").etag))
    line.lost_answers = 1
    queue.delete_experiment("exp", UNGUARDED)
    assert line.lost_answers == 0


def test_a_call_that_never_arrived_is_made_again(queue: Queue, line: LossyQueue, clock: HandClock) -> None:
    """It waits longer each time, with jitter, at most ten seconds and a half."""
    line.lost_calls = 9
    queue.add_jobs("exp", [draft("a")])
    assert line.tries == 10
    assert len(clock.naps) == 9
    assert clock.naps[0] <= 0.6
    assert all(0.1 <= nap <= 10.5 for nap in clock.naps)
    assert clock.naps[-1] >= 9.5


def test_it_waits_as_long_as_it_is_asked_to(queue: Queue, line: LossyQueue, clock: HandClock) -> None:
    """`Retry-After` is a lower bound."""
    line.lost_calls, line.retry_after = 1, 17.0
    queue.get_experiment("exp")
    assert clock.naps == [17.0]


def test_patience_has_an_end(queue: Queue, line: LossyQueue, clock: HandClock) -> None:
    """After two minutes the caller hears that the store is away; nothing sleeps beyond that."""
    line.lost_calls = 10**6
    with pytest.raises(StoreUnavailableError, match="the call was lost"):
        queue.claim("exp", "me")
    assert PATIENCE / 2 < sum(clock.naps) <= PATIENCE


def test_the_final_report_is_as_patient_as_its_caller(queue: Queue, line: LossyQueue, clock: HandClock) -> None:
    """Patience is asked for after each failure, so that SIGTERM can shorten it."""
    queue.add_jobs("exp", [draft("a")])
    claim = queue.claim("exp", "me")
    assert isinstance(claim, Claim)
    line.lost_calls = 10**6
    with pytest.raises(StoreUnavailableError):
        queue.finish(
            "exp",
            "a",
            _report(claim),
            key=new_key(),
            patience=lambda: 3600.0 if sum(clock.naps) < 600 else 10.0,
            away=_unheard,
        )
    assert 600 <= sum(clock.naps) < 620


def test_a_refusal_is_not_tried_again(queue: Queue, line: LossyQueue) -> None:
    """Only a store that is away is worth a second try."""
    with pytest.raises(InvalidInputError):
        queue.list_jobs("exp", JobQuery(), start="nonsense")
    assert line.tries == 1


def test_a_heartbeat_is_tried_once(queue: Queue, line: LossyQueue) -> None:
    """The next beat is its repeat."""
    line.lost_calls = 1
    with pytest.raises(StoreUnavailableError):
        queue.heartbeat(["0" * 26])
    assert line.tries == 1


def test_keys_are_in_order_of_time(queue: Queue, clock: HandClock) -> None:
    """A later id sorts after an earlier one."""
    first = queue.new_id()
    clock.pass_seconds(1)
    assert first < queue.new_id()


def test_a_finish_of_a_lost_attempt_says_so_however_often_it_is_asked(queue: Queue, line: LossyQueue) -> None:
    """A late report is kept as late, also when its answer was lost."""
    queue.add_jobs("exp", [draft("a")])
    claim = queue.claim("exp", "me")
    assert isinstance(claim, Claim)
    queue.prune("exp", "a")
    line.lost_answers = 1
    finished: Finished = queue.finish("exp", "a", _report(claim), key=new_key(), patience=lambda: 60.0, away=_unheard)
    assert (finished.recorded, finished.ended) == (False, Outcome.PRUNED)


def test_a_job_that_was_lost_with_the_answer_is_made_up_for(queue: Queue, line: LossyQueue) -> None:
    """When the job that a lost answer brought was pruned meanwhile, the caller gets another one."""
    queue.add_jobs("exp", [draft("a"), draft("b"), draft("c")])
    claim = queue.claim("exp", "me")
    assert isinstance(claim, Claim)
    line.lost_answers = 1

    def prune_meanwhile(_: StoreUnavailableError) -> None:
        line.queue.prune("exp", "b", key=new_key())

    finished = queue.finish(
        "exp",
        "a",
        _report(claim),
        claim=new_key(),
        worker="me",
        key=new_key(),
        patience=lambda: 60.0,
        away=prune_meanwhile,
    )
    assert finished.recorded
    assert isinstance(finished.next, Claim)
    assert finished.next.job.id == "c"
