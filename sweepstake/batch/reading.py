"""What waits in an experiment, as planning sees it: read by pages, without a lock, and nothing is reserved."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from attrs import evolve, field, frozen

from sweepstake.batch.planning.estimates.runtimes import Estimate, Runtimes, learn_runtimes
from sweepstake.batch.planning.records import BatchJob
from sweepstake.client import Experiment
from sweepstake.client.listing import iterate
from sweepstake.domain.batches.vain import MOST_IN_VAIN, seconds_in_vain
from sweepstake.domain.query.queries import JobQuery, Order
from sweepstake.domain.records import JobRecord
from sweepstake.domain.status import ExperimentStatus, JobStatus
from sweepstake.domain.tasks.needs import Needs
from sweepstake.errors import ConfigurationError, PlanError
from sweepstake.plaintext import counted
from sweepstake.queue.queue import Queue
from sweepstake.spec import ExperimentSpec
from sweepstake.spec.naming import named_tasks
from sweepstake.spec.needs import needs_of

__all__ = ["LeftOut", "Reading", "read_waiting", "without"]

#: So many of the jobs that ended last are learnt from.
_LEARNT_FROM: Final = 1000
_NO_TASK: Final = ""


@frozen(kw_only=True)
class LeftOut:
    """Jobs that wait and are not planned.

    Attributes:
        ids: the jobs.
        why: in words that follow "they".
        tasks: what is run for those that are called otherwise than their tasks.
    """

    ids: tuple[str, ...]
    why: str
    tasks: Mapping[str, str] = field(factory=dict)

    def __str__(self) -> str:
        """Return in a sentence which jobs are left out and why."""
        names = (f"{each} ({self.tasks[each]})" if each in self.tasks else each for each in self.ids[:3])
        few = ", ".join(names) + (" ..." if len(self.ids) > 3 else "")
        return f"{counted(len(self.ids), 'job')} left out, as they {self.why}: {few}"


@frozen(kw_only=True)
class Reading:
    """What waits in an experiment.

    Attributes:
        jobs: what planning packs; those that begin together are one, called as the first of them.
        members: the queue's jobs of each.
        tasks: what is run for each; None for those that say nothing of it.
        source_of: where the estimate of each is from.
        left_out: jobs that wait and cannot be planned now.
        after: what runs elsewhere that a job waits for: by whom it is run.
        resumable: those that have a checkpoint from which they go on.
        vain: those whose last allocations all ended before they did, without a new checkpoint: for how many seconds
            they ran at most.
    """

    jobs: tuple[BatchJob, ...]
    members: Mapping[str, tuple[str, ...]]
    tasks: Mapping[str, str | None]
    source_of: Mapping[str, str]
    left_out: tuple[LeftOut, ...]
    after: Mapping[str, tuple[str, ...]]
    resumable: frozenset[str] = frozenset()
    vain: Mapping[str, float] = field(factory=dict)

    @property
    def sources(self) -> Mapping[str, int]:
        """How many of the queue's jobs have an estimate from where."""
        found = Counter[str]()
        for job in self.jobs:
            found[self.source_of[job.id]] += len(self.members[job.id])
        return found

    @property
    def total(self) -> int:
        """How many jobs of the queue it is of."""
        return sum(map(len, self.members.values())) + sum(len(each.ids) for each in self.left_out)


