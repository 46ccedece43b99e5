"""Rows of the tables as records, and records as parameters of statements."""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

import attrs

from sweepstake.domain.addresses import called
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.keys import shown_etag
from sweepstake.domain.portable import PortableJob
from sweepstake.domain.records import AttemptRecord, Claim, Dependency, ExperimentRecord, JobRecord, SearchDefinition
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome
from sweepstake.domain.tasks.specs import SpecRecord
from sweepstake.domain.vocabulary import QUEUEING
from sweepstake.stores.engine import Row
from sweepstake.values import EMPTY, JsonObject

__all__ = [
    "JOB_COLUMNS",
    "NO_TASK",
    "HeldJob",
    "JobRow",
    "Limits",
    "LockedJob",
    "TaskRow",
    "attempt",
    "claimed",
    "column",
    "dependency",
    "draft_row",
    "due",
    "experiment",
    "experiment_params",
    "job",
    "spec",
    "storable",
]

_QUEUEING: Final = attrgetter(*(word.name for word in QUEUEING))
_STATUS: Final = {str(status): status for status in JobStatus}


class JobRow(NamedTuple):
    """The columns of a job, in the order in which every statement returns them."""

    seq: int
    id: str
    status: str
    hyperparameters: str
    results: str
    etag: str
    priority: int
    not_before: float | None
    waiting: int
    tags: str
    notes: str
    origin: str | None
    attempt: int
    worker: str | None
    due: float | None
    created_at: float
    started_at: float | None
    ended_at: float | None
    task: str | None
    spec_version: int | None
    gang: str | None
    rank: int | None
    seed: int | None


class TaskRow(NamedTuple):
    """What a job keeps of its task: the version of the spec, and the number of its needs."""

    version: int | None
    needs: int


#: Of a job that has none.
NO_TASK: Final = TaskRow(None, 0)


#: How many columns of a job begin every row that holds one.
JOB_COLUMNS: Final = len(JobRow._fields)


class LockedJob(NamedTuple):
    """What a write of a job needs to know of it."""

    job: JobRow
    dependants: int

    @classmethod
    def of(cls, row: Row) -> LockedJob:
        """Read a row of `lock_job`."""
        return cls(JobRow._make(row[:JOB_COLUMNS]), *row[JOB_COLUMNS:])


class HeldJob(NamedTuple):
    """What the end of an attempt needs to know of it, its job and the experiment's budgets."""

    job: JobRow
    experiment: str
    dependants: int
    failures: int
    preemptions: int
    max_attempts: int
    retry_delay: float
    max_preemptions: int | None
    settings: str
    number: int
    outcome: str | None
    finish_key: str | None
    late: int
    key: str
    lease: float | None

    @classmethod
    def of(cls, row: Row) -> HeldJob:
        """Read a row of `held`."""
        return cls(JobRow._make(row[:JOB_COLUMNS]), *row[JOB_COLUMNS:])

    def no_retry_on(self) -> Sequence[str | int]:
        """Return the causes of failure that no retry can mend."""
        causes: list[str | int] = json.loads(self.settings).get("no_retry_on", [])
        return causes


class Limits(NamedTuple):
    """What an experiment allows, and how much of it is used, in the order of the statement `limits`."""

    number: int
    proposals: int
    status: str
    max_jobs: int | None
    created: int
    max_running: int | None


def job(address: str, row: Row) -> JobRecord:
    """Return the job in the first columns of a row; `address` is its experiment's."""
    (
        seq,
        job_id,
        status,
        hyperparameters,
        results,
        etag,
        priority,
        not_before,
        waiting,
        tags,
        notes,
        origin,
        number,
        worker,
        until,
        created_at,
        started_at,
        ended_at,
        task,
        spec_version,
        gang,
        rank,
        seed,
    ) = row if len(row) == JOB_COLUMNS else row[:JOB_COLUMNS]
    return JobRecord(  # by position, in the order of its fields: by name it takes twice as long, of many jobs
        called(address),
        job_id,
        _STATUS[status],
        JsonObject(hyperparameters),
        JsonObject(results) if results != "{}" else EMPTY,
        etag if etag.startswith("w") else shown_etag(etag),  # a call for each job of a page takes time
        seq,
        priority,
        not_before,
        waiting,
        tuple(json.loads(tags)) if tags != "[]" else (),
        notes,
        None if origin is None else JsonObject(origin),
        number,
        worker,
        status == "RUNNING" and until is not None,
        created_at,
        started_at,
        ended_at,
        address,
        task,
        spec_version,
        gang,
        rank,
        seed,
    )


