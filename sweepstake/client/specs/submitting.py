"""Submitting a spec: its experiment, the spec itself, and its jobs, all of them or none that could be claimed.

Until its last job is there, a new experiment is paused, and has a tag that says whose submission it waits for. Whoever
submits the same spec again goes on where the first one ended.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final, Self

from attrs import evolve, frozen

from sweepstake.client.listing import every_experiment
from sweepstake.client.redefining import redefine
from sweepstake.client.standing import SUBMITTING, has_spec
from sweepstake.domain.addresses import check_called
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.lengths import MAX_BULK
from sweepstake.domain.names import check_name, existing_name
from sweepstake.domain.records import ABSENT, UNGUARDED, ExperimentDraft, ExperimentRecord
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.errors import ClientRequestError, InvalidInputError, NotFoundError, ResourceExistsError, SweepstakeError
from sweepstake.queue.queue import Queue
from sweepstake.spec import ExperimentSpec
from sweepstake.spec.expansion import expand, job_faults, proposed_task, said_of, search_of, settings_of
from sweepstake.spec.experiment import read_spec
from sweepstake.spec.naming import task_names
from sweepstake.spec.reading import read_file_bytes
from sweepstake.spec.records import told
from sweepstake.spec.scalars import WrittenFloat, WrittenInt, written
from sweepstake.spec.writing import to_yaml
from sweepstake.values import JsonObject

__all__ = ["Submission", "submit"]

#: Begin the tag of an experiment that is not complete yet: a new one, and one that gets another version.
_NEW: Final = SUBMITTING
_UPDATE: Final = "updating"
#: Jobs sent in one call.
_CHUNK: Final = 2000


@frozen
class Submission:
    """A spec that was checked, ready to be submitted.

    Attributes:
        spec: what it says.
        text: as it was written.
        stem: what its experiment is called, if that is not said.
        document: what it says, as JSON.
        snapshot: what the code is; None if that is not looked at.
    """

    spec: ExperimentSpec
    text: str
    stem: str
    document: JsonObject
    snapshot: JsonObject | None = None

    @classmethod
    def of(cls, spec: ExperimentSpec | str | os.PathLike[str]) -> Self:
        """Read and check a spec: one that was made in Python, or the path of a file.

        Raises:
            SpecError: lists everything that is wrong; in a file with line and column.
            OSError: the file cannot be read.
            MissingExtraError: PyYAML is not installed, and it is a file.
        """
        if isinstance(spec, ExperimentSpec):
            spec.validate()
            found = list(job_faults(spec))
            if found:
                raise told(found)
            return cls(spec, to_yaml(spec), task_names(spec)[0] if spec.tasks else "experiment", _document(spec))
        given: object = spec
        if not isinstance(given, (str, os.PathLike)):
            problem = f"must be an ExperimentSpec or the path of a file, not {type(given).__name__}"
            raise InvalidInputError.at("spec", problem)
        path = Path(spec)
        data = read_file_bytes(path)
        read = read_spec(ExperimentSpec, data, os.fspath(path), job_faults)
        return cls(read, data.decode("utf-8-sig"), path.stem, _document(read))

    def drafts(self, version: int = 1) -> Sequence[JobDraft]:
        """Return the jobs of a version."""
        return expand(self.spec, version)


def _document(spec: ExperimentSpec) -> JsonObject:
    """Return what a spec says as JSON, in which an item of a command is the text that its process gets.

    JSON would write a number as Python does: 10 for ``012``.
    """
    data = spec.to_json()
    for task in data["tasks"]:
        for name in ("command", "arguments"):
            if name in task:
                task[name] = [_item(item) for item in task[name]]
    return JsonObject.of(data, "spec")


def _item(item: str | float) -> str | float:
    return written(item) if isinstance(item, WrittenInt | WrittenFloat) else item


def submit(queue: Queue, submission: Submission, name: str | None, *, update: bool) -> ExperimentRecord:
    """Store a spec and queue its jobs; return the experiment.

    Args:
        queue: where.
        submission: the spec.
        name: of the experiment; None for its stem, with a number if that is taken.
        update: whether the experiment is there already, and gets the spec as its next version.

    Raises:
        ResourceExistsError: the name is taken, and it is no update.
        NotFoundError: it is an update, and there is no such experiment.
    """
    if update:
        if name is None:
            raise InvalidInputError.at("update", "needs the name of the experiment that is updated")
        record = _reopened(queue, submission, existing_name(name, "name", check_called))
    else:
        record = _begun(queue, submission, check_name(submission.stem if name is None else name, "name"), name)
    reference, tag = record.reference, _tag_of(record, submission)
    try:
        draft = SpecDraft(text=submission.text, document=submission.document, snapshot=submission.snapshot)
        version = queue.put_spec(reference, draft, key=_key(tag))
        _add(queue, reference, submission.drafts(version), version)
    except ClientRequestError:  # it can never be completed
        with suppress(SweepstakeError):
            _give_up(queue, reference, tag)
        raise
    return redefine(queue, reference, _without(tag))[1]


# The experiment


def _begun(queue: Queue, submission: Submission, stem: str, name: str | None) -> ExperimentRecord:
    """Return a new experiment, or the one that an earlier try to submit this spec has begun."""
    spec = submission.spec
    settings = evolve(settings_of(spec), max_jobs=_most(spec), tags=(_new_tag(queue, _NEW, submission),))
    draft = ExperimentDraft(search=search_of(spec), status=ExperimentStatus.DONE, settings=settings)
    with suppress(ResourceExistsError):
        return queue.put_experiment(stem, draft, ABSENT)
    if name is not None:
        record = queue.get_experiment(name)
        if _find_tag(record, submission) is None:
            raise ResourceExistsError(
                f"There is an experiment {name!r} already. An update stores the spec as its next version and adds its "
                "jobs: update=True."
            )
        return record
    there = list(every_experiment(queue))
    for record in there:
        if record.name.startswith(stem) and _find_tag(record, submission) is not None:
            return record
    names = {record.name for record in there}
    for candidate in (f"{stem}-{number}" for number in count(2)):
        if candidate not in names:
            with suppress(ResourceExistsError):
                return queue.put_experiment(candidate, draft, ABSENT)
    raise AssertionError("numbers do not end")


def _reopened(queue: Queue, submission: Submission, name: str) -> ExperimentRecord:
    """Return an experiment that says of itself that it gets this spec, and asks of the queue what the spec says."""
    tag = _new_tag(queue, _UPDATE, submission)
    spec = submission.spec
    searches = proposed_task(spec) is not None or has_spec(queue, name)

    def change(before: ExperimentRecord) -> ExperimentDraft | None:
        if _find_tag(before, submission) is not None:
            return None
        settings = evolve(before.settings, tags=(*before.settings.tags, tag), **said_of(spec))
        if not searches:
            return ExperimentDraft(search=before.search, status=before.status, settings=settings)
        settings = evolve(settings, max_jobs=_most(spec, before.created))
        return ExperimentDraft(search=search_of(spec), status=before.status, settings=settings)

    return redefine(queue, name, change)[1]


def _most(spec: ExperimentSpec, before: int = 0) -> int | None:
    """Return how many jobs an experiment may have whose search makes some of them while others run."""
    sweeps = [each for each in (spec.sweep, *(task.sweep for task in spec.tasks)) if each is not None]
    if proposed_task(spec) is None or sweeps[0].max_jobs is None:
        return None
    return before + len(expand(spec)) + int(sweeps[0].max_jobs)


def _without(tag: str) -> Callable[[ExperimentRecord], ExperimentDraft | None]:
    """Return what makes an experiment complete: it loses the tag, and a new one begins."""

    def change(before: ExperimentRecord) -> ExperimentDraft | None:
        if tag not in before.settings.tags:
            return None
        status = ExperimentStatus.RUNNING if tag.startswith(_NEW) else before.status
        return ExperimentDraft(search=before.search, status=status, settings=_untagged(before.settings, tag))

    return change


def _untagged(settings: Settings, tag: str) -> Settings:
    return evolve(settings, tags=tuple(each for each in settings.tags if each != tag))


def _give_up(queue: Queue, reference: str, tag: str) -> None:
    if tag.startswith(_NEW):
        queue.delete_experiment(reference, UNGUARDED)
    else:
        redefine(queue, reference, _without(tag))


# The tag: whether the experiment is new, the key of the call that stores the spec, and a digest of the spec


def _new_tag(queue: Queue, word: str, submission: Submission) -> str:
    return f"{word}:{queue.new_id()}:{submission.document.digest()[:32]}"


def _find_tag(record: ExperimentRecord, submission: Submission) -> str | None:
    digest = submission.document.digest()[:32]
    return next((tag for tag in record.settings.tags if _is_tag(tag) and tag.endswith(f":{digest}")), None)


def _is_tag(tag: str) -> bool:
    return tag.startswith((f"{_NEW}:", f"{_UPDATE}:")) and tag.count(":") == 2


def _tag_of(record: ExperimentRecord, submission: Submission) -> str:
    tag = _find_tag(record, submission)
    assert tag is not None, "it was made with one"
    return tag


def _key(tag: str) -> str:
    return tag.split(":")[1]


# The jobs


def _add(queue: Queue, reference: str, drafts: Sequence[JobDraft], version: int) -> None:
    """Add jobs; those of a chunk that is there were added by an earlier try."""
    for chunk in _chunks(drafts):
        try:
            queue.add_jobs(reference, chunk)
        except ResourceExistsError:
            if not _is_there(queue, reference, chunk[-1], version):
                raise


def _chunks(drafts: Sequence[JobDraft]) -> Iterator[Sequence[JobDraft]]:
    """Yield what goes into each call; the jobs of a gang, which begin together, come together."""
    first = 0
    while first < len(drafts):
        end = min(first + _CHUNK, len(drafts))
        while end < len(drafts) and end - first < MAX_BULK and drafts[end].rank:
            end += 1
        yield drafts[first:end]
        first = end


def _is_there(queue: Queue, reference: str, draft: JobDraft, version: int) -> bool:
    try:
        job = queue.get_job(reference, draft.id)
    except NotFoundError:
        return False
    return (job.task, job.spec_version) == (draft.task, version)