def read_waiting(
    experiment: Experiment,
    *,
    estimate: float | None = None,
    quantile: float = 0.9,
    cpus_per_job: float = 1,
    gpus_per_job: int = 0,
    under_way: Mapping[str, str] = MappingProxyType({}),
) -> Reading:
    """Read what waits in an experiment.

    Args:
        experiment: which.
        estimate: how many seconds a job runs of whose like none has finished.
        quantile: which share of jobs shall run no longer than its estimate.
        cpus_per_job: of jobs that say nothing of what they need.
        gpus_per_job: likewise.
        under_way: jobs that batches are submitted for, with the allocation of each; they are not planned again.

    Raises:
        PlanError: there is nothing to estimate from.
        ConfigurationError: the experiment is paused, so that nobody would get a job of it.
    """
    queue, reference = experiment.session.queue, experiment.reference
    open_jobs = list(iterate(queue, reference, JobQuery(status=frozenset({JobStatus.QUEUED, JobStatus.RUNNING}))))
    running = {job.id for job in open_jobs if job.status is JobStatus.RUNNING}
    queued = {job.id: job for job in open_jobs if job.status is JobStatus.QUEUED}
    if queued and queue.get_experiment(reference).status is ExperimentStatus.DONE:
        raise ConfigurationError(
            f"{experiment.name} is paused, so nobody gets its jobs; sweepstake resume lets it go on"
        )
    blocked = dict(_blocked(queue, reference))
    for job_id in under_way:
        queued.pop(job_id, None)
    left_out = _left_out(queued, {*running, *under_way}, blocked)
    for each in left_out:
        for job_id in each.ids:
            del queued[job_id]
    needs_in = _Needs(queue, reference, Needs(cpu=cpus_per_job, gpu=gpus_per_job))
    estimate_of = _Estimates(queue, reference, estimate, quantile)
    gangs = _gangs(queued.values())
    leader = {member.id: members[0].id for members in gangs for member in members}
    jobs, source_of, after = list[BatchJob](), dict[str, str](), dict[str, tuple[str, ...]]()
    for members in gangs:
        first, needs = members[0], needs_in(members[0])
        found = estimate_of(first)
        source_of[first.id] = found.source
        awaited = [other for member in members for other in blocked.get(member.id, ())]
        after[first.id] = tuple(sorted({under_way[other] for other in awaited if other in under_way}))
        jobs.append(
            BatchJob(
                id=first.id,
                runtime=found.seconds,
                cpus=needs.cpu,
                gpus=needs.gpu,
                nodes=len(members),
                resources={"memory": needs.memory} if needs.memory else {},
                depends_on=sorted({leader[other] for other in awaited if other in leader} - {first.id}),
                priority=max(member.priority for member in members),
            )
        )
    places = experiment.session.places
    in_vain = {members[0].id: _seconds_in_vain(queue, reference, members) for members in gangs}
    return Reading(
        jobs=tuple(jobs),
        members={members[0].id: tuple(member.id for member in members) for members in gangs},
        tasks={members[0].id: members[0].task for members in gangs},
        source_of=source_of,
        left_out=left_out,
        after={job_id: others for job_id, others in after.items() if others},
        resumable=frozenset(
            members[0].id for members in gangs if all(each.attempt and places.has_checkpoint(each) for each in members)
        ),
        vain={job_id: given for job_id, given in in_vain.items() if given is not None},
    )


def without(
    reading: Reading, unfit: Iterable[tuple[str, str]], others: str = "wait for jobs that do not fit"
) -> Reading:
    """Return a reading without some jobs, such as those that fit into no allocation, and without what waits for them.

    Args:
        reading: of what waits.
        unfit: ids, each with what it needs and what there is, or why else it is left out.
        others: why those are left out that wait for them.
    """
    lacks = dict(unfit)
    gone = _with_those_that_wait(lacks, {job.id: job.depends_on for job in reading.jobs})
    whys = defaultdict[str, list[str]](list)
    for job in reading.jobs:
        if job.id in gone:
            whys[lacks.get(job.id, others)] += reading.members[job.id]
    of = {each: task for job_id, task in reading.tasks.items() if task for each in reading.members[job_id]}
    left_out = [
        LeftOut(
            ids=tuple(ids),
            why=why.replace("needs ", "need ", 1),
            tasks={each: of[each] for each in ids if of.get(each, each) != each},
        )
        for why, ids in whys.items()
    ]
    kept = tuple(job for job in reading.jobs if job.id not in gone)
    return evolve(reading, jobs=kept, left_out=(*reading.left_out, *left_out))


def _seconds_in_vain(queue: Queue, reference: str, members: Iterable[JobRecord]) -> float | None:
    """Return for how long jobs that begin together ran at most, if the last attempts of one were in vain."""
    found = [
        seconds_in_vain(reversed(queue.list_attempts(reference, each.id)))
        for each in members
        if each.attempt >= MOST_IN_VAIN
    ]
    return max((given for given in found if given is not None), default=None)


