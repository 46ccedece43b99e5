"""Every call that a server answers, as one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from attrs import field, frozen

from sweepstake.ports import MAX_BULK
from sweepstake.wire.headers import IF_MATCH
from sweepstake.wire.parameters import (
    ATTEMPT_KEY,
    FILTERS,
    FORCE,
    LIMIT,
    MATCH,
    NONE_MATCH,
    OP_KEY,
    START,
    Parameter,
)

__all__ = ["BASE", "OPERATIONS", "Operation"]

#: Where the API begins, below the server's root.
BASE: Final = "/api/v1/"


@frozen(kw_only=True)
class Operation:
    """One method on one path.

    Attributes:
        name: what the handler and the OpenAPI operation are called.
        path: `{name}` and `{id}` stand for an experiment and a job, percent-encoded.
        request: name of the body's schema.
        answers: name of the body's schema by status of success; None for an empty body.
        problems: statuses of errors beyond those that follow from the rest.
        etag: the answer has an ETag.
        secured: credentials are needed.
        links: what can be called next: the operation, and where its parameters and body come from.
    """

    name: str
    method: str
    path: str
    summary: str
    answers: Mapping[int, str | None]
    request: str | None = None
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[int, ...] = ()
    etag: bool = False
    secured: bool = True
    links: tuple[tuple[str, Mapping[str, str]], ...] = ()
    _parts: tuple[str, ...] = field(init=False, repr=False)

    @_parts.default
    def _split(self) -> tuple[str, ...]:
        return tuple(self.path.replace("{id}", "{name}").split("{name}"))

    def url(self, *names: str) -> str:
        """Return the path with these names in it."""
        url = self._parts[0]
        for name, part in zip(names, self._parts[1:], strict=True):
            url += quote(name, safe="") + part
        return url

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every status of an error that it may answer."""
        found = {431, 500, *self.problems}
        if self.secured:
            found |= {401, 403, 503}
        if "{name}" in self.path:
            found |= {400, 404}
        if self.parameters:
            found |= {400, 422}
        if self.request is not None:
            found |= {400, 408, 413, 422}
        if any(parameter.name == IF_MATCH for parameter in self.parameters):
            found |= {412}
        return tuple(sorted(found))


_EXPERIMENTS: Final = f"{BASE}experiments/"
_EXPERIMENT: Final = f"{_EXPERIMENTS}{{name}}/"
_JOBS: Final = f"{_EXPERIMENT}jobs/"
_JOB: Final = f"{_JOBS}{{id}}/"
_NAME: Final = {"name": "$request.path.name"}
_THIS: Final = {**_NAME, "id": "$request.path.id"}
_ADDED: Final = {**_NAME, "id": "$response.body#/id"}
_TAKEN: Final = {
    **_NAME,
    "id": "$response.body#/job/id",
    "body": '{"attempt": "{$response.body#/key}", "outcome": "done"}',
}

_FIRST: Final = {"name": "$response.body#/items/0/name"}
_FIRST_JOB: Final = {**_NAME, "id": "$response.body#/items/0/id"}

_LOGIN: Final = (
    Operation(
        name="token",
        method="POST",
        path=f"{BASE}token/",
        summary="Exchange an API token for a signed one",
        request="Credentials",
        answers={200: "Token"},
        problems=(403, 503),
        secured=False,
    ),
    Operation(
        name="passauth",
        method="POST",
        path=f"{BASE}passauth/",
        summary="Exchange a password, sent as `token`, for a signed token",
        request="Credentials",
        answers={200: "Token"},
        problems=(403, 503),
        secured=False,
    ),
    Operation(
        name="resettoken",
        method="POST",
        path=f"{BASE}resettoken/",
        summary="Replace all API tokens of the caller by a new one",
        answers={200: "ClientConfig"},
        problems=(409,),
    ),
)

_OF_EXPERIMENTS: Final = (
    Operation(
        name="list_experiments",
        method="GET",
        path=_EXPERIMENTS,
        summary="List the experiments, oldest first",
        parameters=(START, LIMIT),
        answers={200: "ExperimentPage"},
        links=tuple((name, _FIRST) for name in ("get_experiment", "put_experiment", "add_job", "list_jobs", "claim")),
    ),
    Operation(
        name="put_experiment",
        method="PUT",
        path=_EXPERIMENT,
        summary="Create an experiment, or replace its definition",
        request="PutExperiment",
        parameters=(OP_KEY, MATCH, NONE_MATCH),
        answers={200: "Experiment", 201: "Experiment"},
        etag=True,
        links=(("get_experiment", _NAME), ("add_job", _NAME), ("claim", _NAME), ("delete_experiment", _NAME)),
    ),
    Operation(
        name="get_experiment",
        method="GET",
        path=_EXPERIMENT,
        summary="Read an experiment",
        answers={200: "Experiment"},
        etag=True,
    ),
    Operation(
        name="delete_experiment",
        method="DELETE",
        path=_EXPERIMENT,
        summary="Delete an experiment with its jobs",
        parameters=(OP_KEY, MATCH, FORCE),
        answers={204: None},
        problems=(409,),
        links=(("get_experiment", _NAME),),
    ),
    Operation(
        name="count_jobs",
        method="GET",
        path=f"{_EXPERIMENT}counts/",
        summary="Count the jobs of an experiment by state",
        answers={200: "Counts"},
    ),
)

