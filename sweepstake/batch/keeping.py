"""Keeping allocations up as long as there is work.

All that must be known is in the queue and at the scheduler: who keeps may be killed between any two steps, and whoever
goes on counts what is up.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from attrs import frozen

from sweepstake.batch.backends.allocations import Allocation
from sweepstake.batch.backends.scheduler import Backend
from sweepstake.batch.planning.records import BatchSpec, Capacity
from sweepstake.batch.reading import LeftOut
from sweepstake.batch.settling import settle
from sweepstake.batch.submitting import Order, submit_plan
from sweepstake.client import Experiment
from sweepstake.domain.batches.records import AllocationState, BatchRecord, BatchStatus
from sweepstake.domain.counts import Counts
from sweepstake.errors import LiveBatchError, NotFoundError, SubmissionError, SubmissionLostError
from sweepstake.plaintext import counted

__all__ = ["Keeper", "Pack", "Work", "is_fruitless", "keep", "next_batches", "shared_out"]

#: Seconds between two looks, growing while nothing changes.
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
#: So many allocations of a job may end without a job of theirs begun; then it is submitted no more.
_FRUITLESS: Final = 2
#: So many times in a row the scheduler may refuse: it may be away for a while.
_REFUSALS: Final = 10
#: For so many seconds an allocation counts whose batch is over, until its scheduler knows that it has ended. One that
#: was killed may take minutes to learn of what ended just before.
_LINGERING: Final = 15.0


# Decisions, without I/O


def next_batches(
    plan: Sequence[BatchSpec],
    *,
    places: int,
    after: Mapping[str, Sequence[str]] | None = None,
    dependencies: bool = True,
) -> tuple[BatchSpec, ...]:
    """Return which batches of a plan to submit now, in the order of the plan.

    Those come first that can begin; where places are left, those follow that wait only for what is under way by then.

    Args:
        plan: each batch behind those that it waits for.
        places: how many allocations may be submitted.
        after: what jobs wait for that is under way.
        dependencies: whether the scheduler lets an allocation wait for others.
    """
    waits = {spec.id for spec in plan if any(job.id in (after or {}) for job in spec.jobs)}
    ready = [spec.id for spec in plan if not spec.dependencies and spec.id not in waits]
    chosen = set(ready[: max(places, 0)])
    for spec in plan if dependencies else ():
        if len(chosen) < places and chosen.issuperset(spec.dependencies):
            chosen.add(spec.id)
    return tuple(spec for spec in plan if spec.id in chosen)


def shared_out(
    plan: Sequence[BatchSpec], at_most: Callable[[int], Sequence[BatchSpec]], places: int
) -> Sequence[BatchSpec]:
    """Return a plan for as many allocations as may be up, if it has fewer and that makes none of them longer.

    Args:
        plan: what waits, packed.
        at_most: packs it into at most so many batches.
        places: how many allocations may be submitted.
    """
    if not 0 < len(plan) < places:
        return plan
    wider = at_most(places)
    return wider if len(wider) > len(plan) and _longest(wider) <= _longest(plan) else plan


def is_fruitless(batch: BatchRecord) -> bool:
    """Tell whether a submission ended by itself, and all of its jobs wait, though one was ready.

    One that its scheduler has forgotten counts as DONE and has never begun: that says nothing of its jobs.
    """
    failed = batch.allocation is AllocationState.FAILED
    done = batch.allocation is AllocationState.DONE and batch.begun_at is not None
    return (failed or done) and batch.counts.ready > 0 and _waiting(batch.counts) == batch.counts.total


def _waiting(counts: Counts) -> int:
    return counts.ready + counts.blocked + counts.delayed


def _longest(plan: Sequence[BatchSpec]) -> float:
    return max(spec.estimated_runtime or 0.0 for spec in plan)


def _is_needless(batch: BatchRecord) -> bool:
    """Tell whether an allocation that has not begun would find nothing to do."""
    left = _waiting(batch.counts) + batch.counts.running
    return batch.status is BatchStatus.SUBMITTED and batch.allocation is AllocationState.PENDING and not left


# The loop


@frozen(kw_only=True)
class Work:
    """What waits and is not under way, packed.

    Attributes:
        batches: for the places that there are.
        capacity: of an allocation.
        order: how they are submitted.
        after: what jobs wait for that is under way: by whom it is run.
        left_out: jobs that wait and cannot be packed.
    """

    batches: Sequence[BatchSpec]
    capacity: Capacity
    order: Order
    after: Mapping[str, Sequence[str]]
    left_out: Sequence[LeftOut]


#: Packs what waits. It is given the jobs that are under way, with the allocation of each; those that are given up, with
#: why in words that follow "they"; and how many allocations may be submitted.
Pack = Callable[[Mapping[str, str], Mapping[str, str], int], Work]


class Keeper:
    """Keeps allocations of one experiment up.

    Args:
        experiment: whose jobs they run.
        backend: where batches are submitted.
        backends: returns the backend of a name, for batches that others have submitted elsewhere.
        pack: packs what waits.
        most: how many allocations may be PENDING and RUNNING together.
        tell: takes a line for each change.
        now: the clock of this machine, Unix time.

    Attributes:
        given_up: jobs that are submitted no more, with why in words that follow "they".
        left_out: jobs that waited and could not be packed when this was last looked at.
        changes: how many lines were told.
    """

    def __init__(
        self,
        experiment: Experiment,
        *,
        backend: Backend,
        backends: Callable[[str], Backend],
        pack: Pack,
        most: int,
        tell: Callable[[str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.given_up: dict[str, str] = {}
        self.left_out: Sequence[LeftOut] = ()
        self.changes = 0
        self._experiment = experiment
        self._backend = backend
        self._backends = backends
        self._pack = pack
        self._most = most
        self._tell = tell
        self._now = now
        self._up: dict[tuple[str, int], BatchRecord] = {}
        self._fruitless = Counter[str]()
        self._lingering: dict[tuple[str, str], tuple[str, float]] = {}
        self._refusals = 0
        self._worked = False

    def look(self) -> bool:
        """Look once, and submit what there is room for; tell whether nothing waits or runs any more.

        Raises:
            SubmissionError: the scheduler refuses the first submission, or has refused for minutes.
        """
        told = settle(self._experiment, self._backends, self._now)
        self._note([record for record, _ in told])
        self._end_needless(told)
        up = len(told) + self._still_up()
        places = self._most - up
        if places <= 0:
            return False
        under_way = {job: record.jobid or "" for record, _ in told for job in record.jobs}
        work = self._pack(under_way, self.given_up, places)
        self.left_out = work.left_out
        chosen = next_batches(
            work.batches, places=places, after=work.after, dependencies=self._backend.supports_dependencies
        )
        if chosen:
            self._submit(chosen, work)
            return False
        counts = self._experiment.counts()
        left_out = sum(len(each.ids) for each in work.left_out)
        return not up and not counts.running and _waiting(counts) <= left_out

    def _submit(self, chosen: Sequence[BatchSpec], work: Work) -> None:
        try:
            made = submit_plan(self._experiment, chosen, work.capacity, self._backend, work.order)
        except LiveBatchError:  # somebody else was quicker; at the next look theirs count
            return
        except SubmissionError as error:
            self._refusals += 1
            first = not self._worked and not isinstance(error, SubmissionLostError)
            if first or self._refusals >= _REFUSALS:
                raise
            self._say(f"{error}; it is asked again")
            return
        self._refusals, self._worked = 0, True
        self._note([*self._up.values(), *made])

    def _note(self, live: Sequence[BatchRecord]) -> None:
        """Tell what is new of the batches that are not over, and of those that are since the last look."""
        seen, self._up = self._up, {(each.id, each.number): each for each in live}
        for key, before in seen.items():
            if key not in self._up:
                self._note_end(self._experiment.session.queue.get_batch(self._experiment.reference, *key), before)
        for key, record in self._up.items():
            old = seen.get(key)
            if old is None or (old.jobid, old.allocation) != (record.jobid, record.allocation):
                self._change(record, f"{record.allocation or record.status}: {_in_words(record.counts)}")

    def _note_end(self, record: BatchRecord, before: BatchRecord) -> None:
        self._worked = True
        self._change(record, f"ended, {record.allocation or 'never begun'}: {_in_words(record.counts)}", record.reason)
        jobid = record.jobid or before.jobid
        if jobid is not None:
            self._lingering[record.backend, jobid] = (record.name, self._now() + _LINGERING)
        if not is_fruitless(record) or self._has_begun_one(record):
            for job in record.jobs:
                del self._fruitless[job]
            return
        self._fruitless.update(record.jobs)
        for job in record.jobs:
            if self._fruitless[job] >= _FRUITLESS:
                self.given_up[job] = f"did not begin in {_FRUITLESS} allocations (batch {record.id[:8]})"

    def _has_begun_one(self, record: BatchRecord) -> bool:
        """Tell whether an attempt at one of a batch's jobs began there, and was given back since."""
        queue, reference = self._experiment.session.queue, self._experiment.reference
        begun = record.begun_at
        if begun is None:
            return False
        for job in record.jobs:
            with suppress(NotFoundError):  # it was deleted
                if any(each.started_at >= begun for each in queue.list_attempts(reference, job)[-1:]):
                    return True
        return False

    def _end_needless(self, told: Sequence[tuple[BatchRecord, Allocation | None]]) -> None:
        """End allocations that wait, and would find nothing to do."""
        for record, _ in told:
            if record.jobid is not None and _is_needless(record):
                try:
                    self._backends(record.backend).cancel({record.jobid: record.name})
                except SubmissionError as error:  # it would find out itself
                    self._say(str(error))

    def _still_up(self) -> int:
        """Return how many allocations have not ended yet though their batches are over."""
        now = self._now()
        self._lingering = {key: value for key, value in self._lingering.items() if value[1] > now}
        for name in {backend for backend, _ in self._lingering}:
            named = {jobid: called for (backend, jobid), (called, _) in self._lingering.items() if backend == name}
            for jobid, found in self._backends(name).poll(named).items():
                if found.is_over:
                    del self._lingering[name, jobid]
        return len(self._lingering)

    def _change(self, record: BatchRecord, what: str, why: str = "") -> None:
        called = f"batch {record.id[:8]}" + (f" ({record.jobid})" if record.jobid else "")
        self._say(f"{called} {what}" + (f" ({why})" if why else ""))

    def _say(self, line: str) -> None:
        self.changes += 1
        self._tell(f"{time.strftime('%H:%M:%S', time.localtime(self._now()))} {line}")


def keep(
    keeper: Keeper, pause: Callable[[float], None] = time.sleep, enough: Callable[[], bool] = lambda: False
) -> None:
    """Keep allocations up until nothing waits or runs any more.

    Args:
        keeper: what looks.
        pause: waits so many seconds; they grow as long as nothing changes.
        enough: tells after each look whether to end all the same.

    Raises:
        SubmissionError: as `Keeper.look`.
    """
    idle = 0
    while True:
        before = keeper.changes
        if keeper.look() or enough():
            return
        idle = 0 if keeper.changes > before else idle + 1
        pause(_PAUSES[min(idle, len(_PAUSES) - 1)])


def _in_words(counts: Counts) -> str:
    states = ", ".join(f"{number} {name}" for name, number in counts.states.items() if number)
    return f"{counted(counts.total, 'job')}, {states}" if states else "no job"
