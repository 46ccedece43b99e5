"""Rows about a worker that lacks what most of the ready jobs need."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from attrs import evolve, frozen

import sweepstake
from sweepstake.domain.drafts import Finish, JobDraft
from sweepstake.domain.records import UNGUARDED, Claim, ExperimentDraft, NoJob, SearchDefinition
from sweepstake.domain.status import Outcome
from sweepstake.domain.tasks.needs import Offer
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.queue.queue import Queue
from sweepstake.values import JsonObject
from tests.benchmarks.comparing import Opener, Row, Sizes
from tests.benchmarks.growth import costs_by_length
from tests.benchmarks.places import Places
from tests.benchmarks.report import Finding

__all__ = ["ROWS"]

_EXPERIMENT: Final = "benchmark"
_BULK: Final = 5_000
#: Jobs that the worker can run, behind all of those that it cannot.
_FITTING: Final = 1_000
_TASKS: Final = [
    {"name": name, "image": {"docker": "none"}, "resources": {"gpuCount": gpus}}
    for name, gpus in (("large", 8), ("small", 1))
]
_SPEC: Final = SpecDraft(text="", document=JsonObject.of({"version": "v2", "tasks": _TASKS}))


@frozen
class _Lacking:
    """A store whose ready jobs of higher priority need eight GPUs."""

    url: str

    def fill(self, count: int) -> None:
        """Queue so many jobs that the worker cannot run, and behind them some that it can."""
        with _queue(self.url) as queue:
            queue.put_experiment(_EXPERIMENT, ExperimentDraft(search=SearchDefinition("Manual")), UNGUARDED)
            queue.put_spec(_EXPERIMENT, _SPEC)
            for first in range(0, count, _BULK):
                _add(queue, min(_BULK, count - first), JobDraft(task="large", priority=1))
            _add(queue, _FITTING, JobDraft(task="small"))

    @contextlib.contextmanager
    def session(self) -> Iterator[_Session]:
        """Connect as a worker with one GPU does."""
        with _queue(self.url) as queue:
            yield _Session(queue)


@frozen
class _Session:
    queue: Queue

    def claim(self) -> Claim | NoJob:
        """Take the next job that fits."""
        return self.queue.claim(_EXPERIMENT, "w", offer=Offer(cpu=1, gpu=1))

    def finish(self, held: Claim) -> None:
        """Report it."""
        report = Finish(attempt=held.key, outcome=Outcome.DONE)
        self.queue.finish(_EXPERIMENT, held.job.id, report, key=self.queue.new_id())

    def read(self) -> int:
        """Count all jobs."""
        return self.queue.count_jobs(_EXPERIMENT).total


@contextlib.contextmanager
def _queue(url: str) -> Iterator[Queue]:
    with contextlib.closing(sweepstake.connect(url)) as database:
        yield database.session.queue


def _add(queue: Queue, count: int, draft: JobDraft) -> None:
    queue.add_jobs(_EXPERIMENT, [evolve(draft, id=queue.new_id()) for _ in range(count)])


def _sqlite(places: Places) -> contextlib.AbstractContextManager[_Lacking]:
    return contextlib.nullcontext(_Lacking(places.sqlite_url()))


@contextlib.contextmanager
def _postgres(places: Places) -> Iterator[_Lacking]:
    with places.database() as url:
        yield _Lacking(url)


def _lacking(name: str, store: str, opener: Opener) -> Row:
    def run(places: Places, sizes: Sizes) -> Finding:
        curve = costs_by_length(places, opener, sizes)
        short, *_, long = curve.values()
        first, last = sizes.queued[0], sizes.queued[-1]
        return Finding(
            row=name,
            measure=f"{store}: a claim behind {last:,} jobs that need more (floor: behind {first:,})",
            unit="ms",
            ours=long,
            floor=short,
            target=1.3,
            at_least=False,
            curve={"Sweepstake": curve},
        )

    return Row(name, run)


#: The rows, in the order of the table.
ROWS: Final = (
    _lacking("claim-lacking-sqlite", "SQLite", _sqlite),
    _lacking("claim-lacking-postgres", "PostgreSQL", _postgres),
)