def claimed(address: str, key: str, row: Row) -> Claim:
    """Return the claim in a row of a job's columns, the lease and the timeout."""
    return Claim(job=job(address, row), key=key, lease=row[JOB_COLUMNS], timeout=row[JOB_COLUMNS + 1])


def attempt(row: Row) -> AttemptRecord:
    """Return the attempt in a row of `attempts`."""
    number, key, worker, lease, started_at, ended_at, outcome, reason, late_results, output = row
    return AttemptRecord(
        number=number,
        key=shown_etag(key),
        worker=worker,
        lease=lease,
        started_at=started_at,
        ended_at=ended_at,
        outcome=None if outcome is None else Outcome(outcome),
        reason=reason,
        late_results=None if late_results is None else JsonObject(late_results),
        output=output,
    )


def dependency(row: Row) -> Dependency:
    """Return the dependency in a row of `dependencies`."""
    job_id, status, prunes = row
    return Dependency(id=job_id, status=_STATUS[status], prune_with=bool(prunes))


def spec(row: Row) -> SpecRecord:
    """Return the version of a spec in a row of `spec` or of `archive_spec`."""
    version, text, document, created_at, snapshot = row
    return SpecRecord(
        version=version,
        text=text,
        document=JsonObject(document),
        created_at=created_at,
        snapshot=None if snapshot is None else JsonObject(snapshot),
    )


def experiment(row: Row) -> ExperimentRecord:
    """Return the experiment in a row of `experiment`."""
    _, address, status, search_kind, search_params, settings, etag, proposals, created, created_at, owner = row
    return ExperimentRecord(
        name=called(address),
        status=ExperimentStatus(status),
        search=SearchDefinition(search_kind, search_params),
        settings=Settings(**json.loads(settings)),
        etag=shown_etag(etag),
        proposals=proposals,
        created=created,
        created_at=created_at,
        owner=owner,
        address=address,
    )


def experiment_params(record: ExperimentRecord) -> dict[str, Any]:
    """Return the columns of an experiment's definition."""
    settings = record.settings
    return {
        "name": record.address,
        "label": None if record.address == record.name else record.name,
        "status": str(record.status),
        "search_kind": record.search.kind,
        "search_params": record.search.params,
        "settings": json.dumps(attrs.asdict(settings), separators=(",", ":")),
        "lease": float(settings.lease),
        "timeout": None if settings.timeout is None else float(settings.timeout),
        "max_attempts": settings.max_attempts,
        "max_lost": settings.max_lost,
        "max_preemptions": settings.max_preemptions,
        "retry_delay": float(settings.retry_delay),
        "max_running": settings.max_running,
        "max_jobs": settings.max_jobs,
        "etag": record.etag,
        "owner": record.owner,
    }


def draft_row(
    experiment_id: int,
    draft: JobDraft,
    etag: str,
    now: float,
    *,
    waiting: int = 0,
    dependants: int = 0,
    task: TaskRow = NO_TASK,
) -> Row:
    """Return the columns of a new job, in the order of the statement `add_job`; `task` is what is kept of its task."""
    return (
        *[value if type(value) is not tuple else column(value) if value else "[]" for value in _QUEUEING(draft)],
        experiment_id,
        draft.id,
        str(draft.status),
        etag,
        None if draft.not_before is None else due(draft, now),
        waiting,
        dependants,
        now,
        None if draft.origin is None else draft.origin.text,
        draft.hyperparameters.text,
        draft.results.text,
        draft.task,
        task.version,
        task.needs,
        draft.gang,
        draft.rank,
        draft.seed,
    )


def column(value: Any) -> Any:
    """Return a value of a job's queueing as its column has it: a list as JSON."""
    return value if type(value) is not tuple else json.dumps(value)


def due(job: JobDraft | PortableJob, now: float) -> float | None:
    """Return when a new job is ready, if that is later than now."""
    delayed = job.not_before is not None and job.status is JobStatus.QUEUED and job.not_before > now
    return job.not_before if delayed else None


def storable(text: str) -> str:
    """Return free text as every database can hold it: lone surrogates and NUL are written out."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
