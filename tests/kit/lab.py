"""A queue, an experiment of its own in it, and short words for what most tests do with them."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from sweepstake.domain import keys
from sweepstake.domain.drafts import Finish, JobDraft
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import (
    ABSENT,
    UNGUARDED,
    AttemptRecord,
    Claim,
    Document,
    ExperimentDraft,
    ExperimentRecord,
    Finished,
    Guard,
    JobRecord,
    NoJob,
    PutAnswer,
    SearchDefinition,
)
from sweepstake.domain.settings import Settings
from sweepstake.domain.situation import Why
from sweepstake.domain.status import ExperimentStatus, JobStatus, NoJobReason, Outcome, Signal
from sweepstake.domain.tasks.needs import Offer
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.domain.vocabulary import QueueingChanges
from sweepstake.queue.queue import Queue
from sweepstake.values import JsonObject

__all__ = ["GRACE_SECONDS", "MANUAL", "WAIT_SECONDS", "Lab", "document", "draft", "eventually", "new_key", "spec"]

MANUAL = SearchDefinition("Manual")

#: How long a dead worker's job may stay unclaimed beyond its lease.
GRACE_SECONDS = 5.0
#: How long a test waits for what should come at once.
WAIT_SECONDS = 60.0

T = TypeVar("T")


def new_key() -> str:
    """Make an op key, an id, or any other name that is used nowhere else."""
    return keys.new_key(time.time, os.urandom)


def document(
    status: JobStatus = JobStatus.QUEUED,
    hyperparameters: Mapping[str, Any] | None = None,
    results: Mapping[str, Any] | None = None,
) -> Document:
    """Make a document from plain dicts."""
    return Document(
        status=status,
        hyperparameters=JsonObject.of(hyperparameters or {}),
        results=JsonObject.of(results or {}),
    )


def draft(job_id: str | None = None, *, of: Document | None = None, **queueing: Any) -> JobDraft:
    """Make the draft of a job; without an id it gets a new one."""
    made = JobDraft.of(new_key() if job_id is None else job_id, of or document())
    return attrs.evolve(made, **queueing)


def spec(*tasks: Mapping[str, Any], text: str = "") -> SpecDraft:
    """Make the draft of a spec."""
    document = {"version": "v2", "tasks": [{"image": {"docker": "tiny"}, **task} for task in tasks]}
    return SpecDraft(text=text, document=JsonObject.of(document))


def eventually(ask: Callable[[], T | None], *, within: float = WAIT_SECONDS) -> T:
    """Ask again until the answer is something, or true, at most `within` seconds long."""
    deadline = time.monotonic() + within
    while (answer := ask()) is None or answer is False:
        assert time.monotonic() < deadline, f"it did not happen within {within:g} s"
        time.sleep(0.02)
    return answer


@attrs.frozen
class Lab:
    """One experiment in a queue."""

    queue: Queue
    name: str

    @classmethod
    def new(
        cls,
        queue: Queue,
        *,
        search: SearchDefinition = MANUAL,
        status: ExperimentStatus = ExperimentStatus.RUNNING,
        name: str | None = None,
        **settings: Any,
    ) -> "Lab":
        """Create an experiment of the given settings."""
        name = f"lab {new_key()}" if name is None else name
        wanted = ExperimentDraft(search=search, status=status, settings=Settings(**settings))
        queue.put_experiment(name, wanted, guard=ABSENT, key=new_key())
        return cls(queue, name)

    def record(self) -> ExperimentRecord:
        """Return the experiment as it stands."""
        return self.queue.get_experiment(self.name)

    def set_status(self, status: ExperimentStatus) -> ExperimentRecord:
        """Pause the experiment or let it run, as Schedy's client does: without settings."""
        wanted = ExperimentDraft(search=self.record().search, status=status)
        return self.queue.put_experiment(self.name, wanted, guard=UNGUARDED, key=new_key())

    def add(self, *drafts: JobDraft) -> list[str]:
        """Add jobs, and return their ids."""
        self.queue.add_jobs(self.name, drafts, key=new_key())
        return [draft.id for draft in drafts]

    def add_many(self, count: int) -> list[str]:
        """Add queued jobs whose hyperparameter `i` counts from 0."""
        return self.add(*(draft(of=document(hyperparameters={"i": i})) for i in range(count)))

    def add_one(self, **queueing: Any) -> str:
        """Add one job, and return its id."""
        return self.add(draft(**queueing))[0]

    def job(self, job_id: str) -> JobRecord:
        """Return a job as it stands."""
        return self.queue.get_job(self.name, job_id)

    def jobs(self, **query: Any) -> list[JobRecord]:
        """Return all jobs of a query, page after page."""
        return list(self.walk(JobQuery(**query)))

    def walk(self, query: JobQuery, limit: int = 1000) -> Iterator[JobRecord]:
        """Yield all jobs of a query, asking for a page only when it is needed."""
        start = None
        while True:
            page = self.queue.list_jobs(self.name, query, start, limit)
            yield from page.items
            start = page.next
            if start is None:
                return

    def attempts(self, job_id: str) -> tuple[AttemptRecord, ...]:
        """Return the attempts of a job."""
        return self.queue.list_attempts(self.name, job_id)

    def claim(
        self,
        *,
        worker: str = "worker",
        key: str | None = None,
        repeat: bool = False,
        ids: Sequence[str] = (),
        offer: Offer | None = None,
    ) -> Claim:
        """Claim a job, which must be there."""
        answer = self.ask(worker=worker, key=key, repeat=repeat, ids=ids, offer=offer)
        assert isinstance(answer, Claim), answer
        return answer

    def ask(
        self,
        *,
        worker: str = "worker",
        key: str | None = None,
        repeat: bool = False,
        ids: Sequence[str] = (),
        offer: Offer | None = None,
    ) -> Claim | NoJob:
        """Claim a job if there is one."""
        return self.queue.claim(self.name, worker=worker, key=key or new_key(), repeat=repeat, ids=ids, offer=offer)

    def claimed_or_none(self) -> Claim | None:
        """Claim a job, or return None: a question for `eventually`."""
        answer = self.ask()
        return answer if isinstance(answer, Claim) else None

    def why_none(self) -> NoJobReason:
        """Return why there is no job to claim."""
        answer = self.ask()
        assert isinstance(answer, NoJob), answer
        return answer.reason

    def finish(
        self,
        claim: Claim,
        outcome: Outcome = Outcome.DONE,
        results: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        next_key: str | None = None,
        repeat: bool = False,
        **report: Any,
    ) -> Finished:
        """End the attempt of a claim."""
        told = Finish(attempt=claim.key, outcome=outcome, results=JsonObject.of(results or {}), **report)
        return self.queue.finish(
            self.name, claim.job.id, told, key=key or new_key(), claim=next_key, worker="worker", repeat=repeat
        )

    def put(
        self,
        job_id: str,
        of: Document,
        *,
        guard: Guard = UNGUARDED,
        key: str | None = None,
        attempt: str | None = None,
    ) -> PutAnswer:
        """Put a job's document."""
        return self.queue.put_job(self.name, job_id, of, guard=guard, key=key or new_key(), attempt=attempt)

    def delete(self, job_id: str, *, guard: Guard = UNGUARDED, key: str | None = None) -> None:
        """Delete a job."""
        self.queue.delete_job(self.name, job_id, guard=guard, key=key or new_key())

    def prune(self, job_id: str, *, key: str | None = None) -> JobRecord:
        """Prune a job."""
        return self.queue.prune(self.name, job_id, key=key or new_key())

    def retry(self, job_id: str, *, key: str | None = None) -> JobRecord:
        """Queue a job again."""
        return self.queue.retry(self.name, job_id, key=key or new_key())

    def set_queueing(self, job_id: str, *, key: str | None = None, **changes: Any) -> JobRecord:
        """Change what is beside a job's document."""
        return self.queue.set_queueing(self.name, job_id, QueueingChanges(**changes), key=key or new_key())

    def why(self, job_id: str) -> Why:
        """Ask why a job is not running."""
        return self.queue.why(self.name, job_id)

    def beat(self, claim: Claim) -> Signal:
        """Send a heartbeat for one claim, and return the signal it brings."""
        (beat,) = self.queue.heartbeat([claim.key])
        assert beat.attempt == claim.key
        return beat.signal

    def offer(self) -> JobRecord | NoJob:
        """Ask for the next job as the old client does."""
        return self.queue.offer(self.name, key=new_key())
