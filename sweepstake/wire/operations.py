"""Every call that a server answers, as one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sweepstake.domain.access import Role
from sweepstake.ports import MAX_BULK
from sweepstake.wire.bodies import MAX_BEATS
from sweepstake.wire.operation import BASE, Operation
from sweepstake.wire.parameters import (
    ATTEMPT_KEY,
    FILTERS,
    FORCE,
    LIMIT,
    MATCH,
    NONE_MATCH,
    ON_DUPLICATE,
    OP_KEY,
    START,
)
from sweepstake.wire.users import OF_USERS

__all__ = ["OPERATIONS"]

#: How many values bodies hold at most. Marks in texts count as well: a worker's name may hold 255 commas.
_FEW: Final = 1000
_BEATS: Final = MAX_BEATS + 10
#: Notes may hold 65,536 commas, 64 tags as many as fit.
_LABELS: Final = 100_000
_DEFINITION: Final = 200_000
#: 8 MiB of digits and commas, for hyperparameters and for results, and as much output and reason as people read.
_ONE_JOB: Final = 10_000_000
_ANY: Final = 40_000_000

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

_OF_EXPERIMENTS: Final = (
    Operation(
        name="list_experiments",
        method="GET",
        path=_EXPERIMENTS,
        role=Role.READ,
        summary="List the experiments, oldest first",
        parameters=(START, LIMIT),
        answers={200: "ExperimentPage"},
        links=tuple((name, _FIRST) for name in ("get_experiment", "put_experiment", "add_job", "list_jobs", "claim")),
    ),
    Operation(
        name="put_experiment",
        makes="name",
        method="PUT",
        path=_EXPERIMENT,
        role=Role.ADMIN,
        fenced=False,
        summary="Create an experiment, or replace its definition",
        request="PutExperiment",
        values=_DEFINITION,
        parameters=(OP_KEY, MATCH, NONE_MATCH),
        answers={200: "Experiment", 201: "Experiment"},
        etag=True,
        links=(("get_experiment", _NAME), ("add_job", _NAME), ("claim", _NAME), ("delete_experiment", _NAME)),
    ),
    Operation(
        name="get_experiment",
        method="GET",
        path=_EXPERIMENT,
        role=Role.READ,
        summary="Read an experiment",
        answers={200: "Experiment"},
        etag=True,
    ),
    Operation(
        name="delete_experiment",
        method="DELETE",
        path=_EXPERIMENT,
        role=Role.ADMIN,
        fenced=False,
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
        role=Role.READ,
        summary="Count the jobs of an experiment by state",
        answers={200: "Counts"},
    ),
    Operation(
        name="export",
        method="GET",
        path=f"{_EXPERIMENT}export/",
        summary="Read part of all that is kept of an experiment: jobs with attempts, dependencies, events",
        parameters=(START,),
        role=Role.READ,
        long=True,
        answers={200: "ExportPage"},
    ),
    Operation(
        name="import_part",
        makes="name",
        method="POST",
        path=f"{_EXPERIMENT}import/",
        summary="Take part of an experiment from elsewhere; the last part makes all of it visible",
        request="ImportPart",
        values=_ANY,
        role=Role.ADMIN,
        fenced=False,
        long=True,
        answers={204: None},
        problems=(409, 412),
    ),
)

_OF_JOBS: Final = (
    Operation(
        name="list_jobs",
        method="GET",
        path=_JOBS,
        role=Role.READ,
        summary="List the jobs of an experiment, oldest first",
        parameters=(START, LIMIT, *FILTERS),
        long=True,
        answers={200: "JobPage"},
        links=tuple(
            (name, _FIRST_JOB)
            for name in ("get_job", "put_job", "list_attempts", "why", "prune", "retry", "set_queueing")
        ),
    ),
    Operation(
        name="add_job",
        method="POST",
        path=_JOBS,
        role=Role.WORK,
        summary="Add a job; 200 answers with the one that has its hyperparameters, if it was left out",
        request="NewJob",
        values=_ONE_JOB,
        parameters=(OP_KEY, ON_DUPLICATE),
        answers={201: "Job", 200: "Job"},
        problems=(409, 412),
        etag=True,
        links=tuple((name, _ADDED) for name in ("get_job", "put_job", "list_dependencies", "prune", "delete_job")),
    ),
    Operation(
        name="add_jobs",
        method="POST",
        path=f"{_EXPERIMENT}bulk/",
        role=Role.WORK,
        summary=f"Add up to {MAX_BULK:,} jobs, all or none; 200 tells which were left out",
        request="NewJobs",
        values=_ANY,
        parameters=(OP_KEY, ON_DUPLICATE),
        long=True,
        answers={200: "Added", 204: None},
        problems=(409, 412),
    ),
    Operation(
        name="put_job",
        makes="id",
        method="PUT",
        path=_JOB,
        role=Role.WORK,
        summary="State a fact: replace a job's document, or create the job",
        request="PutJob",
        values=_ONE_JOB,
        parameters=(OP_KEY, MATCH, NONE_MATCH, ATTEMPT_KEY),
        answers={200: "Job", 201: "Job"},
        etag=True,
        links=(("get_job", _THIS), ("list_attempts", _THIS), ("delete_job", _THIS)),
    ),
    Operation(
        name="get_job",
        method="GET",
        path=_JOB,
        role=Role.READ,
        summary="Read a job",
        answers={200: "Job"},
        etag=True,
    ),
    Operation(
        name="delete_job",
        method="DELETE",
        path=_JOB,
        role=Role.ADMIN,
        summary="Delete a job with its attempts",
        parameters=(OP_KEY, MATCH),
        answers={204: None},
        links=(("get_job", _THIS),),
    ),
    Operation(
        name="list_attempts",
        method="GET",
        path=f"{_JOB}attempts/",
        role=Role.READ,
        summary="List the attempts of a job, oldest first",
        answers={200: "Attempts"},
    ),
    Operation(
        name="list_dependencies",
        method="GET",
        path=f"{_JOB}dependencies/",
        role=Role.READ,
        summary="List the jobs that a job waits for, oldest first",
        answers={200: "Dependencies"},
    ),
    Operation(
        name="prune",
        method="POST",
        path=f"{_JOB}prune/",
        role=Role.WORK,
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
        role=Role.WORK,
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
        role=Role.WORK,
        summary="Change the priority, delay, tags or notes of a job, and not its etag",
        request="QueueingChanges",
        values=_LABELS,
        parameters=(OP_KEY,),
        answers={200: "Job"},
        etag=True,
    ),
    Operation(
        name="why",
        method="GET",
        path=f"{_JOB}why/",
        role=Role.READ,
        summary="Say in one sentence why a job is not running",
        answers={200: "Why"},
    ),
)

_OF_WORKERS: Final = (
    Operation(
        name="claim",
        method="POST",
        path=f"{_EXPERIMENT}claim/",
        role=Role.WORK,
        summary="Take the next job, or learn why there is none",
        request="ClaimRequest",
        values=_FEW,
        parameters=(OP_KEY,),
        answers={200: "Claim", 204: None},
        problems=(412,),
        links=(("finish", _TAKEN),),
    ),
    Operation(
        name="finish",
        method="POST",
        path=f"{_JOB}finish/",
        role=Role.WORK,
        summary="End an attempt, and if asked to claim the next job",
        request="FinishRequest",
        values=_ONE_JOB,
        parameters=(OP_KEY,),
        answers={200: "Finished"},
        problems=(412,),
    ),
    Operation(
        name="offer",
        method="GET",
        path=f"{_EXPERIMENT}nextjob/",
        role=Role.WORK,
        summary="Look at a ready job, to claim it by a guarded PUT",
        parameters=(OP_KEY,),
        answers={200: "Job", 204: None},
        etag=True,
    ),
    Operation(
        name="heartbeat",
        method="POST",
        path=f"{BASE}heartbeat/",
        role=Role.WORK,
        summary="Renew the leases of attempts",
        request="HeartbeatRequest",
        values=_BEATS,
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
        role=None,
        at_once=True,
    ),
    Operation(
        name="ready",
        method="GET",
        path="/readyz",
        summary="Tell that the server reaches its store",
        answers={200: "Health"},
        problems=(503,),
        role=None,
    ),
)

#: Every operation by its name; those that workers call most come first.
OPERATIONS: Final[Mapping[str, Operation]] = {
    each.name: each for each in (*_OF_WORKERS, *_OF_JOBS, *_OF_EXPERIMENTS, *OF_USERS, *_OF_OPERATORS)
}
