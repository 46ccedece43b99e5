"""Creating jobs: from one mapping, or from a stream of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sized
from itertools import islice
from typing import Any, Final

from attrs import evolve, field, frozen

from sweepstake.client.job import Job
from sweepstake.client.session import Session
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.duplicates import OnDuplicate
from sweepstake.domain.names import check_dependencies, check_name
from sweepstake.domain.status import JobStatus, member_of
from sweepstake.domain.vocabulary import check_priority, queueing_of
from sweepstake.errors import InvalidInputError, shown
from sweepstake.values import EMPTY, JsonObject
from sweepstake.view.progress import watched

__all__ = ["JobIds", "NewJob", "add_in_chunks", "draft_of"]

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
        priority: None for what the call says; likewise all that follow.
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
    task: str | None = None


def draft_of(reference: str, new_id: str, job: NewJob, common: JobDraft | None = None) -> JobDraft:
    """Check everything about a new job of the experiment that is meant, and return it as a draft.

    Args:
        reference: of the experiment.
        new_id: the id that the job gets unless it has one.
        job: what is asked for.
        common: what the job has where it says None, and what it depends on besides.
    """
    own, prune_with = job.depends_on, job.prune_with_dependencies
    if not isinstance(prune_with, bool):
        raise InvalidInputError.at("prune_with_dependencies", f"must be True or False, is {shown(prune_with)}")
    said = queueing_of(job)
    if common is not None:
        said = {name: getattr(common, name) if value is None else value for name, value in said.items()}
    return JobDraft(
        id=new_id if job.job_id is None else check_name(job.job_id, "job_id"),
        status=member_of(JobStatus, job.status, "status"),
        hyperparameters=JsonObject.of(job.hyperparameters, "hyperparameters"),
        results=EMPTY if job.results is None else JsonObject.of(job.results, "results"),
        **{**said, "priority": check_priority(said["priority"], of_json=False)},
        depends_on=(
            *(common.depends_on if common else ()),
            *(_ids(own, reference) if not isinstance(own, tuple) or own else ()),
        ),
        prune_with=prune_with or (common is not None and common.prune_with),
        task=common.task if job.task is None and common is not None else job.task,
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


class JobIds(list[str]):
    """The ids that `Experiment.add_jobs` returns: in each place that of the job that stands for what was given.

    Attributes:
        skipped: the places of what was left out, because a job has its hyperparameters already.
    """

    def __init__(self) -> None:
        super().__init__()
        self.skipped: list[int] = []


def add_in_chunks(
    session: Session,
    reference: str,
    many: Iterable[Mapping[str, Any] | NewJob],
    common: JobDraft,
    *,
    on_duplicate: OnDuplicate,
    progress: bool | None,
) -> JobIds:
    """Create a job per item, some thousands a call; return the ids.

    Args:
        session: the connection.
        reference: of the experiment.
        many: hyperparameters, or whole jobs.
        common: what all jobs have, unless they say otherwise.
        on_duplicate: what to do about hyperparameters that are there.
        progress: whether to show a bar; None: if somebody watches.
    """
    if isinstance(many, (str, bytes, Mapping)) or not isinstance(many, Iterable):
        raise InvalidInputError.at("hyperparameters", f"must be a list of dicts, not {type(many).__name__}")
    queue, ids, items = session.queue, JobIds(), iter(many)
    total = len(many) if isinstance(many, Sized) else None
    with watched("Adding jobs", total, least=_MANY, wanted=progress) as advance:
        while chunk := list(islice(items, _CHUNK)):
            first = len(ids)
            drafts = [
                evolve(common, id=queue.new_id(), hyperparameters=JsonObject.of(item, f"[{place}]"))
                if not isinstance(item, NewJob)
                else _whole(reference, queue.new_id(), item, common, f"[{place}]")
                for place, item in enumerate(chunk, first)
            ]
            try:
                added = queue.add_jobs(reference, drafts, on_duplicate)
            except InvalidInputError as error:
                raise _placed(error, first) from None
            ids.extend(draft.id for draft in drafts)
            for each in added.duplicates:
                ids[first + each.place] = each.id
                ids.skipped.append(first + each.place)
            advance(len(drafts))
    return ids


def _whole(reference: str, new_id: str, item: NewJob, common: JobDraft, path: str) -> JobDraft:
    """Return the draft of a whole job; an error names its place."""
    try:
        return draft_of(reference, new_id, item, common)
    except InvalidInputError as error:
        raise error.under(path) from None


def _placed(error: InvalidInputError, first: int) -> InvalidInputError:
    """Return the error of a call with the place of each job in what the caller gave."""
    return InvalidInputError(
        (re.sub(r"^jobs\[(\d+)\]", lambda found: f"[{int(found[1]) + first}]", path), what)
        for path, what in error.problems
    )
