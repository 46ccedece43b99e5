"""What waits in an experiment, packed as somebody wishes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from attrs import evolve

from sweepstake.batch.backends.clusters import Cluster
from sweepstake.batch.backends.kinds import backend_of, scheduler_of
from sweepstake.batch.backends.scheduler import Backend
from sweepstake.batch.keeping import Keeper, Work, shared_out
from sweepstake.batch.planning import BatchJob, BatchSpec, Capacity, plan
from sweepstake.batch.planning.apart import apart, shares, waiting_for_each_other
from sweepstake.batch.planning.checks import misfits, unfit
from sweepstake.batch.planning.planning import DURATION
from sweepstake.batch.reading import Reading, read_waiting, without
from sweepstake.batch.searching import search
from sweepstake.batch.site import SiteSettings, site_settings, tasks_with_settings
from sweepstake.batch.submitting import Order, Variant
from sweepstake.batch.terms import Terms
from sweepstake.batch.wishes import Wishes
from sweepstake.client import Experiment
from sweepstake.domain.batches.vain import MOST_IN_VAIN
from sweepstake.errors import ConfigurationError, PlanError
from sweepstake.view.times import spanning
from sweepstake.worker.expansion import check_command

__all__ = ["Packing", "backends_of", "called", "lacks_command", "output_folder"]

_MIB: Final = 1024**2
#: Sums of fractions of processors are not exact.
_CRUMB: Final = 1e-9
#: By so much an allocation must last longer than a job ran in those in vain to be worth another try.
_LONGER: Final = 1.1
#: Seconds of an allocation in which no job may run: until a worker is there, and before its end.
_OVERHEAD: Final = 60.0


class Packing:
    """Packs what waits in an experiment as somebody wishes it; what there is at all, the scheduler is asked once.

    Args:
        experiment: whose jobs.
        wishes: how, and where.
        there: what there is, if somebody knows it already; then no scheduler is asked.

    Raises:
        ConfigurationError: what the configuration says of the scheduler is wrong.
    """

    def __init__(self, experiment: Experiment, wishes: Wishes, there: Cluster | None = None) -> None:
        self.experiment = experiment
        self.wishes = wishes
        self._there = there
        self._terms = dict[str, Terms]()
        self._own: frozenset[str] | None = None
        self._grouped: tuple[Reading, Mapping[str, Sequence[BatchJob]]] | None = None

    def backend(self) -> Backend:
        """Return the backend to which batches are submitted.

        Raises:
            ConfigurationError: nobody says which, or there is none of that name.
        """
        if self.wishes.backend is None:
            raise ConfigurationError('say to which scheduler, such as backend="slurm"; there are local, pbs and flux')
        return backends_of(self.experiment)(self.wishes.backend)

    def read(
        self,
        under_way: Mapping[str, str] = MappingProxyType({}),
        given_up: Mapping[str, str] = MappingProxyType({}),
    ) -> Reading:
        """Read what can be packed of what waits, and is neither under way nor given up.

        If less waits than is wished, the search of the experiment is asked for more.

        Args:
            under_way: jobs that batches are submitted for, with the allocation of each.
            given_up: jobs, each with why, in words that follow "they".

        Raises:
            PlanError: a job takes longer than an allocation may last.
        """
        read = self.read_for(None, under_way, given_up)
        too_long = self._too_long(read)
        if too_long and not self.wishes.skip_misfits:
            raise unfit(too_long)
        return without(read, too_long)

    def read_for(self, seconds: float | None, under_way: Mapping[str, str], given_up: Mapping[str, str]) -> Reading:
        """As `read`, whatever jobs take, for allocations of so many seconds; None for those that would be asked for."""
        wishes = self.wishes
        read = self._read(under_way)
        if wishes.jobs is not None and search(self.experiment, wishes.jobs - read.total):
            read = self._read(under_way)
        lost = [(job.id, given_up[each]) for job in read.jobs for each in read.members[job.id] if each in given_up]
        if lost:
            read = without(read, lost, "wait for jobs that are given up")
        if wishes.skip_misfits:
            read = without(read, self._misfits(read))
        return without(
            read,
            _in_vain(read, lambda job: self._terms_of(read, job).given(job) if seconds is None else seconds),
        )

    def _read(self, under_way: Mapping[str, str]) -> Reading:
        wishes = self.wishes
        return read_waiting(
            self.experiment,
            estimate=wishes.estimate,
            quantile=wishes.quantile,
            cpus_per_job=wishes.cpus_per_job,
            gpus_per_job=wishes.gpus_per_job,
            under_way=under_way,
        )

    def pack(self, read: Reading, most: int | None = None, longest: float = math.inf) -> tuple[BatchSpec, ...]:
        """Pack what was read, as it is wished, or into at most so many batches; none has a limit above the longest.

        Raises:
            PlanError: jobs fit into no allocation, or what is wished cannot be done.
        """
        try:
            return self._pack(read, most, longest)
        except PlanError as error:
            raise _with_tasks(error, read) from None

    def _pack(self, read: Reading, most: int | None, longest: float) -> tuple[BatchSpec, ...]:
        sets = self._apart(read)
        count, duration = (self.wishes.count, self.wishes.duration) if most is None else (most, None)
        counts = None
        if isinstance(count, int) and len(sets) > 1:
            if unfit_jobs := self._misfits(read):
                raise unfit(sorted(unfit_jobs))
            counts = shares(count, [math.fsum(job.runtime * job.nodes for job in jobs) for _, jobs in sets])
        specs = list[BatchSpec]()
        for place, (_, jobs) in enumerate(sets):
            own = count if counts is None else counts[place]
            specs += self._packed(self._terms_of(read, jobs[0]), jobs, own, duration, longest)
        return tuple(specs) if len(sets) == 1 else waiting_for_each_other(specs)

    def _packed(
        self,
        terms: Terms,
        jobs: Sequence[BatchJob],
        count: int | Literal["max"] | None,
        duration: float | None,
        longest: float,
    ) -> Sequence[BatchSpec]:
        wishes = self.wishes
        longest = min(longest, terms.longest())
        if count is None and longest < math.inf:
            duration = min(DURATION if duration is None else duration, longest)
        specs = plan(
            jobs,
            capacity=terms.capacity(jobs),
            layout=wishes.layout,
            count=count,
            duration=duration,
            nodes=wishes.nodes,
        )
        return [evolve(spec, timeout=min(spec.timeout or longest, longest)) for spec in specs]

    def capacity(self, read: Reading) -> Capacity:
        """Return what an allocation can have: as somebody says it, or the configuration, else as the scheduler does.

        Then it has no more nodes than the job that takes the most: small allocations begin sooner.

        Raises:
            ConfigurationError: nobody says it, and there is no scheduler to ask.
        """
        return self._terms_for("").capacity(read.jobs)

    def capacity_of(self, read: Reading, spec: BatchSpec) -> Capacity:
        """Return what an allocation of a batch can have."""
        terms = self._terms_of(read, spec.jobs[0])
        return terms.capacity(self._alike(read)[terms.name])

    def limit(self, read: Reading, spec: BatchSpec) -> float | None:
        """Return the limit of a batch's allocation, in seconds."""
        asked = self._terms_of(read, spec.jobs[0]).time_limit
        return spec.timeout if asked is None else asked

    def order(self, read: Reading) -> Order:
        """Return how to submit: what is wished comes before what the configuration says.

        Raises:
            ConfigurationError: there is no command, and jobs that have none of their own.
            InvalidInputError: no job could be run by the command, as every allocation would find out.
        """
        wishes = self.wishes
        if wishes.command:
            check_command(wishes.command, [called(self.experiment)])
        if lacks_command(read, wishes):
            raise ConfigurationError('say what is run for jobs without a spec, such as command=["python", "train.py"]')
        usual, variants = self._terms_for(""), dict[str, Variant]()
        for name, jobs in self._alike(read).items():
            if name:
                variants |= dict.fromkeys((job.id for job in jobs), self._variant(self._terms_for(name), jobs))
        return Order(
            called=called(self.experiment),
            folder=output_folder(self.experiment),
            command=_of_worker(self.capacity(read), wishes) if len(variants) < len(read.jobs) else (),
            time_limit=usual.time_limit,
            site=usual.site,
            members=read.members,
            after={job: [each for each in others if each] for job, others in read.after.items()},
            variants=variants,
        )

    def keeper(self, most: int, tell: Callable[[str], None]) -> Keeper:
        """Return what keeps at most so many allocations up; it tells each change in a line.

        Raises:
            ConfigurationError: as `backend`.
        """
        backends = backends_of(self.experiment)
        backend = self.backend()
        return Keeper(self.experiment, backend=backend, backends=backends, pack=self.work, most=most, tell=tell)

    def work(self, under_way: Mapping[str, str], given_up: Mapping[str, str], places: int) -> Work:
        """Pack for a keeper: as it is wished, and shared out among the places that there are."""
        read = self.read(under_way, given_up)
        batches: Sequence[BatchSpec] = self.pack(read)
        if self.wishes.count is None:
            batches = shared_out(batches, partial(self.pack, read), places)
        # By now something may be up. What turns out to take too long later on is left out, and told at the end.
        self.wishes = evolve(self.wishes, skip_misfits=True)
        return Work(
            batches=batches,
            capacity=self.capacity(read),
            order=self.order(read),
            after=read.after,
            left_out=read.left_out,
        )

    def _too_long(self, read: Reading) -> list[tuple[str, str]]:
        """Return the jobs that take longer than an allocation may, and keep nothing to go on from."""
        found = []
        for job in read.jobs:
            longest = self._terms_of(read, job).longest()
            if job.runtime > longest and not (self.wishes.checkpoints or job.id in read.resumable):
                lasts = f"an allocation lasts {spanning(longest)} at most"
                keeps = "and it keeps no checkpoints (--checkpoints: it does)"
                found.append((job.id, f"needs {spanning(job.runtime)}; {lasts}, {keeps}"))
        return found

    def _misfits(self, read: Reading) -> list[tuple[str, str]]:
        """Return the jobs that fit into no allocation, each with what it needs and what there is."""
        alike = self._alike(read).items()
        return [each for name, jobs in alike for each in misfits(jobs, self._terms_for(name).capacity(jobs))]

    def _apart(self, read: Reading) -> Sequence[tuple[str, Sequence[BatchJob]]]:
        return apart(read.jobs, {job.id: self._terms_of(read, job).name for job in read.jobs})

    def _variant(self, terms: Terms, jobs: Sequence[BatchJob]) -> Variant:
        capacity = terms.capacity(jobs)
        command = _of_worker(capacity, self.wishes)
        return Variant(
            name=terms.name, capacity=capacity, command=command, time_limit=terms.time_limit, site=terms.site
        )

    def _alike(self, read: Reading) -> Mapping[str, Sequence[BatchJob]]:
        """Return the jobs by the terms on which they are submitted."""
        if self._grouped is None or self._grouped[0] is not read:
            found = dict[str, list[BatchJob]]()
            for job in read.jobs:
                found.setdefault(self._terms_of(read, job).name, []).append(job)
            self._grouped = read, found
        return self._grouped[1]

    def _terms_of(self, read: Reading, job: BatchJob) -> Terms:
        """Return the terms of a job: its task's own, if the configuration has any, else the experiment's."""
        if self._own is None:
            config, backend = self.experiment.session.config, self._table
            self._own = (
                frozenset()
                if backend is None or self._there is not None
                else tasks_with_settings(config.tables, backend, str(config.source), self.experiment.name)
            )
        task = read.tasks[job.id]
        return self._terms_for(task if task is not None and task in self._own else "")

    def _terms_for(self, task: str) -> Terms:
        if task not in self._terms:
            config, backend = self.experiment.session.config, self._table
            name = self.experiment.name
            settings = (
                SiteSettings()
                if backend is None
                else site_settings(config.tables, backend, str(config.source), name, task)
            )
            self._terms[task] = Terms(task, self.wishes, settings, self.backend, self._there)
        return self._terms[task]

    @property
    def _table(self) -> str | None:
        """How the configuration calls the backend: by its scheduler."""
        return None if self.wishes.backend is None else scheduler_of(self.wishes.backend)


