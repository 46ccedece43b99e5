"""Records of jobs and experiments to look at."""

from typing import Any

from sweepstake.domain.records import ExperimentRecord, JobRecord, SearchDefinition
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus
from sweepstake.values import JsonObject


def job(
    job_id: str = "j1",
    hyperparameters: dict[str, Any] | None = None,
    results: dict[str, Any] | None = None,
    **others: Any,
) -> JobRecord:
    """Make the record of a job that is DONE."""
    return JobRecord(
        experiment="mnist",
        id=job_id,
        status=JobStatus.DONE,
        hyperparameters=JsonObject.of(hyperparameters or {}),
        results=JsonObject.of(results or {}),
        etag="e",
        seq=1,
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
