"""Why an experiment does not go on, as far as the queue can tell: a sentence for each of its tasks that waits."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from sweepstake.client.listing import iterate, query_of
from sweepstake.client.standing import has_spec, is_being_submitted, makes_more, what_next
from sweepstake.domain.records import ExperimentRecord
from sweepstake.domain.status import ExperimentStatus, JobStatus
from sweepstake.plaintext import counted
from sweepstake.search import NoProposal

if TYPE_CHECKING:  # its objects are what this tells of
    from sweepstake.client.experiment import Experiment

__all__ = ["standing_of"]

#: So many queued jobs are looked at for their tasks, and so many tasks are told of.
_LOOKED_AT: Final = 1000
_TOLD: Final = 20


def standing_of(experiment: Experiment, called: str) -> Iterator[str]:
    """Yield sentences that say how an experiment stands, and what would change that.

    Args:
        experiment: which.
        called: what commands are told that it is called.
    """
    assert experiment.record is not None, "it is stored"
    counts = experiment.counts()
    spelled = shlex.quote(called)
    if is_being_submitted(experiment.record):
        yield f"{called} is being submitted; if that was interrupted, submitting the same spec again goes on with it."
        return
    if not counts.total and what_next(experiment.record) is NoProposal.NONE:
        yield f"{called} has no jobs."
        return
    if not (counts.ready or counts.blocked or counts.delayed):
        yield f"{called} has no job that waits: {counts}.{_search_of(experiment.record, spelled)}"
        return
    if experiment.record.status is ExperimentStatus.DONE:
        yield f"{called} is paused; `sweepstake resume {spelled}` lets it go on."
        return
    yield from _tasks(experiment, called, spelled)


def _search_of(record: ExperimentRecord, spelled: str) -> str:
    """Return, as a sentence that follows, whether the search of an experiment makes more jobs."""
    if record.status is ExperimentStatus.DONE or not makes_more(record):
        return ""
    return f" Its search makes the next one when a worker asks, such as `sweepstake worker {spelled}`."


def _tasks(experiment: Experiment, called: str, spelled: str) -> Iterator[str]:
    queue, name = experiment.session.queue, experiment.reference
    first: dict[str | None, str] = {}
    for job in islice(iterate(queue, name, query_of(JobStatus.QUEUED)), _LOOKED_AT):
        first.setdefault(job.task, job.id)
    specified = has_spec(queue, name)
    if not specified:
        yield (
            f"{called} has no spec, so workers without a command pass it over; "
            f"`sweepstake worker {spelled} -- COMMAND` runs it."
        )
    for task, job_id in islice(first.items(), _TOLD):
        if task is None and specified:
            yield (
                f"{job_id} names no task of the spec, so workers without a command pass it over; "
                f"`sweepstake worker {spelled} -- COMMAND` runs it, and `sweepstake push --task` names one."
            )
            continue
        sentence = queue.why(name, job_id).sentence
        yield f"{job_id}: {sentence}" if task is None else f"{task} ({job_id}): {sentence}"
    if len(first) > _TOLD:
        yield f"{counted(len(first) - _TOLD, 'task')} more with jobs that wait."
