"""Creating jobs: from one mapping, or from a stream of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from typing import Any, Final

from attrs import evolve, field, frozen

from sweepstake.client.job import Job
from sweepstake.client.session import Session
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.duplicates import OnDuplicate
from sweepstake.domain.names import check_dependencies, check_name, check_notes, check_tags
from sweepstake.domain.queueing import check_instant, check_priority
from sweepstake.domain.records import PutAnswer
from sweepstake.domain.status import JobStatus, member_of
from sweepstake.errors import InvalidInputError, shown
from sweepstake.values import EMPTY, JsonObject
from sweepstake.view.progress import progress as progress_bar
from sweepstake.view.progress import watched

__all__ = ["JobIds", "NewJob", "add_in_chunks", "add_one", "draft_of"]

#: Jobs sent in one call.
_CHUNK: Final = 2000
#: From this many jobs on, a progress bar is shown to somebody who watches.
_MANY: Final = 10_000


@frozen(kw_only=True)
class NewJob:
    """A job to be added with `Experiment.add_jobs` that differs from the others in more than hyperparameters.

    Attributes:
        hyperparameters: see `Experiment.add_job`, as for all that follows.
        depends_on: beside those that all jobs of the call depend on; it may name jobs of the same call by their ids.
        priority: None for what the call says; likewise the next three.
    """

    hyperparameters: Mapping[str, Any] = field(kw_only=False)
    job_id: str | None = None
    status: JobStatus | str = JobStatus.QUEUED
    results: Mapping[str, Any] | None = None
    depends_on: Iterable[Job | str] = ()
    prune_with_dependencies: bool = False
    priority: int | None = None
    not_before: float | None = None
    tags: Iterable[str] | None = None
    notes: str | None = None


def draft_of(
    reference: str,
    job_id: str,
    hyperparameters: Mapping[str, Any],
    *,
    status: JobStatus | str = JobStatus.QUEUED,
    results: Mapping[str, Any] | None = None,
    priority: int = 0,
    not_before: float | None = None,
    tags: Iterable[str] = (),
    notes: str = "",
    depends_on: Iterable[Job | str] = (),
    prune_with_dependencies: bool = False,
    path: str = "hyperparameters",
) -> JobDraft:
    """Check everything about a new job of the experiment that is meant, and return it as a draft."""
    return JobDraft(
        id=check_name(job_id, "job_id"),
        status=member_of(JobStatus, status, "status"),
        hyperparameters=JsonObject.of(hyperparameters, path),
        results=EMPTY if results is None else JsonObject.of(results, "results"),
        priority=check_priority(priority),
        not_before=check_instant(not_before, "not_before"),
        tags=check_tags(tags),
        notes=check_notes(notes),
        depends_on=_ids(depends_on, reference),
        prune_with=_flag(prune_with_dependencies, "prune_with_dependencies"),
    )


def _ids(jobs: Iterable[Job | str], reference: str) -> tuple[str, ...]:
    """Return the ids of jobs of this experiment."""
    if isinstance(jobs, (str, bytes, Job)) or not isinstance(jobs, Iterable):
        raise InvalidInputError.at("depends_on", f"must be a list of jobs or ids, not {type(jobs).__name__}")
    given = tuple(jobs)
    for i, job in enumerate(given):
        if isinstance(job, Job) and job.record.reference != reference:
            raise InvalidInputError.at(f"depends_on[{i}]", f"is a job of the experiment {shown(job.record.experiment)}")
    return check_dependencies([job.job_id if isinstance(job, Job) else job for job in given], "depends_on")


def _flag(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInputError.at(path, f"must be True or False, is {shown(value)}")
    return value


class JobIds(list[str]):
    """The ids that `Experiment.add_jobs` returns: in each place that of the job that stands for what was given.

    Attributes:
        skipped: the places of what was left out, because a job has its hyperparameters already.
    """

    def __init__(self) -> None:
        super().__init__()
        self.skipped: list[int] = []


def add_one(session: Session, reference: str, draft: JobDraft, on_duplicate: OnDuplicate | str) -> PutAnswer:
    """Create a job and return it, or the job that stands for it."""
    return session.queue.add_job(reference, draft, member_of(OnDuplicate, on_duplicate, "on_duplicate"))


def add_in_chunks(
    session: Session,
    reference: str,
    many: Iterable[Mapping[str, Any] | NewJob],
    common: Mapping[str, Any],
    *,
    on_duplicate: OnDuplicate | str,
    progress: bool | None,
) -> JobIds:
    """Create a job per item, some thousands a call; return the ids."""
    on_duplicate = member_of(OnDuplicate, on_duplicate, "on_duplicate")
    if isinstance(many, (str, bytes, Mapping)) or not isinstance(many, Iterable):
        raise InvalidInputError.at("hyperparameters", f"must be a list of dicts, not {type(many).__name__}")
    total = len(many) if isinstance(many, Sized) else None
    ids = JobIds()
    template = draft_of(reference, "template", {}, **common)
    with _bar(total, progress) as advance:
        for chunk in _chunks(many):
            first = len(ids)
            drafts = [
                _draft(reference, session.queue.new_id(), item, template, f"[{place}]")
                for place, item in enumerate(chunk, first)
            ]
            with _placed(r"jobs\[(\d+)\]", lambda found: f"[{int(found[1]) + first}]"):  # noqa: B023 -- called at once
                added = session.queue.add_jobs(reference, drafts, on_duplicate)
            ids.extend(draft.id for draft in drafts)
            for each in added.duplicates:
                ids[first + each.place] = each.id
                ids.skipped.append(first + each.place)
            advance(len(drafts))
    return ids


def _draft(reference: str, new_id: str, item: Mapping[str, Any] | NewJob, template: JobDraft, path: str) -> JobDraft:
    if not isinstance(item, NewJob):
        return evolve(template, id=new_id, hyperparameters=JsonObject.of(item, path))
    try:
        draft = draft_of(
            reference,
            new_id if item.job_id is None else item.job_id,
            item.hyperparameters,
            status=item.status,
            results=item.results,
            priority=template.priority if item.priority is None else item.priority,
            not_before=template.not_before if item.not_before is None else item.not_before,
            tags=template.tags if item.tags is None else item.tags,
            notes=template.notes if item.notes is None else item.notes,
            depends_on=(*template.depends_on, *_ids(item.depends_on, reference)),
            prune_with_dependencies=item.prune_with_dependencies,
        )
    except InvalidInputError as error:
        raise error.under(path) from None
    return evolve(draft, prune_with=draft.prune_with or template.prune_with)


@contextmanager
def _placed(pattern: str, place: Callable[[re.Match[str]], str]) -> Iterator[None]:
    """Name fields, in errors of the call in the block, by the place in what the caller gave."""
    try:
        yield
    except InvalidInputError as error:
        raise InvalidInputError((re.sub(f"^{pattern}", place, path), what) for path, what in error.problems) from None


def _chunks(many: Iterable[Mapping[str, Any] | NewJob]) -> Iterator[list[Mapping[str, Any] | NewJob]]:
    iterator = iter(many)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def _bar(total: int | None, wanted: bool | None) -> AbstractContextManager[Callable[[int], None]]:
    if wanted is None:
        return watched("Adding jobs", total, least=_MANY)
    return progress_bar("Adding jobs", total) if wanted else nullcontext(lambda _: None)