def _blocked(queue: Queue, reference: str) -> Iterator[tuple[str, Sequence[str]]]:
    start = None
    while True:
        page = queue.list_blocked(reference, start)
        for each in page.items:
            yield each.id, each.by
        if page.next is None:
            return
        start = page.next


def _left_out(
    queued: Mapping[str, JobRecord], running: set[str], blocked: Mapping[str, Sequence[str]]
) -> tuple[LeftOut, ...]:
    """Return the jobs that nobody will get as things are: they, and those that wait for them."""
    stuck = {job_id for job_id in queued if any(o not in queued and o not in running for o in blocked.get(job_id, ()))}
    if not stuck:
        return ()
    all_stuck = _with_those_that_wait(stuck, {job_id: blocked.get(job_id, ()) for job_id in queued})
    ids = tuple(job_id for job_id in queued if job_id in all_stuck)
    tasks = {job_id: task for job_id in ids if (task := queued[job_id].task or job_id) != job_id}
    return (LeftOut(ids=ids, why="wait for jobs that failed", tasks=tasks),)


def _with_those_that_wait(jobs: Iterable[str], waits: Mapping[str, Sequence[str]]) -> set[str]:
    """Return some jobs, and all that wait for them, directly or through others."""
    waiting_for = defaultdict[str, list[str]](list)
    for job_id, others in waits.items():
        for other in others:
            waiting_for[other].append(job_id)
    found = set(jobs)
    ahead = list(found)
    while ahead:
        new = [job_id for job_id in waiting_for[ahead.pop()] if job_id not in found]
        found.update(new)
        ahead += new
    return found


def _gangs(jobs: Iterable[JobRecord]) -> Sequence[Sequence[JobRecord]]:
    """Return the jobs, those that begin together together, by rank."""
    found = dict[str, list[JobRecord]]()
    for job in jobs:
        found.setdefault(f"gang {job.gang}" if job.gang is not None else f"job {job.id}", []).append(job)
    return [sorted(members, key=lambda job: job.rank or 0) for members in found.values()]


class _Needs:
    """What jobs need, by the tasks of the specs that they came from; each version is read once."""

    def __init__(self, queue: Queue, reference: str, of_others: Needs) -> None:
        self._queue = queue
        self._reference = reference
        self._of_others = of_others
        self._of_tasks = dict[int | None, Mapping[str, Needs]]()

    def __call__(self, job: JobRecord) -> Needs:
        """Return what a job needs."""
        if job.task is None:
            return self._of_others
        if job.spec_version not in self._of_tasks:
            spec = ExperimentSpec.from_json(self._queue.get_spec(self._reference, job.spec_version).document.decode())
            self._of_tasks[job.spec_version] = {name: needs_of(task) for name, task in named_tasks(spec).items()}
        return self._of_tasks[job.spec_version].get(job.task, self._of_others)


class _Estimates:
    """How long jobs run, learnt from those of the same task that are DONE: a time limit is no estimate."""

    def __init__(self, queue: Queue, reference: str, fallback: float | None, quantile: float) -> None:
        query = JobQuery(status=frozenset({JobStatus.DONE}), order=Order.parse("-ended_at"))
        self._finished = defaultdict[str, list[JobRecord]](list)
        for job in queue.list_jobs(reference, query, limit=_LEARNT_FROM).items:
            if job.started_at is not None and job.ended_at is not None:
                self._finished[job.task or _NO_TASK].append(job)
        self._fallback = fallback
        self._quantile = quantile
        self._learnt = dict[str, Callable[..., Estimate]]()

    def __call__(self, job: JobRecord) -> Estimate:
        """Return the estimate for a job."""
        task = job.task or _NO_TASK
        if task not in self._learnt:
            self._learnt[task] = self._learn(task)
        return self._learnt[task](job.hyperparameters.decode())

    def _learn(self, task: str) -> Runtimes:
        pairs = [
            (job.hyperparameters.decode(), (job.ended_at or 0.0) - (job.started_at or 0.0))
            for job in reversed(self._finished[task])
        ]
        if not pairs and self._fallback is None:
            of_task = f" of the task {task!r}" if task else ""
            raise PlanError(
                f"no job{of_task} has finished yet to estimate from; say how long one runs, such as --estimate 10m"
            )
        return learn_runtimes(pairs, quantile=self._quantile, fallback=self._fallback)