_OF_JOBS: Final = (
    Operation(
        name="list_jobs",
        method="GET",
        path=_JOBS,
        summary="List the jobs of an experiment, oldest first",
        parameters=(START, LIMIT, *FILTERS),
        answers={200: "JobPage"},
        links=tuple(
            (name, _FIRST_JOB) for name in ("get_job", "put_job", "list_attempts", "prune", "retry", "set_queueing")
        ),
    ),
    Operation(
        name="add_job",
        method="POST",
        path=_JOBS,
        summary="Add a job",
        request="NewJob",
        parameters=(OP_KEY,),
        answers={201: "Job"},
        problems=(409, 412),
        etag=True,
        links=tuple((name, _ADDED) for name in ("get_job", "put_job", "list_dependencies", "prune", "delete_job")),
    ),
    Operation(
        name="add_jobs",
        method="POST",
        path=f"{_EXPERIMENT}bulk/",
        summary=f"Add up to {MAX_BULK:,} jobs, all or none",
        request="NewJobs",
        parameters=(OP_KEY,),
        answers={204: None},
        problems=(409, 412),
    ),
    Operation(
        name="put_job",
        method="PUT",
        path=_JOB,
        summary="State a fact: replace a job's document, or create the job",
        request="PutJob",
        parameters=(OP_KEY, MATCH, NONE_MATCH, ATTEMPT_KEY),
        answers={200: "Job", 201: "Job"},
        etag=True,
        links=(("get_job", _THIS), ("list_attempts", _THIS), ("delete_job", _THIS)),
    ),
    Operation(name="get_job", method="GET", path=_JOB, summary="Read a job", answers={200: "Job"}, etag=True),
    Operation(
        name="delete_job",
        method="DELETE",
        path=_JOB,
        summary="Delete a job with its attempts",
        parameters=(OP_KEY, MATCH),
        answers={204: None},
        links=(("get_job", _THIS),),
    ),
    Operation(
        name="list_attempts",
        method="GET",
        path=f"{_JOB}attempts/",
        summary="List the attempts of a job, oldest first",
        answers={200: "Attempts"},
    ),
    Operation(
        name="list_dependencies",
        method="GET",
        path=f"{_JOB}dependencies/",
        summary="List the jobs that a job waits for, oldest first",
        answers={200: "Dependencies"},
    ),
    Operation(
        name="prune",
        method="POST",
        path=f"{_JOB}prune/",
        summary="Make a QUEUED or RUNNING job PRUNED",
        parameters=(OP_KEY,),
        answers={200: "Job"},
        problems=(412,),
        etag=True,
    ),
    Operation(
        name="retry",
        method="POST",
        path=f"{_JOB}retry/",
        summary="Queue a job again that is CRASHED, PRUNED or RUNNING without a lease; its budgets begin anew",
        parameters=(OP_KEY,),
        answers={200: "Job"},
        problems=(412,),
        etag=True,
    ),
    Operation(
        name="set_queueing",
        method="PATCH",
        path=f"{_JOB}queueing/",
        summary="Change the priority, delay, tags or notes of a job, and not its etag",
        request="QueueingChanges",
        parameters=(OP_KEY,),
        answers={200: "Job"},
        etag=True,
    ),
)

_OF_WORKERS: Final = (
    Operation(
        name="claim",
        method="POST",
        path=f"{_EXPERIMENT}claim/",
        summary="Take the next job, or learn why there is none",
        request="ClaimRequest",
        parameters=(OP_KEY,),
        answers={200: "Claim", 204: None},
        problems=(412,),
        links=(("finish", _TAKEN),),
    ),
    Operation(
        name="finish",
        method="POST",
        path=f"{_JOB}finish/",
        summary="End an attempt, and if asked to claim the next job",
        request="FinishRequest",
        parameters=(OP_KEY,),
        answers={200: "Finished"},
        problems=(412,),
    ),
    Operation(
        name="offer",
        method="GET",
        path=f"{_EXPERIMENT}nextjob/",
        summary="Look at a ready job, to claim it by a guarded PUT",
        parameters=(OP_KEY,),
        answers={200: "Job", 204: None},
        etag=True,
    ),
    Operation(
        name="heartbeat",
        method="POST",
        path=f"{BASE}heartbeat/",
        summary="Renew the leases of attempts",
        request="HeartbeatRequest",
        answers={200: "Beats"},
    ),
)

_OF_OPERATORS: Final = (
    Operation(
        name="health",
        method="GET",
        path="/healthz",
        summary="Tell that the server runs",
        answers={200: "Health"},
        secured=False,
    ),
    Operation(
        name="ready",
        method="GET",
        path="/readyz",
        summary="Tell that the server reaches its store",
        answers={200: "Health"},
        problems=(503,),
        secured=False,
    ),
)

#: Every operation by its name; those that workers call most come first.
OPERATIONS: Final[Mapping[str, Operation]] = {
    each.name: each for each in (*_OF_WORKERS, *_OF_JOBS, *_OF_EXPERIMENTS, *_LOGIN, *_OF_OPERATORS)
}
