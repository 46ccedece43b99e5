"""Op keys are their makers' own: nobody reads one, nothing that is read is one, and none is used for two writes."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sweepstake.codec import to_tree
from sweepstake.domain.drafts import Finish
from sweepstake.domain.keys import item_key
from sweepstake.domain.portable import (
    ImportPart,
    PortableAttempt,
    PortableEvent,
    PortableExperiment,
    PortableJob,
    Totals,
)
from sweepstake.domain.records import UNGUARDED, Claim, ExperimentDraft, Guard, JobRecord, NoJob, SearchDefinition
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome, Signal
from sweepstake.domain.vocabulary import QueueingChanges
from sweepstake.errors import ClientRequestError, InvalidInputError, LeaseLostError, NotFoundError
from sweepstake.queue.queue import Queue
from sweepstake.values import JsonObject
from tests.kit.lab import MANUAL, Lab, document, draft, eventually, new_key

RANDOM = SearchDefinition("RandomSearch", json.dumps({"x": {"uniform": {"low": 0, "high": 1}}}))
FAR = 1.8e9


def all_that_is_read(lab: Lab) -> str:
    """Return whatever somebody with no more than a read share can be told of an experiment."""
    queue, found = lab.queue, []
    for job in lab.jobs():
        found += [job, queue.get_job(lab.name, job.id), queue.why(lab.name, job.id)]
        found += [*queue.list_attempts(lab.name, job.id), *queue.list_dependencies(lab.name, job.id)]
    start = None
    while True:
        page = queue.export_page(lab.name, start)
        found.append(page)
        if (start := page.next) is None:
            break
    found += [queue.get_experiment(lab.name), queue.count_jobs(lab.name)]
    return "".join(repr(each) + json.dumps(to_tree(each)) for each in found)


def test_no_key_is_told_to_anybody(queue: Queue) -> None:
    """Not that of a claim, of a proposal, of a report, or of any other write."""
    lab = Lab.new(queue, search=RANDOM)
    keys = [new_key() for _ in range(6)]
    queue.add_jobs(lab.name, [draft("first"), draft("second"), draft("third")], key=keys[0])
    claim = lab.claim(key=keys[1])
    lab.finish(claim, Outcome.CRASHED, key=keys[2], next_key=keys[3], reason="why")
    lab.put("third", document(JobStatus.RUNNING), key=keys[4])
    proposed = lab.claim(key=keys[5])
    assert proposed.job.origin is None or proposed.job.id
    told = all_that_is_read(lab)
    assert [key for key in keys if key in told] == []
    assert claim.job.id == "first"


def test_what_is_read_of_an_attempt_does_not_hold_it(lab: Lab) -> None:
    """Neither its job's etag nor the key in the list of attempts renews it, ends it, or writes for it."""
    lab.add_one()
    claim = lab.claim()
    (attempt,) = lab.attempts(claim.job.id)
    for known in {attempt.key, claim.job.etag}:
        assert known != claim.key
        thief = Claim(job=claim.job, key=known, lease=claim.lease)
        assert lab.beat(thief) is Signal.LOST
        with pytest.raises(NotFoundError):
            lab.finish(thief, Outcome.DONE, {"stolen": True})
        with pytest.raises(LeaseLostError):
            lab.put(claim.job.id, document(JobStatus.DONE), attempt=known)
    assert lab.beat(claim) is Signal.CONTINUE
    assert lab.finish(claim, Outcome.DONE, {"own": True}).recorded


def test_an_attempt_without_a_lease_is_known_by_the_etag_of_its_put(lab: Lab) -> None:
    """As clients of before know it: they had nothing else than the etag that the put was answered with."""
    job_id = lab.add_one()
    running = lab.put(job_id, document(JobStatus.RUNNING)).record
    held = Claim(job=running, key=running.etag, lease=1.0)
    kept = lab.put(job_id, document(JobStatus.RUNNING, results={"epoch": 1}), attempt=held.key).record
    assert lab.finish(held, Outcome.DONE, {"y": 1}).recorded
    assert (kept.attempt, lab.job(job_id).status) == (1, JobStatus.DONE)


