"""`Queue`: what a client may ask, whoever answers. Each method is one call; the calls say what they mean."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol, TypeVar

from sweepstake.domain import portable
from sweepstake.domain.batches.progress import BatchNote
from sweepstake.domain.batches.records import AllocationState, BatchDraft, BatchRecord, BatchStatus
from sweepstake.domain.counts import Counts
from sweepstake.domain.drafts import Finish, JobDraft
from sweepstake.domain.duplicates import Added, OnDuplicate
from sweepstake.domain.files import Held, KeptFile, Manifest, Piece, Span
from sweepstake.domain.keys import new_key
from sweepstake.domain.lengths import MAX_BEATS, MAX_PAGE
from sweepstake.domain.portable import ImportPart
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import (
    UNGUARDED,
    AttemptRecord,
    Beat,
    Blocked,
    Claim,
    Claims,
    Dependency,
    Document,
    ExperimentDraft,
    ExperimentRecord,
    Finished,
    Guard,
    JobRecord,
    NoJob,
    Page,
    PutAnswer,
)
from sweepstake.domain.situation import Why
from sweepstake.domain.tasks.gangs import Gang
from sweepstake.domain.tasks.needs import Offer
from sweepstake.domain.tasks.specs import SpecDraft, SpecRecord
from sweepstake.domain.vocabulary import QueueingChanges
from sweepstake.domain.workers import WorkerRecord, WorkerReport
from sweepstake.errors import StoreUnavailableError
from sweepstake.queue import calls
from sweepstake.queue.call import Call, Patience, usual_patience
from sweepstake.queue.calls.several import AttemptReport, Reports

__all__ = ["Queue", "Sender"]

A = TypeVar("A")


class Sender(Protocol):
    """Whoever has calls answered: a store of this process, a server, or one of them with patience.

    Safe to use from several threads; a forked child gets connections of its own.
    """

    @property
    def identity(self) -> str | None:
        """Which store it is: no other has this name, but for copies of it.

        Through a server, None until it has answered, or if it is of a version that does not tell.
        """

    def send(self, call: Call[A], /) -> A:
        """Have a call answered.

        Raises:
            StoreUnavailableError: the store is away; the call may have been made or not.
        """

    def close(self) -> None:
        """Let go of connections and files; calls under way end first."""


#: Makes ids by this machine's clock.
_new_id: Final = partial(new_key, time.time, os.urandom)


class Queue:
    """What a client may ask.

    Every write has a key of its own, which is made here unless the caller wants to say it again later.

    Args:
        sender: has the calls answered.
        new_id: makes ids and keys.
    """

    def __init__(self, sender: Sender, new_id: Callable[[], str] = _new_id) -> None:
        self.sender = sender
        self.send = sender.send
        #: Makes an id for a job, or a key for a call: a UUIDv7, in order of time.
        self.new_id = new_id

    @property
    def identity(self) -> str | None:
        """Which store it is; see `Sender.identity`."""
        return self.sender.identity

    # experiments

    def put_experiment(
        self, name: str, draft: ExperimentDraft, guard: Guard, *, key: str | None = None
    ) -> ExperimentRecord:
        """Create or replace an experiment's definition."""
        return self.send(calls.PutExperiment(name=name, draft=draft, guard=guard, key=key or self.new_id()))

    def get_experiment(self, name: str, *, patience: Patience = usual_patience) -> ExperimentRecord:
        """Return one experiment."""
        return self.send(calls.GetExperiment(name=name, patience=patience))

    def list_experiments(self, start: str | None = None, limit: int = MAX_PAGE) -> Page[ExperimentRecord]:
        """Return a page of the experiments, oldest first."""
        return self.send(calls.ListExperiments(start=start, limit=limit))

    def delete_experiment(self, name: str, guard: Guard, *, key: str | None = None, force: bool = False) -> None:
        """Delete an experiment with its jobs."""
        self.send(calls.DeleteExperiment(name=name, guard=guard, key=key or self.new_id(), force=force))

    def count_jobs(self, name: str) -> Counts:
        """Count the jobs by state."""
        return self.send(calls.CountJobs(name=name))

    def export_page(self, name: str, start: str | None = None) -> portable.ExportPage:
        """Return part of all that is kept of an experiment."""
        return self.send(calls.ExportPage(name=name, start=start))

    def import_part(self, name: str, part: ImportPart) -> None:
        """Take one part of an experiment from elsewhere."""
        self.send(calls.TakePart(name=name, part=part))

    def put_spec(self, name: str, draft: SpecDraft, *, key: str | None = None) -> int:
        """Store what an experiment runs, and return its version."""
        return self.send(calls.PutSpec(name=name, draft=draft, key=key or self.new_id())).version

    def get_spec(self, name: str, version: int | None = None, *, patience: Patience = usual_patience) -> SpecRecord:
        """Return what an experiment runs: of that version, or the last."""
        return self.send(calls.GetSpec(name=name, version=version, patience=patience))

    # jobs

    def add_job(
        self, name: str, draft: JobDraft, on_duplicate: OnDuplicate = OnDuplicate.ALLOW, *, key: str | None = None
    ) -> PutAnswer:
        """Create one job, and return it, or the one that stands for it."""
        return self.send(calls.AddJob(name=name, draft=draft, on_duplicate=on_duplicate, key=key or self.new_id()))

    def add_jobs(
        self,
        name: str,
        jobs: Sequence[JobDraft],
        on_duplicate: OnDuplicate = OnDuplicate.ALLOW,
        *,
        key: str | None = None,
    ) -> Added:
        """Create jobs, all or none."""
        return self.send(
            calls.AddJobs(name=name, jobs=tuple(jobs), on_duplicate=on_duplicate, key=key or self.new_id())
        )

    def put_job(
        self,
        name: str,
        job_id: str,
        document: Document,
        guard: Guard = UNGUARDED,
        attempt: str | None = None,
        *,
        key: str | None = None,
    ) -> PutAnswer:
        """State a fact: replace a job's document, or create the job."""
        return self.send(
            calls.PutJob(
                name=name, id=job_id, document=document, guard=guard, attempt=attempt, key=key or self.new_id()
            )
        )

    def get_job(self, name: str, job_id: str) -> JobRecord:
        """Return one job."""
        return self.send(calls.GetJob(name=name, id=job_id))

    def list_jobs(self, name: str, query: JobQuery, start: str | None = None, limit: int = MAX_PAGE) -> Page[JobRecord]:
        """Return a page of jobs by age, or the first in the query's order."""
        return self.send(calls.ListJobs(name=name, query=query, start=start, limit=limit))

    def list_attempts(self, name: str, job_id: str) -> tuple[AttemptRecord, ...]:
        """Return the attempts of a job, oldest first."""
        return self.send(calls.ListAttempts(name=name, id=job_id))

    def list_dependencies(self, name: str, job_id: str) -> tuple[Dependency, ...]:
        """Return the jobs that a job waits for, oldest first."""
        return self.send(calls.ListDependencies(name=name, id=job_id))

    def list_blocked(self, name: str, start: str | None = None, limit: int = MAX_PAGE) -> Page[Blocked]:
        """Return a page of the queued jobs that wait for others, by age."""
        return self.send(calls.ListBlocked(name=name, start=start, limit=limit))

    def delete_job(self, name: str, job_id: str, guard: Guard = UNGUARDED, *, key: str | None = None) -> None:
        """Delete a job and its attempts."""
        self.send(calls.DeleteJob(name=name, id=job_id, guard=guard, key=key or self.new_id()))

    def get_gang(self, name: str, job_id: str, *, patience: Patience = usual_patience) -> Gang:
        """Return the jobs that begin together with one, and whether they may."""
        return self.send(calls.GetGang(name=name, id=job_id, patience=patience))

    def make_room(self, name: str, job_id: str, worker: str, *, patience: Patience = usual_patience) -> bool:
        """Tell whether a worker may let other jobs give way to one that waits: one worker at a time may."""
        return self.send(calls.MakeRoom(name=name, id=job_id, worker=worker, patience=patience)).granted

    def prune(self, name: str, job_id: str, *, key: str | None = None) -> JobRecord:
        """Make a QUEUED or RUNNING job PRUNED."""
        return self.send(calls.PruneJob(name=name, id=job_id, key=key or self.new_id()))

    def retry(self, name: str, job_id: str, *, key: str | None = None) -> JobRecord:
        """Queue a job again that failed or was pruned."""
        return self.send(calls.RetryJob(name=name, id=job_id, key=key or self.new_id()))

    def stop(self, name: str, ids: Sequence[str] = (), *, key: str | None = None) -> int:
        """Make QUEUED and RUNNING jobs PRUNED, of these ids if any, and return how many."""
        return self.send(calls.StopJobs(name=name, ids=tuple(ids), key=key or self.new_id())).jobs

    def set_queueing(self, name: str, job_id: str, changes: QueueingChanges, *, key: str | None = None) -> JobRecord:
        """Change what is beside a job's document."""
        return self.send(calls.SetQueueing(name=name, id=job_id, changes=changes, key=key or self.new_id()))

    def why(self, name: str, job_id: str) -> Why:
        """Say in one sentence why a job is not running."""
        return self.send(calls.ExplainJob(name=name, id=job_id))

    # batches

    def intend_batches(self, name: str, batches: Sequence[BatchDraft], *, key: str | None = None) -> tuple[int, ...]:
        """State which batches are about to be submitted, all or none; return the number of each one's submission."""
        call = calls.IntendBatches(name=name, batches=tuple(batches), key=key or self.new_id())
        return self.send(call).numbers

    def note_batch(
        self,
        name: str,
        batch_id: str,
        number: int,
        *,
        status: BatchStatus | None = None,
        jobid: str | None = None,
        allocation: AllocationState | None = None,
        reason: str | None = None,
        key: str | None = None,
    ) -> BatchRecord:
        """Keep what a scheduler said of a submission of a batch, and return how that is then."""
        note = BatchNote(status=status, jobid=jobid, allocation=allocation, reason=reason)
        return self.send(calls.NoteBatch(name=name, id=batch_id, number=number, note=note, key=key or self.new_id()))

    def begin_batch(self, name: str, batch_id: str, number: int, jobid: str, worker: str = "") -> BatchRecord:
        """Begin a batch in the allocation that the scheduler calls so, unless it is over or another's."""
        return self.send(calls.BeginBatch(name=name, id=batch_id, number=number, jobid=jobid, worker=worker))

    def get_batch(self, name: str, batch_id: str, number: int | None = None) -> BatchRecord:
        """Return a submission of a batch: of that number, or the newest."""
        return self.send(calls.GetBatch(name=name, id=batch_id, number=number))

    def list_batches(
        self, name: str, start: str | None = None, limit: int = MAX_PAGE, *, live: bool = False
    ) -> Page[BatchRecord]:
        """Return a page of the submissions of batches, oldest first; with `live`, of those that are not over."""
        return self.send(calls.ListBatches(name=name, start=start, limit=limit, live=live))

    # files

    def ask_files(self, name: str, *, patience: Patience = usual_patience) -> None:
        """Return if files of attempts can be kept."""
        self.send(calls.AskFiles(name=name, patience=patience))

    def list_files(self, name: str, job_id: str, attempt: int | None = None) -> Manifest:
        """Return what is kept of an attempt: that which is DONE, else the latest."""
        return self.send(calls.ListFiles(name=name, id=job_id, number=attempt))

    def keep_files(
        self,
        name: str,
        job_id: str,
        attempt: str,
        files: Sequence[KeptFile],
        keep: int | None = None,
        *,
        patience: Patience = usual_patience,
    ) -> Manifest:
        """State which files the attempt of that key has."""
        return self.send(
            calls.KeepFiles(name=name, id=job_id, attempt=attempt, files=tuple(files), keep=keep, patience=patience)
        )

    def put_content(
        self,
        name: str,
        job_id: str,
        attempt: str,
        sha256: str,
        size: int,
        offset: int,
        piece: bytes,
        *,
        patience: Patience = usual_patience,
    ) -> Held:
        """Put a piece of a file of the attempt of that key; say how much of it is kept."""
        digest = hashlib.sha256(piece).hexdigest()
        return self.send(
            calls.PutContent(
                name=name,
                id=job_id,
                attempt=attempt,
                sha256=sha256,
                size=size,
                offset=offset,
                digest=digest,
                piece=piece,
                patience=patience,
            )
        )

    def get_content(self, name: str, job_id: str, attempt: int, sha256: str, within: Span) -> Piece:
        """Return part of a file, at most `PIECE` bytes."""
        return self.send(calls.GetContent(name=name, id=job_id, number=attempt, sha256=sha256, within=within))

    def append_log(
        self,
        name: str,
        job_id: str,
        attempt: str,
        offset: int,
        piece: bytes,
        *,
        patience: Patience = usual_patience,
    ) -> Held:
        """Add a piece to the output of the attempt of that key; say how much of it is kept."""
        digest = hashlib.sha256(piece).hexdigest()
        return self.send(
            calls.AppendLog(
                name=name,
                id=job_id,
                attempt=attempt,
                offset=offset,
                digest=digest,
                piece=piece,
                patience=patience,
            )
        )

    def get_log(self, name: str, job_id: str, attempt: int | None, within: Span) -> Piece:
        """Return part of the output of an attempt, at most `PIECE` bytes."""
        return self.send(calls.GetLog(name=name, id=job_id, number=attempt, within=within))

    # workers

    def claim(
        self,
        name: str,
        worker: str,
        *,
        key: str | None = None,
        repeat: bool = False,
        ids: Sequence[str] = (),
        offer: Offer | None = None,
        patience: Patience = usual_patience,
    ) -> Claim | NoJob:
        """Take the next job: one without a task, or with an `offer` one of a task that needs no more than that."""
        return self.send(
            calls.ClaimJob(
                name=name,
                worker=worker,
                key=key or self.new_id(),
                repeat=repeat,
                ids=tuple(ids),
                offer=offer,
                patience=patience,
            )
        )

    def finish(
        self,
        name: str,
        job_id: str,
        report: Finish,
        *,
        key: str,
        claim: str | None = None,
        worker: str = "",
        repeat: bool = False,
        patience: Patience = usual_patience,
        away: Callable[[StoreUnavailableError], None] | None = None,
    ) -> Finished:
        """End an attempt and record what it reports; with `claim`, a key, claim the next job in the same call.

        Args:
            name: the experiment's.
            job_id: the job's.
            report: what is reported.
            key: op key of the report, which the caller keeps, to have it repeated later.
            claim: key of the claim.
            worker: who claims.
            repeat: the call may have been made before with this key.
            patience: how long to try.
            away: told of each try that found the store away.
        """
        return self.send(
            calls.FinishAttempt(
                name=name,
                id=job_id,
                report=report,
                key=key,
                claim=claim,
                worker=worker,
                repeat=repeat,
                patience=patience,
                away=away,
            )
        )

    def claim_jobs(
        self,
        name: str,
        worker: str,
        at_once: int,
        *,
        offer: Offer | None = None,
        slots: Offer | None = None,
        ids: Sequence[str] = (),
        key: str | None = None,
        repeat: bool = False,
        patience: Patience = usual_patience,
    ) -> Claims:
        """Take several jobs, with an `offer` such as fit it together; all `slots` say which job may wait for room.

        With `ids` only these jobs, in this order.
        """
        return self.send(
            calls.ClaimJobs(
                name=name,
                worker=worker,
                at_once=at_once,
                offer=offer,
                slots=slots,
                ids=tuple(ids),
                key=key or self.new_id(),
                repeat=repeat,
                patience=patience,
            )
        )

    def finish_attempts(
        self,
        name: str,
        reports: Sequence[AttemptReport],
        *,
        claim: str | None = None,
        at_once: int = 1,
        offer: Offer | None = None,
        slots: Offer | None = None,
        ids: Sequence[str] = (),
        worker: str = "",
        repeat: bool = False,
        patience: Patience = usual_patience,
        away: Callable[[StoreUnavailableError], None] | None = None,
    ) -> Reports:
        """End several attempts; with `claim`, a key, claim the next jobs in the same call. See `finish`."""
        return self.send(
            calls.FinishAttempts(
                name=name,
                reports=tuple(reports),
                claim=claim,
                claims=claim is not None,
                at_once=at_once,
                offer=offer,
                slots=slots,
                ids=tuple(ids),
                worker=worker,
                repeat=repeat,
                patience=patience,
                away=away,
            )
        )

    def heartbeat(self, attempts: Sequence[str]) -> tuple[Beat, ...]:
        """Renew the leases of these attempts, of any experiments."""
        beats: list[Beat] = []
        for first in range(0, len(attempts), MAX_BEATS):
            found = self.send(calls.Heartbeat(attempts=tuple(attempts[first : first + MAX_BEATS])))
            beats.extend(found)
        return tuple(beats)

    def heartbeat_of(self, worker: WorkerReport, attempts: Sequence[str] = ()) -> tuple[Beat, ...]:
        """Say who a worker is and what it has, and renew the leases of the attempts that it holds."""
        first = self.send(calls.Heartbeat(attempts=tuple(attempts[:MAX_BEATS]), worker=worker))
        return first + self.heartbeat(attempts[MAX_BEATS:])

    def who_am_i(self) -> str | None:
        """Return the email of the user whose credential a server is shown; None where nobody is asked for one."""
        return self.send(calls.WhoAmI()).email

    def list_workers(self) -> tuple[WorkerRecord, ...]:
        """Return the workers that are alive, by name."""
        return self.send(calls.ListWorkers())

    def offer(self, name: str, *, new: bool = False, key: str | None = None) -> JobRecord | NoJob:
        """Return the oldest ready job, still QUEUED; or a `new` one of the search, although others may be ready."""
        return self.send(calls.OfferJob(name=name, new=new, key=key or self.new_id()))

    def ping(self) -> None:
        """Return if the store answers."""
        self.send(calls.Ping())

    def close(self) -> None:
        """Let go of connections and files; calls under way end first."""
        self.sender.close()