def backends_of(experiment: Experiment) -> Callable[[str], Backend]:
    """Return what returns the backend of a name, which hands on to allocations where the store is."""
    environment = experiment.session.config.environment()
    return lambda name: backend_of(name, environment)


def output_folder(experiment: Experiment) -> Path:
    """Return where allocations leave what they print; they must find it at the same path."""
    return experiment.session.config.state / "batches"


def _with_tasks(error: PlanError, read: Reading) -> PlanError:
    """Return an error that names each job's task as well, if the job is called otherwise."""
    faults = [
        (job, fault if (task := read.tasks.get(job) or job) == job else f"{fault} (task {task!r})")
        for job, fault in error.faults
    ]
    if faults == list(error.faults):
        return error
    return PlanError("; ".join(f"job {job!r}: {fault}" for job, fault in faults), error.jobs, faults)


def called(experiment: Experiment) -> str:
    """Return what commands are told that an experiment is called."""
    return experiment.session.written.get(experiment.reference, experiment.name)


def lacks_command(read: Reading, wishes: Wishes) -> bool:
    """Tell whether nobody says what is run for some of the jobs."""
    return not wishes.command and any(read.tasks[job.id] is None for job in read.jobs)


def _of_worker(capacity: Capacity, wishes: Wishes) -> list[str]:
    """Return the worker's options by which it runs as many jobs side by side as the plan does."""
    fill = ["--fill"] if wishes.fill else []
    if not wishes.command:
        slots = [f"cpus={capacity.cpus:g}", f"gpus={int(capacity.gpus)}"]
        if "memory" in capacity.resources:
            slots.append(f"memory={int(capacity.resources['memory'] // _MIB)}MiB")
        return [*fill, "--slots", ",".join(slots)]
    together = int(capacity.cpus / wishes.cpus_per_job + _CRUMB)
    if wishes.gpus_per_job:
        together = min(together, int(capacity.gpus // wishes.gpus_per_job))
    options = [*fill, "--concurrency", str(max(together, 1)), "--gpus-per-job", str(wishes.gpus_per_job)]
    return [*options, "--", *wishes.command]


def _in_vain(read: Reading, given: Callable[[BatchJob], float]) -> list[tuple[str, str]]:
    """Return the jobs for which allocations were too short, if the next ones would be hardly longer."""
    again = f"{MOST_IN_VAIN} ended without a new checkpoint, and longer ones (--time) are not asked for"
    return [
        (job.id, f"need {_more(job.runtime, gave)}, and allocations gave {spanning(gave)}: {again}")
        for job in read.jobs
        if (gave := read.vain.get(job.id)) is not None and given(job) < gave * _LONGER + _OVERHEAD
    ]


def _more(seconds: float, than: float) -> str:
    return spanning(seconds) if seconds > than else "more"
