"""Delivering from the spool: each report once, late ones as late, and hopeless ones kept."""

import logging
import threading
from pathlib import Path

import attrs
import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import Claim
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import StoreUnavailableError
from sweepstake.queue.queue import Queue
from sweepstake.spool import Deliverer, Entry, Fate, Spool, deliver
from sweepstake.values import JsonObject
from tests.kit.clocks import HandClock
from tests.kit.lab import Lab, new_key


class AwayQueue:
    """A store that does not answer."""

    @property
    def identity(self) -> str | None:
        """Say nothing."""
        return None

    def finish(self, *_: object, **__: object) -> None:
        """Raise as a queue does whose store is away."""
        raise StoreUnavailableError("no answer")


def put(lab: Lab, spool: Spool, claim: Claim | None = None) -> tuple[Claim, Entry]:
    """Claim a job, and put the report of its end into the spool."""
    if claim is None:
        lab.add_many(1)
        claim = lab.claim()
    report = Finish(attempt=claim.key, outcome=Outcome.DONE, results=JsonObject.of({"x": 1}))
    entry = Entry(
        key=new_key(), store=spool.store, experiment=lab.name, job=claim.job.id, written_at=1.0, report=report
    )
    spool.keep(entry)
    return claim, entry


def fates(spool: Spool, queue: Queue, *, hopeless: bool = False) -> list[Fate]:
    """Deliver all there is, and say what became of each."""
    return [each.fate for each in deliver(spool, queue, spool.waiting(), hopeless=hopeless)]


def test_what_is_delivered_is_recorded_and_leaves_the_spool(lab: Lab, queue: Queue, spool: Spool) -> None:
    """The job is DONE with its results, as if the worker had reported in time."""
    claim, _ = put(lab, spool)
    assert fates(spool, queue) == [Fate.RECORDED]
    job = lab.job(claim.job.id)
    assert (job.status, job.results.decode()) == (JobStatus.DONE, {"x": 1})
    assert spool.waiting() == []


def test_a_report_that_arrived_before_is_recorded_once(lab: Lab, queue: Queue, spool: Spool) -> None:
    """The answer was lost, not the call: delivering it again changes nothing and says what happened."""
    claim, entry = put(lab, spool)
    queue.finish(lab.name, claim.job.id, entry.report, key=entry.key)
    before = lab.job(claim.job.id)
    assert fates(spool, queue) == [Fate.RECORDED]
    assert lab.job(claim.job.id) == before


def test_an_attempt_that_is_over_keeps_late_results(lab: Lab, queue: Queue, spool: Spool) -> None:
    """Somebody else has the job by now; nothing of theirs changes."""
    claim, _ = put(lab, spool)
    lab.prune(claim.job.id)
    assert fates(spool, queue) == [Fate.LATE]
    assert lab.job(claim.job.id).status is JobStatus.PRUNED
    late = queue.list_attempts(lab.name, claim.job.id)[0].late_results
    assert late is not None
    assert late.decode() == {"x": 1}


def test_the_report_on_a_deleted_job_stays_and_says_why(lab: Lab, queue: Queue, spool: Spool) -> None:
    """It is not tried again by itself, and the others are delivered all the same."""
    claim, lost = put(lab, spool)
    lab.delete(claim.job.id)
    put(lab, spool)
    assert fates(spool, queue) == [Fate.UNDELIVERABLE, Fate.RECORDED]
    assert "deleted" in (spool.read(lost.key).undeliverable or "")
    assert fates(spool, queue) == []
    assert fates(spool, queue, hopeless=True) == [Fate.UNDELIVERABLE]


def test_a_store_that_is_away_ends_the_round(lab: Lab, spool: Spool) -> None:
    """One unanswered call is enough; the entry says what was wrong."""
    for _ in range(3):
        put(lab, spool)
    assert fates(spool, AwayQueue()) == [Fate.WAITING]  # type: ignore[arg-type]  # as much of a queue as is needed
    assert spool.read(spool.waiting()[0]).last_error == "no answer"
    assert len(spool.waiting()) == 3


def test_a_damaged_entry_does_not_hold_up_the_others(
    lab: Lab, queue: Queue, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named, and passed over."""
    _, damaged = put(lab, spool)
    spool.path(damaged.key).write_text("{")
    put(lab, spool)
    assert fates(spool, queue) == [Fate.RECORDED]
    assert damaged.key in caplog.text


def test_a_deliverer_looks_at_once_and_then_once_a_minute(
    lab: Lab, queue: Queue, spool: Spool, clock: HandClock
) -> None:
    """What another process leaves is found within a minute; what this one leaves, by the next call."""
    deliverer = Deliverer(spool, queue, clock)
    put(lab, spool)
    other = Spool(spool.folder, spool.store)
    deliverer.take_turn()
    assert spool.waiting() == []
    put(lab, other)
    deliverer.take_turn()
    assert len(spool.waiting()) == 1
    clock.pass_seconds(61)
    deliverer.take_turn()
    assert spool.waiting() == []
    put(lab, spool)
    deliverer.take_turn()
    assert spool.waiting() == []


def test_many_deliverers_deliver_each_entry_once(
    lab: Lab, queue: Queue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However many threads and connections deliver side by side, every job is DONE by its one attempt."""
    spool = Spool.of(tmp_path, "here")
    claims = [put(lab, spool)[0] for _ in range(30)]
    threads = [
        threading.Thread(
            target=Deliverer(Spool.of(tmp_path, "here"), queue, HandClock()).take_turn, name=f"deliverer {i}"
        )
        for i in range(4)
    ]
    with caplog.at_level(logging.WARNING):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert spool.waiting() == []
    assert caplog.text == ""
    for claim in claims:
        assert [attempt.outcome for attempt in queue.list_attempts(lab.name, claim.job.id)] == [Outcome.DONE]


def test_a_folder_that_cannot_be_read_disturbs_nobody(
    queue: Queue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A call to the store goes on when the spool is out of order; a warning says so."""
    (tmp_path / "spool").touch()
    Deliverer(Spool.of(tmp_path / "spool", "here"), queue, HandClock()).take_turn()
    assert "could not be delivered" in caplog.text


def test_what_a_proxy_said_in_the_stores_place_is_tried_again(lab: Lab, queue: Queue, spool: Spool) -> None:
    """An older version took any 404 for the store's word; only the store itself is believed for good."""
    _, entry = put(lab, spool)
    spool.keep(attrs.evolve(entry, undeliverable="the server answered 404 without saying why"))
    assert fates(spool, queue) == [Fate.RECORDED]
    _, entry = put(lab, spool)
    spool.keep(attrs.evolve(entry, job="gone", undeliverable="there is no such job"))
    assert fates(spool, queue) == [Fate.UNDELIVERABLE]
    assert fates(spool, queue) == []


def test_a_report_waits_for_its_own_store(lab: Lab, queue: Queue, spool: Spool) -> None:
    """Another store at the address is not asked, which would know nothing of the job."""
    _, entry = put(lab, spool)
    spool.keep(attrs.evolve(entry, identity="another"))
    assert fates(spool, queue, hopeless=True) == [Fate.WAITING]
    assert "another store" in spool.read(entry.key).last_error
    spool.keep(attrs.evolve(entry, identity=queue.identity))
    assert fates(spool, queue) == [Fate.RECORDED]
