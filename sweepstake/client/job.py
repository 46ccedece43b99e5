"""`Job`: one set of hyperparameters, and the block in which it runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

from attrs import evolve

from sweepstake.client.attempt.block import Block
from sweepstake.client.attempt.claiming import claim_this, refusal
from sweepstake.client.attempt.held import Held
from sweepstake.client.attempt.preempting import HOOK_SECONDS
from sweepstake.client.attempt.process import PROCESS
from sweepstake.client.attempt.ranks import Membership
from sweepstake.client.attempt.sharing import SHARED_JOBS, hand_over
from sweepstake.client.attempt.terminating import TERM_WATCH
from sweepstake.client.edits import Edits
from sweepstake.client.kept.fetching import fetch
from sweepstake.client.kept.following import read
from sweepstake.client.session import Session
from sweepstake.domain.drafts import Finish
from sweepstake.domain.files import Manifest
from sweepstake.domain.keys import check_etag
from sweepstake.domain.names import check_tags
from sweepstake.domain.records import (
    ABSENT,
    PRESENT,
    UNGUARDED,
    AttemptRecord,
    Claim,
    Dependency,
    Document,
    Guard,
    JobRecord,
    NoJob,
)
from sweepstake.domain.situation import Why
from sweepstake.domain.status import JobStatus, Outcome, member_of
from sweepstake.domain.vocabulary import UNCHANGED, QueueingChanges, Unchanged, queueing_of
from sweepstake.errors import HeldJobError, LeaseLostError, PruneJob, SweepstakeError
from sweepstake.plaintext import printable
from sweepstake.view.html import attempts_html, job_html

if TYPE_CHECKING:  # it makes its jobs, and each of them refers to it
    from sweepstake.client.experiment import Experiment

__all__ = ["Job"]

#: Methods for the rest of the client.
_INTERNAL: Final = {"attempt_key", "drain_into", "give_back_idle", "hold_first", "is_idle", "is_returned"}

C = TypeVar("C", bound=Callable[[], object])


class Job:
    """One set of hyperparameters to evaluate, and its results.

    Made by `Experiment.next_job`, `add_job`, `get_job` and `all_jobs`. Used in a `with` statement it is RUNNING inside
    the block and, after it, DONE, or CRASHED if an exception left the block::

        with experiment.next_job() as job:
            job.results["accuracy"] = train(**job.hyperparameters)
    """

    QUEUED: ClassVar = JobStatus.QUEUED
    RUNNING: ClassVar = JobStatus.RUNNING
    CRASHED: ClassVar = JobStatus.CRASHED
    PRUNED: ClassVar = JobStatus.PRUNED
    DONE: ClassVar = JobStatus.DONE

    def __init__(
        self,
        session: Session,
        experiment: Experiment,
        record: JobRecord,
        claim: Claim | None = None,
        shared: Membership | None = None,
    ) -> None:
        self._session = session
        self._experiment = experiment
        self._held = held = Held(session, record, record.status, record.etag, PROCESS.pid or PROCESS.start())
        self._edits = Edits(held)
        self._made_block: Block | None = None
        self._shared = shared
        if claim is not None:
            held.hold(claim)

    @property
    def job_id(self) -> str:
        """Id of the job, unique in its experiment."""
        return self._held.record.id

    @property
    def experiment(self) -> Experiment:
        """The `Experiment` that the job belongs to."""
        return self._experiment

    @property
    def status(self) -> JobStatus | str:
        """A `JobStatus`; assign and `put()` to state another."""
        return self._held.status

    @status.setter
    def status(self, value: JobStatus | str) -> None:
        self._held.status = value

    @property
    def etag(self) -> str | None:
        """Version of the document as this object knows it; None for one that is not stored yet."""
        return self._held.etag

    @etag.setter
    def etag(self, value: str | None) -> None:
        self._held.etag = value

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The job's inputs; change them only before it runs."""
        return self._edits.hyperparameters

    @hyperparameters.setter
    def hyperparameters(self, value: dict[str, Any]) -> None:
        self._edits.hyperparameters = value

    @property
    def results(self) -> dict[str, Any]:
        """The job's final values; fill it inside the block.

        All together may take 8 MiB as JSON. What would be more is refused where it is set, by an InvalidInputError, and
        kept in a file that the error names; so is, at the end of the block, what JSON cannot hold, such as a set.
        Large results belong into files in `checkpoint_dir`, and their paths here.
        """
        return self._edits.results

    @results.setter
    def results(self, value: dict[str, Any]) -> None:
        self._edits.results = value

    @property
    def record(self) -> JobRecord:
        """The job as it was when last read or written, with all that is known of its queueing."""
        return self._held.record

    @property
    def priority(self) -> int:
        """Higher is claimed first."""
        return self._held.record.priority

    @property
    def tags(self) -> tuple[str, ...]:
        """Labels of the job."""
        return self._held.record.tags

    @property
    def notes(self) -> str:
        """Free text about the job."""
        return self._held.record.notes

    @property
    def attempt(self) -> int:
        """How many attempts were begun."""
        return self._held.record.attempt

    @property
    def attempt_key(self) -> str | None:
        """The key of the attempt that this object holds, or None when it holds none."""
        return self._held.key

    @property
    def worker(self) -> str | None:
        """Who runs the job, or ran it last."""
        return self._held.record.worker

    @property
    def prune_asked(self) -> bool:
        """Whether somebody pruned the job while it runs here; raise `PruneJob` to stop."""
        return self._held.prune_asked

    @property
    def checkpoint_dir(self) -> Path:
        """A folder for the job's checkpoints: the same one in every attempt, and no other job's.

        It is made when asked for, and only this user can read it. Raises UnusableFolderError if that cannot be: leaving
        the block with that error gives the job back.
        """
        return self._session.places.checkpoint(self.record, held=self._held.attempt() is not None)

    def put(self, safe: bool = True) -> None:
        """Write the status, hyperparameters and results of this object to the store.

        Inside the block it saves what there is so far, for others to see and for the next attempt, should this one be
        lost; the block goes on, and its end is recorded as ever. To put a job RUNNING that this object does not hold
        takes it from whoever does.

        Args:
            safe: refuse to overwrite what somebody else wrote since this object was read.

        Raises:
            UnsafeUpdateError: somebody else wrote first (`LeaseLostError` when they ended the attempt held here).
            InvalidInputError: a value is not JSON; the error names its path.
        """
        held = self._held
        document = self._edits.document(member_of(JobStatus, held.status, "status"))
        if self._shared is not None:
            hand_over(self._shared, document.results)
            return
        if not safe:
            self._put_unguarded(document)
        else:
            guard = ABSENT if held.etag is None else Guard.match(check_etag(held.etag))
            self._put(document, guard, held.begun())
        if document.status is not JobStatus.RUNNING:
            held.let_go()
        elif held.key is None:
            held.key = held.etag  # the key of the put, which began the attempt

    def _put(self, document: Document, guard: Guard, attempt: str | None) -> None:
        record = self._held.record
        self._held.take(self._session.queue.put_job(record.reference, record.id, document, guard, attempt).record)

    def _put_unguarded(self, document: Document) -> None:
        attempt = self._held.begun()
        if attempt is not None:
            try:
                self._put(document, UNGUARDED, attempt)
            except LeaseLostError:
                self._held.let_go()
            else:
                return
        self._put(document, UNGUARDED, None)

    def try_run(self) -> None:
        """Make a QUEUED job RUNNING for this process, without a lease; a job that this object holds is running already.

        Raises:
            UnsafeUpdateError: another worker did first, or the job is over.
        """
        if self._held.begun() is not None or self._shared is not None:
            return
        if self.etag is not None and self._held.record.status is not JobStatus.QUEUED:
            raise refusal(self.job_id, self.why())
        before = self.status
        self.status = JobStatus.RUNNING
        try:
            self.put()
        except SweepstakeError:
            self.status = before
            raise

    def prune(self) -> None:
        """Make a QUEUED or RUNNING job PRUNED; the worker that runs it learns so with its next heartbeat.

        Raises:
            UnsafeUpdateError: the job is DONE or CRASHED.
        """
        self._held.take(self._session.queue.prune(self._held.record.reference, self.job_id))
        self._held.let_go()

    def retry(self) -> None:
        """Queue this job again if it is CRASHED or PRUNED: its attempts and results stay, its budgets begin anew.

        A job that is RUNNING without a lease (see `try_run`) is queued as well; a QUEUED one stays as it is.

        Raises:
            UnsafeUpdateError: the job is DONE, or held by a worker.
        """
        self._held.take(self._session.queue.retry(self._held.record.reference, self.job_id))
        self._held.let_go()

    def set_queueing(
        self,
        *,
        priority: int | Unchanged = UNCHANGED,
        not_before: float | Unchanged | None = UNCHANGED,
        tags: Iterable[str] | Unchanged = UNCHANGED,
        notes: str | Unchanged = UNCHANGED,
    ) -> None:
        """Change what stands beside the document of a job in any status; a running one runs on.

        The etag stays, here and in the store: neither this object's next `put` nor anybody else's is in the way.

        Args:
            priority: higher is claimed first.
            not_before: Unix time in seconds before which it is not claimed; None for at once.
            tags: all labels it shall have.
            notes: free text.
        """
        labels = tags if isinstance(tags, Unchanged) else check_tags(tags)
        changes = QueueingChanges(priority=priority, not_before=not_before, tags=labels, notes=notes)
        now = self._session.queue.set_queueing(self._held.record.reference, self.job_id, changes)
        self._held.record = evolve(self._held.record, **queueing_of(now))

    def preempt(self) -> None:
        """Give a job that runs here back to the queue, as preempted, after calling what `on_preempt` was told.

        The results so far stay with the job, and its attempt is over.
        """
        self._block().give_back(Outcome.PREEMPTED)

    def release(self) -> None:
        """Give a job that runs here back to the queue. The results so far stay with it, and its attempt is over."""
        self._block().give_back(Outcome.RELEASED)

    def on_preempt(self, callback: C, within: float = HOOK_SECONDS) -> C:
        """Have a function called before the job is given back because its process must end: to save a checkpoint.

        It is called when SIGTERM, Ctrl-C or a cancelled task ends the block, and by `preempt`, on a thread of its
        own while the lease is still held; results that it sets are kept. Several are called one after the other::

            @job.on_preempt
            def save():
                model.save(job.checkpoint_dir / "last")

        Args:
            callback: takes no arguments. What it raises is logged.
            within: seconds to wait for it. One that takes longer is not waited for: the job is given back, and the
                thread runs on until the process ends, so write beside the checkpoint and rename.

        Returns:
            The callback, so that this can be used as a decorator.
        """
        self._block().hooks.add(callback, within)
        return callback

    def delete(self, ensure: bool = True) -> None:
        """Delete the job.

        Args:
            ensure: raise UnsafeUpdateError if it is gone already.
        """
        self._session.queue.delete_job(self._held.record.reference, self.job_id, PRESENT if ensure else UNGUARDED)
        self._held.let_go()

    def attempts(self) -> Attempts:
        """Return every attempt at this job: worker, times, outcome, reason; in a notebook a table."""
        return Attempts(self._session.queue.list_attempts(self._held.record.reference, self.job_id))

    def files(self, attempt: int | None = None) -> Manifest:
        """Return which files are kept of an attempt, each with path, size and sha256, and how long its output is.

        Args:
            attempt: the number of the attempt; by default the one that ended DONE, else the latest.
        """
        return self._session.queue.list_files(self._held.record.reference, self.job_id, attempt)

    def fetch(self, folder: str | os.PathLike[str], attempt: int | None = None) -> Path:
        """Write the files of an attempt into a folder, which is made if need be, and return it.

        A file that is there with the same content stays as it is; one with another content is replaced.

        Args:
            folder: where they go; nothing is written outside it, or through a link.
            attempt: as for `files`.

        Raises:
            UnusableFolderError: a file cannot be written.
        """
        place = Path(folder)
        fetch(self._session.queue, self._held.record, place, attempt)
        return place

    def log(self, attempt: int | None = None) -> str:
        """Return all that an attempt printed, as far as its worker has kept it; bytes that are no UTF-8 are replaced.

        Args:
            attempt: as for `files`.
        """
        return b"".join(read(self._session.queue, self._held.record, attempt)).decode("utf-8", "replace")

    def dependencies(self) -> tuple[Dependency, ...]:
        """Return the jobs that this one waits for, or waited for: id and status, oldest first."""
        return self._session.queue.list_dependencies(self._held.record.reference, self.job_id)

    def why(self) -> Why:
        """Return why this job is not running: ``print(job.why())`` says it in one sentence."""
        return self._session.queue.why(self._held.record.reference, self.job_id)

    def drain_into(
        self,
        claim_next: Callable[[Claim | NoJob | None], None] | None,
        catch: tuple[type[Exception], ...] = (),
        ends: Callable[[Held, Finish], None] | None = None,
    ) -> None:
        """Claim the next job with the end of this one, and hand it to `claim_next`; a lost lease is only logged.

        Args:
            claim_next: takes the claim; None claims none.
            catch: exceptions that end the block and no more, after they were recorded.
            ends: takes the end, to report it later with others.
        """
        block = self._block()
        block.ends = ends
        block.claim_next = claim_next
        block.loses_quietly = True
        block.catch = catch

    def hold_first(self) -> None:
        """Hold the attempt that began when the job was created here as RUNNING, unless somebody has ended it."""
        record = self.record
        if (record.status, record.attempt) == (JobStatus.RUNNING, 1) and not record.leased:
            self._held.key = record.etag

    def is_returned(self) -> bool:
        """Tell whether the job was claimed for this object, and given back because it did not begin in time."""
        lease = self._held.lease
        return lease is not None and lease.returned is not None

    def is_idle(self) -> bool:
        """Tell whether the job was claimed for this object, and has not begun."""
        lease = self._held.lease
        return lease is not None and self._held.attempt() is not None and lease.is_idle()

    def give_back_idle(self) -> bool:
        """Give the job back if it was claimed for this object and has not begun; tell whether it was."""
        lease = self._held.lease
        if lease is None or self._held.attempt() is None:
            return False
        with TERM_WATCH:
            given_back = lease.give_back_idle()
            if given_back:
                self._held.let_go()
        return given_back

    def __enter__(self) -> Self:
        """Claim the job, unless this object holds it already, and watch for SIGTERM.

        Raises:
            UnsafeUpdateError: it is not in the queue: somebody holds it, or it is over; the error says which.
        """
        held, pid = self._held, PROCESS.pid
        if held.pid != pid and held.key is None:
            held.pid = pid  # what the parent did not hold, a forked child may
        try:
            if held.pid == pid and held.begun() is None:
                self._shared = self._shared or SHARED_JOBS.holds(self._session, held.record)
                if self._shared is not None:
                    return self
                self._claim()
            self._block().enter()
        except BaseException as error:  # also of a signal's, after which no block is left
            self._stop_entering(error)
            raise
        return self

    def _leave_shared(self, shared: Membership, error: BaseException | None) -> bool:
        """Hand over what there is; the process that holds the job records its end."""
        try:
            hand_over(shared, self._edits.report()[0])
        except (SweepstakeError, OSError) as failure:
            if error is None:
                raise
            error.add_note(f"The results of job {self.job_id} could not be handed over: {failure}")
        return isinstance(error, PruneJob) and not shared.held.command  # whose worker is to see it

    def _claim(self) -> None:
        with TERM_WATCH:
            claim = claim_this(self._session, self._held.record)
            if claim is None:
                self.try_run()
                return
            self._held.take(claim.job)
            self._held.hold(claim)
        self._held.begun()

    def _stop_entering(self, error: BaseException) -> None:
        if not self.give_back_idle() and self._made_block is not None:
            self._made_block.leave(error, self.status)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Record how the block ended. An exception of the user's always wins over one of ours.

        A forked child that leaves its copy of the block records nothing: the job is its parent's.
        """
        held = self._held
        if held.pid != PROCESS.pid:
            return False
        if self._shared is not None:
            return self._leave_shared(self._shared, error)
        return (self._made_block or self._block()).leave(error, held.status)

    def _block(self) -> Block:
        if self._made_block is None:
            self._made_block = Block(self._held, self._edits)
        return self._made_block

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a job travel that this process does not hold.

        Raises:
            HeldJobError: it holds it, and only one can.
        """
        if self._held.attempt() is not None or self._shared is not None:
            raise HeldJobError(
                f"job {self.job_id} of {self.record.experiment!r} is held by this process, and only one can hold it; "
                "send job.hyperparameters in its place, or send the experiment and job.job_id, and get_job() it there"
            )
        return _copied, (self._session, self._experiment, self.record, self.status, self.etag, self._edits.in_hand())

    def __repr__(self) -> str:
        name, shown = self._held.record.experiment, dict(list(self.hyperparameters.items())[:6])
        values = f"hyperparameters={_short(shown)}, results={_short(self.results)}"
        return f"<Job {printable(self.job_id)} of {name!r}: {self.status}, {values}>"

    def _repr_html_(self) -> str:
        attempts = self.attempts() if self._held.record.status is JobStatus.CRASHED else ()
        return job_html(self.record, attempts)

    def __dir__(self) -> list[str]:
        """Return what is for users: completion offers nothing else."""
        return [name for name in super().__dir__() if name not in _INTERNAL]


class Attempts(tuple[AttemptRecord, ...]):  # noqa: SLOT001 -- a tuple with a length of its own has none
    """Attempts, which a notebook shows as a table."""

    def __reduce__(self) -> tuple[type[tuple[Any, ...]], tuple[tuple[AttemptRecord, ...]]]:
        return tuple, (tuple(self),)

    def _repr_html_(self) -> str:
        return attempts_html(self)


def _copied(
    session: Session,
    experiment: Experiment,
    record: JobRecord,
    status: JobStatus | str,
    etag: str | None,
    in_hand: tuple[Any, Any],  # what was assigned may be no dict
) -> Job:
    """Return the copy of a job, with what was changed of it and not put yet."""
    job = Job(session, experiment, record)
    job.status, job.etag = status, etag
    for name, values in zip(("hyperparameters", "results"), in_hand, strict=True):
        if isinstance(values, dict):
            held: dict[str, Any] = getattr(job, name)
            held.clear()
            held.update(values)
        elif values is not None:
            setattr(job, name, values)
    return job


def _short(values: dict[str, Any]) -> str:
    text = repr(values)
    return text if len(text) <= 200 else text[:197] + "..."