def test_a_client_may_name_the_etag_of_its_write_by_the_key(lab: Lab) -> None:
    """It was the same once, and clients of then go on working; also for one of many jobs."""
    key = new_key()
    lab.queue.add_jobs(lab.name, [draft("a"), draft("b")], key=key)
    put = new_key()
    lab.put("b", document(), guard=Guard.match(item_key(key, 1)), key=put)
    assert lab.put("b", document(), guard=Guard.match(put)).record.attempt == 0


def imported(lab: Lab, name: str, *, jobs: Any = (), events: Any = (), attempts: int = 0) -> None:
    """Import an experiment of these jobs and events."""
    key = new_key()
    whole = PortableExperiment(status=ExperimentStatus.RUNNING, search=MANUAL, settings=Settings())
    lab.queue.import_part(name, ImportPart(id=key, number=0, experiment=whole))
    totals = Totals(jobs=len(jobs), attempts=attempts, dependencies=0, events=len(events))
    lab.queue.import_part(name, ImportPart(id=key, number=1, jobs=tuple(jobs), events=tuple(events), totals=totals))


def test_an_import_cannot_take_the_keys_of_other_experiments(queue: Queue) -> None:
    """Prepared under all keys that the store will derive of what is read: the owner's jobs are settled and pruned."""
    lab = Lab.new(queue, lease=0.5, max_lost=0)
    lab.add(draft("held"), draft("after", depends_on=("held",), prune_with=True))
    claim = lab.claim()
    (attempt,) = lab.attempts("held")
    names = {attempt.key, claim.job.etag, lab.job("after").etag}  # the key itself would be taken for its name
    seqs = [job.seq for job in lab.jobs()]
    keys = {f"{name}{end}" for name in names for end in ("", ".lost", ".0", *(f"-lost-with-{seq}" for seq in seqs))}
    events = [PortableEvent(at=FAR, verb="prune", key=key) for key in sorted(keys)]
    attempts = tuple(
        PortableAttempt(number=i, key=key, started_at=FAR, ended_at=FAR, outcome=Outcome.RELEASED)
        for i, key in enumerate(sorted(keys), 1)
    )
    stolen = PortableJob(id="stolen", status=JobStatus.QUEUED, attempts=attempts)
    imported(lab, f"thief {new_key()}", jobs=[stolen], events=events, attempts=len(attempts))

    def settled() -> JobRecord | None:
        assert isinstance(lab.ask(), NoJob)
        job = lab.job("after")
        return job if job.status is JobStatus.PRUNED else None

    eventually(settled)
    assert lab.job("held").status is JobStatus.CRASHED
    lab.put("held", document(), key=claim.key[:-1] + ("0" if claim.key[-1] != "0" else "g"))


LIES: Mapping[str, Mapping[str, Any]] = {
    "failures": {"failures": 2**31 - 1},
    "losses": {"losses": 1},
    "preemptions": {"preemptions": 3},
}


@pytest.mark.parametrize("field", LIES)
def test_an_import_counts_no_more_than_its_attempts_have_spent(lab: Lab, field: str) -> None:
    """Else the next crash would count beyond what a database holds, and `verify` would find a lie."""
    with pytest.raises(InvalidInputError, match="failures"):
        PortableJob(id="a", status=JobStatus.QUEUED, **LIES[field])


def test_a_report_finds_its_attempt_after_the_experiment_was_moved(lab: Lab) -> None:
    """It comes late, under the keys of the store of before; a repeat finds that it came."""
    lab.add_one()
    claim, copy = lab.claim(), Lab(lab.queue, f"copy {new_key()}")
    page = lab.queue.export_page(lab.name)
    imported(lab, copy.name, jobs=page.jobs, attempts=1)
    key = new_key()
    for _ in range(2):
        finished = copy.finish(claim, Outcome.DONE, {"late": 1}, key=key)
        assert (finished.recorded, finished.ended) == (False, Outcome.RELEASED)
    (attempt,) = copy.attempts(claim.job.id)
    assert attempt.late_results == JsonObject.of({"late": 1})
    assert lab.beat(claim) is Signal.CONTINUE


