"""Records of jobs and experiments to look at."""

from collections.abc import Mapping
from typing import Any

from sweepstake.domain.records import ExperimentRecord, JobRecord, SearchDefinition
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus
from sweepstake.values import JsonObject


def job(
    job_id: str | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    results: Mapping[str, Any] | None = None,
    *,
    seq: int = 1,
    origin: Mapping[str, Any] | None = None,
    **others: Any,
) -> JobRecord:
    """Make the record of a job, which is DONE unless others say otherwise; its id is made of `seq` if it has none."""
    others = {"experiment": "mnist", "status": JobStatus.DONE, "etag": f"etag{seq}"} | others
    return JobRecord(
        id=job_id or f"job{seq}",
        seq=seq,
        hyperparameters=JsonObject.of(hyperparameters or {}),
        results=JsonObject.of(results or {}),
        origin=None if origin is None else JsonObject.of(origin),
        **others,
    )


def experiment(name: str = "mnist", kind: str = "Manual", params: str = "null") -> ExperimentRecord:
    """Make the record of an experiment that is RUNNING."""
    return ExperimentRecord(
        name=name,
        status=ExperimentStatus.RUNNING,
        search=SearchDefinition(kind, params),
        settings=Settings(),
        etag="e",
    )
