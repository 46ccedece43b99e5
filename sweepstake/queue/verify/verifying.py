"""`verify`: a store's whole history against the promises, while others go on writing to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import attrs

from sweepstake.queue.calls import DeleteExperiment, PutExperiment
from sweepstake.queue.verify.facts import Check, LedgerEvent, LedgerExperiment, LedgerJob, Stray, Violation
from sweepstake.queue.verify.keywatch import KeyUse, KeyWatch
from sweepstake.queue.verify.ledger import Ledger
from sweepstake.queue.verify.rules import (
    Knowledge,
    check_batch,
    check_experiment,
    check_gang,
    check_job,
    check_snapshot,
    check_specs,
    origin_keys,
    unexplained,
)

__all__ = ["CLOCK_ERROR", "Verification", "verify"]

#: Seconds by which times may contradict each other before that counts: clocks are set now and then.
CLOCK_ERROR: Final = 1.0
#: Jobs of one page. Few, because each may have many attempts.
_PAGE: Final = 500
#: Snapshots of code of one page, each of which may have more than a megabyte.
_SNAPSHOTS: Final = 10
_END: Final = 2**62

Progress = Callable[[int, int], None]


@attrs.frozen(kw_only=True)
class Verification:
    """What was looked at, and what was found.

    Attributes:
        jobs, attempts, events: how many were read.
        checked: how many things each check looked at.
        violations: those that were kept; `found` counts all.
    """

    experiments: int
    jobs: int
    attempts: int
    events: int
    checked: dict[Check, int]
    found: int
    violations: tuple[Violation, ...]


def verify(
    ledger: Ledger, *, clock_error: float = CLOCK_ERROR, keep: int = 1000, progress: Progress = lambda _done, _all: None
) -> Verification:
    """Check every job, attempt and event of a store.

    It reads in pages, each a snapshot of its own. It needs the memory of a page and of the names of the experiments,
    however many jobs there are, and 30 bytes of temporary disk for each op key.

    Args:
        ledger: what to check.
        clock_error: seconds by which the clocks of those who wrote may have disagreed.
        keep: how many violations are kept.
        progress: is told how much of how much was read.
    """
    with KeyWatch() as keys:
        reading = _Reading(ledger, keys, clock_error, progress)
        kept: list[Violation] = []
        found = 0
        for violation in reading.violations():
            found += 1
            if len(kept) < keep:
                kept.append(violation)
        read = reading.read
        return Verification(
            experiments=read["experiments"],
            jobs=read["jobs"],
            attempts=read["attempts"],
            events=read["events"],
            checked={check: reading.checked[check] for check in Check},
            found=found,
            violations=tuple(kept),
        )


class _Reading:
    """One walk through a ledger: events first, because they tell which definitions never changed."""

    def __init__(self, ledger: Ledger, keys: KeyWatch, clock_error: float, progress: Progress) -> None:
        self._ledger = ledger
        self._keys = keys
        self._clock_error = clock_error
        self._progress = progress
        self._definitions: dict[str, str] = {}
        self._changed: set[str] = set()
        self.checked: Counter[Check] = Counter()
        self.read: Counter[str] = Counter()

    def violations(self) -> Iterator[Violation]:
        """Yield all that is wrong."""
        extent = self._ledger.extent()
        total = extent.last_event + extent.last_job
        for event in self._pages(lambda after: self._ledger.events(after, 2 * _PAGE)):
            self._note(event)
            self._progress(event.seq, total)
        yield from self._check_jobs(lambda seq: self._progress(extent.last_event + seq, total))
        yield from self._check_experiments()
        yield from self._check_snapshots()
        yield from self._check_keys()

    def _pages(self, read: Callable[[int], Sequence[LedgerEvent]]) -> Iterator[LedgerEvent]:
        after = 0
        while page := read(after):
            yield from page
            after = page[-1].seq

    def _note(self, event: LedgerEvent) -> None:
        """Remember which experiments were defined once."""
        self.read["events"] += 1
        defines = event.verb == PutExperiment.word
        self._keys.add(event.key, KeyUse.DEFINITION if defines else KeyUse.EVENT, event.seq)
        if event.verb == DeleteExperiment.word:
            self._definitions.pop(event.experiment, None)
            self._changed.discard(event.experiment)
        elif defines and event.experiment in self._definitions:
            self._changed.add(event.experiment)
        elif defines:
            self._definitions[event.experiment] = event.key

    def _settled(self) -> dict[str, str]:
        return {name: key for name, key in self._definitions.items() if name not in self._changed}

    def _check_jobs(self, progress: Callable[[int], None]) -> Iterator[Violation]:
        settled = self._settled()
        after = 0
        while jobs := self._ledger.jobs(after, _PAGE):
            keys = sorted({key for job in jobs for key in origin_keys(job)})
            known = Knowledge(writes=self._ledger.writes(keys), definitions=settled, clock_error=self._clock_error)
            for job in jobs:
                yield from check_job(self._with_retries(job), known, self.checked)
                self._take_keys(job)
            yield from self._check_strays(after, jobs[-1].seq)
            after = jobs[-1].seq
            progress(after)
        yield from self._check_strays(after, _END)

    def _with_retries(self, job: LedgerJob) -> LedgerJob:
        if not unexplained(job) or job.experiment is None:
            return job
        return job._replace(retried=self._ledger.retries(job.experiment, job.id))

    def _take_keys(self, job: LedgerJob) -> None:
        self.read["jobs"] += 1
        self.read["attempts"] += len(job.attempts)
        for attempt in job.attempts:
            use = KeyUse.BEGIN if attempt.lease is None else KeyUse.CLAIM
            self._keys.add(attempt.key, use, job.seq, attempt.number)
            if attempt.finish_key is not None:
                self._keys.add(attempt.finish_key, KeyUse.FINISH, job.seq, attempt.number)

    def _check_strays(self, after: int, last: int) -> Iterator[Violation]:
        self.checked[Check.STRAYS] += 1
        yield from map(_stray, self._ledger.strays(after, last))

    def _check_experiments(self) -> Iterator[Violation]:
        settled = self._settled()
        after = 0
        while experiments := self._ledger.experiments(after, 1):
            [experiment] = experiments
            self.read["experiments"] += 1
            yield from check_experiment(experiment, settled, self.checked)
            yield from check_specs(experiment, self._ledger.specs(experiment.id), self.checked)
            yield from self._check_gangs(experiment)
            yield from self._check_batches(experiment)
            after = experiment.id
        yield from map(_stray, self._ledger.strays_of_experiments())

    def _check_gangs(self, experiment: LedgerExperiment) -> Iterator[Violation]:
        after = ""
        while gangs := self._ledger.gangs(experiment.id, after, _PAGE):
            for gang in gangs:
                yield from check_gang(experiment, gang, self._clock_error, self.checked)
            after = gangs[-1].name

    def _check_batches(self, experiment: LedgerExperiment) -> Iterator[Violation]:
        after = ""
        while batches := self._ledger.batches(experiment.id, after, _PAGE):
            for batch in batches:
                yield from check_batch(experiment, batch, self.checked)
            after = batches[-1].id
        for job, number in self._ledger.shared_jobs(experiment.id):
            what = f"is in {number} batches that are under way"
            yield Violation(check=Check.BATCHES, experiment=experiment.name, job=job, attempt=None, what=what)

    def _check_snapshots(self) -> Iterator[Violation]:
        after = ""
        while found := self._ledger.snapshots(after, _SNAPSHOTS):
            for digest, document in found:
                yield from check_snapshot(digest, document, self.checked)
            after = found[-1][0]

    def _check_keys(self) -> Iterator[Violation]:
        self.checked[Check.KEYS] = self._keys.count
        for uses in self._keys.repeats():
            what = f"shares its op key: {', '.join(_place(*use) for use in uses[:5])}"
            first = next(((seq, number) for use, seq, number in uses if use not in _OF_EVENTS), None)
            jobs = self._ledger.jobs(first[0] - 1, 1) if first else ()
            if first and jobs:
                experiment, job, attempt = jobs[0].experiment or "", jobs[0].id, first[1]
                yield Violation(check=Check.KEYS, experiment=experiment, job=job, attempt=attempt, what=what)
            else:
                yield Violation(check=Check.KEYS, experiment="", job="", attempt=None, what=what)


_OF_EVENTS: Final = (KeyUse.EVENT, KeyUse.DEFINITION)


def _stray(stray: Stray) -> Violation:
    what = f"is the {stray.kind} {stray.number} of {stray.owner} number {stray.owner_number}, which is not there"
    return Violation(check=Check.STRAYS, experiment="", job="", attempt=None, what=what)


def _place(use: KeyUse, seq: int, number: int) -> str:
    return f"event {seq}" if use in _OF_EVENTS else f"attempt {number} of job number {seq}"