class Writes:
    """Every kind of write, each of something of its own, under whatever key."""

    def __init__(self, queue: Queue) -> None:
        self.lab = Lab.new(queue)
        self.lab.add(*(draft(name) for name in ("put", "delete", "prune", "queueing", "claimed", "held")))
        self.lab.put("crashed", document(JobStatus.CRASHED))
        self.other = Lab.new(queue)
        self.other.add_many(3)
        self.claim = self.other.claim()
        self.gone = Lab.new(queue)
        self.new = f"new {new_key()}"

    def make(self, what: str, key: str) -> None:
        """Make one of the writes."""
        lab, queue = self.lab, self.lab.queue
        whole = PortableExperiment(status=ExperimentStatus.RUNNING, search=MANUAL, settings=Settings())
        told = Finish(attempt=self.claim.key, outcome=Outcome.DONE)
        writes: Mapping[str, Callable[[], Any]] = {
            "put_experiment": lambda: queue.put_experiment(
                lab.name, ExperimentDraft(search=MANUAL), guard=UNGUARDED, key=key
            ),
            "delete_experiment": lambda: queue.delete_experiment(self.gone.name, guard=UNGUARDED, key=key),
            "add_jobs": lambda: queue.add_jobs(lab.name, [draft()], key=key),
            "put_job": lambda: lab.put("put", document(), key=key),
            "put_running": lambda: lab.put("fresh", document(JobStatus.RUNNING), key=key),
            "delete_job": lambda: lab.delete("delete", key=key),
            "prune": lambda: lab.prune("prune", key=key),
            "retry": lambda: lab.retry("crashed", key=key),
            "set_queueing": lambda: queue.set_queueing(lab.name, "queueing", QueueingChanges(notes="n"), key=key),
            "claim": lambda: lab.claim(key=key),
            "finish": lambda: queue.finish(self.other.name, self.claim.job.id, told, key=key),
            "finish_claim": lambda: queue.finish(
                self.other.name, self.claim.job.id, told, key=new_key(), claim=key, worker="w"
            ),
            "import": lambda: queue.import_part(self.new, ImportPart(id=key, number=0, experiment=whole)),
            "import_on": lambda: queue.import_part(self.new, ImportPart(id=key, number=1)),
            "import_off": lambda: queue.import_part(self.new, ImportPart(id=key, number=0, abandon=True)),
        }
        writes[what]()


VERBS = (
    "put_experiment",
    "delete_experiment",
    "add_jobs",
    "put_job",
    "put_running",
    "delete_job",
    "prune",
    "retry",
    "set_queueing",
    "claim",
    "finish",
    "finish_claim",
    "import",
    "import_on",
    "import_off",
)
#: What may follow: parts of one import; and what touches nothing where nothing is.
_OF_IMPORTS = ("import", "import_on", "import_off")


@pytest.mark.parametrize("first", VERBS)
def test_a_key_that_comes_again_on_another_write_is_refused(queue: Queue, first: str) -> None:
    """In words, whichever two writes they are; a report's own etag is made of its attempt as well, so it meets none."""
    for second in VERBS:
        writes, key = Writes(queue), new_key()
        made = _refused(lambda: writes.make(first, key)) is None  # noqa: B023 -- called at once
        refusal = _refused(lambda: writes.make(second, key))  # noqa: B023 -- as above
        if not made or first == second or "finish" in (first, second):
            continue
        if first in _OF_IMPORTS and second in _OF_IMPORTS:
            continue
        if first == "import_off":  # there was nothing to abandon, so nothing was kept
            continue
        assert refusal is not None, (first, second)


def _refused(call: Callable[[], None]) -> ClientRequestError | None:
    try:
        call()
    except ClientRequestError as error:
        return error
    return None
