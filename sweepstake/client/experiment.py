"""`Experiment`: a named search with its jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, ClassVar, Final, NoReturn, Self

from sweepstake.client.adding import JobIds, NewJob, add_in_chunks, draft_of
from sweepstake.client.attempt.ranks import ENVIRONMENT
from sweepstake.client.attempt.sharing import GROUP_VARIABLES, SHARED_JOBS
from sweepstake.client.attempt.terminating import TERM_WATCH
from sweepstake.client.draining import check_at_once, check_catch, drain
from sweepstake.client.job import Job
from sweepstake.client.jobs import JobList, Jobs
from sweepstake.client.listing import iterate, query_of
from sweepstake.client.ranking import Ranking
from sweepstake.client.redefining import change_settings, changed_settings, check_settings, set_status
from sweepstake.client.session import Session
from sweepstake.client.specs.ending import follow, wait_for_end
from sweepstake.client.unknown import tell_unknown
from sweepstake.client.waiting import check_wait, claim_within
from sweepstake.domain.counts import Counts
from sweepstake.domain.duplicates import OnDuplicate
from sweepstake.domain.keys import check_etag
from sweepstake.domain.names import check_name, existing_name
from sweepstake.domain.records import (
    PRESENT,
    UNGUARDED,
    ExperimentDraft,
    ExperimentRecord,
    Guard,
    SearchDefinition,
)
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus, NoJobReason, member_of
from sweepstake.domain.tasks.specs import SpecRecord
from sweepstake.errors import ConfigurationError, FrozenSettingsError, NoJobError
from sweepstake.view.frame import jobs_frame
from sweepstake.view.html import experiment_html

__all__ = ["Experiment"]

#: How many of the best and of the newest jobs a notebook shows.
_GLANCE: Final = 5
#: Methods for the rest of the client.
_INTERNAL: Final = {"attach", "draft", "from_record", "reference", "search", "session"}


class Experiment:
    """A named search with its jobs: the part that is the same for every search.

    Make one of its subclasses (`ManualSearch`, `RandomSearch`, `GridSearch`, `PopulationBasedTraining`) and
    `Database.add_experiment` it, or `Database.get_experiment` one. As a context manager it is the short form of
    `next_job`: ``with experiment as job:``; blocks nest, and threads do not disturb each other.

    Args:
        name: of a server's experiments one of each user's can have it; in a store without users it is unique.
        status: RUNNING, or DONE to keep jobs from being claimed.
        settings: the fields of `Settings` as keyword arguments: `lease`, `max_attempts`, `objective` ...

    Attributes:
        name: what it is called.
        status: RUNNING, or DONE when it is paused or complete; see `pause` and `resume`.
        settings: a frozen `Settings`; `update` changes some of them.
        etag: version of the definition as this object knows it; None before it is stored.
        record: the experiment as it was when last read or written; None before it is stored.
        reference: what calls on the queue name it by: this very experiment, whatever others are called.
    """

    RUNNING: ClassVar = ExperimentStatus.RUNNING
    DONE: ClassVar = ExperimentStatus.DONE

    name: str
    status: ExperimentStatus | str
    etag: str | None
    record: ExperimentRecord | None
    reference: str

    def __init__(self, name: str, status: ExperimentStatus | str = ExperimentStatus.RUNNING, **settings: Any) -> None:
        self.name = self.reference = check_name(name, "name")
        self.status = member_of(ExperimentStatus, status, "status")
        check_settings(settings)
        self._settings = Settings(**settings)
        self.etag = self.record = None
        self._session: Session | None = None
        self._entered = _Entered()

    def search(self) -> SearchDefinition:
        """Return the search as it is stored. Subclasses say which."""
        raise ConfigurationError("make a ManualSearch, RandomSearch, GridSearch or PopulationBasedTraining")

    def draft(self) -> ExperimentDraft:
        """Return the definition as it is sent to a store."""
        return ExperimentDraft(
            search=self.search(), status=member_of(ExperimentStatus, self.status, "status"), settings=self.settings
        )

    def attach(self, session: Session, record: ExperimentRecord) -> None:
        """Tie this object to the stored experiment `record`."""
        self._session = session
        self.record = record
        self.reference = record.reference
        self.name = record.name
        self.status = record.status
        self._settings = record.settings
        self.etag = record.etag

    @property
    def settings(self) -> Settings:
        """What the experiment asks of the queue; `update` changes some of it."""
        return self._settings

    @settings.setter
    def settings(self, _value: object) -> NoReturn:
        raise FrozenSettingsError(
            "settings are not assigned, because that would reset those that are not named; "
            "experiment.update(max_jobs=52) changes only what it names"
        )

    @property
    def session(self) -> Session:
        """The connection this experiment belongs to."""
        if self._session is None:
            raise self._not_stored()
        return self._session

    def _not_stored(self) -> ConfigurationError:
        return ConfigurationError(f"experiment {self.name!r} is not in a store yet; call db.add_experiment(exp)")

    @property
    def owner(self) -> str | None:
        """Email of the user of a server who made it; None: it is everybody's, or not stored yet."""
        return None if self.record is None else self.record.owner

    def add_job(
        self,
        hyperparameters: Mapping[str, Any],
        status: JobStatus | str = JobStatus.QUEUED,
        results: Mapping[str, Any] | None = None,
        *,
        job_id: str | None = None,
        priority: int = 0,
        not_before: float | None = None,
        tags: Iterable[str] = (),
        notes: str = "",
        depends_on: Iterable[Job | str] = (),
        prune_with_dependencies: bool = False,
        on_duplicate: str = "allow",
        task: str | None = None,
    ) -> Job:
        """Create a job.

        Args:
            hyperparameters: JSON values; numpy scalars and arrays are accepted.
            status: what it begins as.
            results: values it begins with.
            job_id: an id of your own; by default one is made.
            priority: higher is claimed first, then the oldest.
            not_before: Unix time in seconds before which it is not claimed.
            tags: labels to find it by.
            notes: free text.
            depends_on: jobs of this experiment, or their ids, that must be DONE before it is claimed.
            prune_with_dependencies: make it PRUNED, while it is QUEUED, when one of them becomes CRASHED or PRUNED.
            on_duplicate: when a job of the experiment has these hyperparameters already (in any order; 1, 1.0 and True
                differ), "allow" creates another, "skip" returns that job, "error" raises.
            task: what is run for it: a task of the experiment's spec; None for a job that a command or a loop takes.

        Raises:
            InvalidInputError: a value is wrong, or a dependency or the task is not there; the error names its path.
            ResourceExistsError: the id is taken, or it is a duplicate that shall raise.
            LimitReachedError: `max_jobs` allows no more.
        """
        session = self.session
        new = NewJob(
            hyperparameters,
            job_id=job_id,
            status=status,
            results=results,
            priority=priority,
            not_before=not_before,
            tags=tags,
            notes=notes,
            depends_on=depends_on,
            prune_with_dependencies=prune_with_dependencies,
            task=task,
        )
        draft = draft_of(self.reference, session.queue.new_id(), new)
        added = session.queue.add_job(self.reference, draft, member_of(OnDuplicate, on_duplicate, "on_duplicate"))
        job = Job(session, self, added.record)
        if added.created and draft.status is JobStatus.RUNNING:
            job.hold_first()
        return job

    def add_jobs(
        self,
        hyperparameters: Iterable[Mapping[str, Any] | NewJob],
        *,
        priority: int = 0,
        not_before: float | None = None,
        tags: Iterable[str] = (),
        notes: str = "",
        depends_on: Iterable[Job | str] = (),
        prune_with_dependencies: bool = False,
        on_duplicate: str = "allow",
        task: str | None = None,
        progress: bool | None = None,
    ) -> JobIds:
        """Create a job for each mapping of hyperparameters, and return their ids: a list.

        The jobs are sent some thousands at a time, so the iterable may be endless for all the memory it takes.
        Each chunk is stored as a whole; when one is refused, those before it stand.

        Args:
            hyperparameters: one mapping per job, or a `NewJob`; errors name the place, such as ``[17].layers``.
            priority: the same for all, as are the next five; see `add_job`.
            not_before: see `add_job`.
            tags: see `add_job`.
            notes: see `add_job`.
            depends_on: see `add_job`.
            prune_with_dependencies: see `add_job`.
            on_duplicate: see `add_job`; in the place of a job that is skipped stands the id of the one that is there,
                and `skipped` of the list names its place.
            task: see `add_job`.
            progress: show a progress bar; by default when there are many and somebody watches.
        """
        session, kind = self.session, member_of(OnDuplicate, on_duplicate, "on_duplicate")
        common = NewJob(
            {},
            priority=priority,
            not_before=not_before,
            tags=tags,
            notes=notes,
            depends_on=depends_on,
            prune_with_dependencies=prune_with_dependencies,
            task=task,
        )
        template = draft_of(self.reference, "template", common)
        return add_in_chunks(session, self.reference, hyperparameters, template, on_duplicate=kind, progress=progress)

    def get_job(self, job_id: str) -> Job:
        """Return the job of that id."""
        return Job(self.session, self, self.session.queue.get_job(self.reference, existing_name(job_id, "job_id")))

    def all_jobs(
        self,
        status: JobStatus | str | Iterable[JobStatus | str] | None = None,
        tag: str | None = None,
        where: str | Iterable[str] | None = None,
        order: str | None = None,
    ) -> Jobs:
        """Return an iterator over the jobs, oldest first; in a notebook it shows the first of them.

        Args:
            status: only those of this status, or of these.
            tag: only those with this tag.
            where: only those for which all these hold, such as ``"results.accuracy >= 0.9"``;
                see `sweepstake.domain.query.queries.Condition`.
            order: sort by a field, such as ``"-results.accuracy"`` for the highest first; reads all of them first.
        """
        return Jobs(self, query_of(status, tag, where, order))

    def top(self, n: int = 10, by: str | None = None, direction: str | None = None) -> JobList:
        """Return the best `n` DONE jobs, best first: a list, in a notebook a table.

        A job whose result is NaN, text or not there is not compared; a logged warning tells how many there are, and
        of a result that no job has what there is instead.

        Args:
            n: at most 1,000.
            by: the result to compare; by default the experiment's objective.
            direction: "min" or "max"; by default the experiment's direction.

        Raises:
            InvalidInputError: neither `by` nor the experiment says which result counts.
        """
        ranking = Ranking.of(self.settings, self.search(), by, direction)
        records = ranking.best(self.session.queue, self.reference, n)
        if not records and self.counts().done:
            tell_unknown(self.session.queue, self.reference, f"results.{ranking.result}")
        return JobList(Job(self.session, self, record) for record in records)

    def best_job(self, by: str | None = None, direction: str | None = None) -> Job:
        """Return the best DONE job; see `top`.

        Raises:
            NoJobError: no job is DONE with that result.
        """
        best = self.top(1, by, direction)
        if not best:
            raise NoJobError(f"no job of {self.name!r} is DONE with a number for the result asked", NoJobReason.EMPTY)
        return best[0]

    def to_frame(self, **filters: Any) -> Any:
        """Return the jobs as a pandas DataFrame: a row each, a column per hyperparameter and result.

        Args:
            filters: as for `all_jobs`.
        """
        query = query_of(**filters) if filters else query_of()
        return jobs_frame(iterate(self.session.queue, self.reference, query))

    def counts(self) -> Counts:
        """Count the jobs by state."""
        return self.session.queue.count_jobs(self.reference)

    def next_job(self, wait: float = 0.0) -> Job:
        """Claim a job: it is RUNNING, leased to this process, and nobody else has it.

        A process that was started for a job as one of several, say for another GPU, gets that job, once.

        Args:
            wait: seconds to wait for one.

        Raises:
            NoJobError: there is none; its `reason` says why.
        """
        session, record = self._session, self.record
        if session is None or record is None:
            raise self._not_stored()
        if not ENVIRONMENT.keys().isdisjoint(GROUP_VARIABLES):
            shared = SHARED_JOBS.find(session, record)
            if shared is not None:
                return Job(session, self, shared[0], shared=shared[1])
        with TERM_WATCH:
            claim = claim_within(session, self.reference, wait)
            return Job(session, self, claim.job, claim)

    def claim_jobs(
        self, wait: float = 0.0, *, catch: type[Exception] | Iterable[type[Exception]] = (), at_once: int = 1
    ) -> Iterator[Job]:
        """Claim job after job until there is none; use each in a `with` block.

        ::

            for job in experiment.claim_jobs():
                with job:
                    job.results["accuracy"] = train(**job.hyperparameters)

        Leaving a block ends its job and claims the next in one call. A job whose block is not entered goes back into
        the queue, however the loop ends or goes on, and this loop does not get it again. A job whose lease was lost is
        logged, and the loop goes on.

        Args:
            wait: seconds to wait for another job before the loop ends.
            catch: exceptions after which the loop goes on, such as ``(ValueError, RuntimeError)``: the job is CRASHED,
                with the traceback kept, or tried again as `max_attempts` says. They are logged.
            at_once: how many jobs to claim in a call, at most 100. With more than one, an end is reported with those
                of the others, when all have ended or a second later: much cheaper for jobs that take milliseconds. Of
                jobs that take longer, those that do not begin within a minute go back into the queue.
        """
        return drain(self, check_wait(wait), check_catch(catch), check_at_once(at_once))

    def wait(self, timeout: float | None = None) -> Counts:
        """Wait until no job runs and none can begin, and return how many are in which state.

        A paused experiment with jobs to run is waited for. Jobs that wait for others which failed are not.

        Args:
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            TimeoutError: it has not ended in time.
        """
        return wait_for_end(self.session.queue, self.reference, timeout)

    def follow(self, timeout: float | None = None) -> Iterator[Job]:
        """Iterate over jobs as their status changes, until no job runs and none can begin.

        ::

            for job in experiment.follow():
                print(job.job_id, job.status)

        A job that changes several times between two looks, which are at most 2 seconds apart, comes once. Those that
        are queued when they are first seen do not come; those that have ended before do.

        Args:
            timeout: as of `wait`.

        Raises:
            TimeoutError: it has not ended in time.
        """
        for record in follow(self.session.queue, self.reference, timeout):
            yield Job(self.session, self, record)

    def stop(self, jobs: Job | str | Iterable[Job | str] | None = None) -> int:
        """End jobs: those that run or are queued become PRUNED, for the reason that they were stopped.

        What runs is told so by its next heartbeat. `Job.retry` queues a job again.

        Args:
            jobs: one, or several, by themselves or their ids; by default all.

        Returns:
            How many jobs it ended.
        """
        if jobs is None:
            return self.session.queue.stop(self.reference)
        several = (jobs,) if isinstance(jobs, (str, Job)) else jobs
        ids = [each if isinstance(each, str) else each.job_id for each in several]
        return self.session.queue.stop(self.reference, ids) if ids else 0  # no ids would mean all

    def spec(self, version: int | None = None) -> SpecRecord:
        """Return what the experiment runs, as it was submitted.

        Args:
            version: which, from 1; by default the last.

        Raises:
            NotFoundError: it has no such version, or no spec.
        """
        return self.session.queue.get_spec(self.reference, version)

    def snapshot(self, version: int | None = None) -> dict[str, Any] | None:
        """Return what the code was where a version of the spec was submitted; by default of the last one.

        Returns:
            `commit` and `branch` of the git repository, or None; whether something differs from the commit (`dirty`),
            and what (`diff`, at most 1 MiB of it, and whether it is `whole`); the version of `python`, and the
            `packages` that were installed, as ``name==version``. None if nobody looked.

        Raises:
            NotFoundError: it has no such version, or no spec.
        """
        found = self.spec(version).snapshot
        return None if found is None else found.decode()

    def pause(self) -> None:
        """Let nothing more be claimed; jobs that run go on, and report.

        The experiment is DONE until `resume`. Only its status is written, whatever this object was assigned, and what
        somebody else changes of it at the same time stays.
        """
        self._set_status(ExperimentStatus.DONE)

    def resume(self) -> None:
        """Let jobs be claimed again after `pause`, or after the search was complete."""
        self._set_status(ExperimentStatus.RUNNING)

    def update(self, **settings: Any) -> Self:
        """Change some settings of the experiment, and nothing else: ``experiment.update(max_jobs=52)``.

        It is written at once. What this object was assigned and not pushed yet is not written, and what somebody else
        changes of the experiment at the same time stays: its status, its search, and the other settings.

        Args:
            settings: the fields of `Settings` that change, with their new values; None where that means no limit.

        Returns:
            The experiment itself.

        Raises:
            UnsafeUpdateError: somebody else gave one of these settings another value since this object was read.
            InvalidInputError: a name is no setting, or a value is wrong.
        """
        if self.record is None:
            self._settings = changed_settings(self._settings, settings)
            return self
        self._redefined(*change_settings(self.session.queue, self.record, settings))
        return self

    def _set_status(self, status: ExperimentStatus) -> None:
        before, after = set_status(self.session.queue, self.reference, status)
        self._redefined(before, after)
        self.status = after.status

    def _redefined(self, before: ExperimentRecord, after: ExperimentRecord) -> None:
        if before.etag == self.etag:  # else somebody changed what this object does not know of: its next push must fail
            self.etag = after.etag
        self._settings = after.settings
        self.record = after

    def push_updates(self, safe: bool = True) -> None:
        """Write this object's status, search and settings to the store.

        Args:
            safe: refuse to overwrite what somebody else wrote since this object was read.

        Raises:
            UnsafeUpdateError: somebody else wrote first.
        """
        session = self.session
        guard = Guard.match(check_etag(self.etag)) if safe and self.etag is not None else UNGUARDED
        self.attach(session, session.queue.put_experiment(self.reference, self.draft(), guard))

    def delete(self, ensure: bool = True, force: bool = False) -> None:
        """Delete the experiment with its jobs.

        Args:
            ensure: raise UnsafeUpdateError if it is gone already.
            force: also while workers hold leases of its jobs.

        Raises:
            LiveLeasesError: workers hold jobs of it, and `force` is false.
        """
        self.session.queue.delete_experiment(self.reference, PRESENT if ensure else UNGUARDED, force=force)

    def __enter__(self) -> Job:
        """Claim a job and enter its block."""
        job = self.next_job()
        entered = job.__enter__()
        self._entered.jobs.append(job)
        return entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Leave the block of the job that this thread entered last."""
        return self._entered.jobs.pop().__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {self.status}>"

    def _repr_html_(self) -> str:
        if self.record is None:
            return ""
        counts, queue = self.counts(), self.session.queue
        ranking = Ranking.known(self.settings, self.search())
        best = ranking.best(queue, self.reference, _GLANCE) if ranking else []
        newest = queue.list_jobs(self.reference, query_of(order="-created_at"), limit=_GLANCE).items
        return experiment_html(self.record, str(counts), best, newest)

    def __dir__(self) -> list[str]:
        """Return what is for users: completion offers nothing else."""
        return [name for name in super().__dir__() if name not in _INTERNAL]


class _Entered(threading.local):
    """The jobs whose blocks a thread has entered by `with experiment`, in that order; a copy has none."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def __reduce__(self) -> tuple[type[_Entered], tuple[()]]:
        return _Entered, ()
