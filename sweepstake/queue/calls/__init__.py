"""Every verb of the queue, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sweepstake.queue.call import Call
from sweepstake.queue.calls.experiments import (
    CountJobs,
    DeleteExperiment,
    ExportPage,
    GetExperiment,
    ListExperiments,
    PutExperiment,
    TakePart,
)
from sweepstake.queue.calls.jobs import (
    AddJob,
    AddJobs,
    DeleteJob,
    ExplainJob,
    GetJob,
    ListAttempts,
    ListDependencies,
    ListJobs,
    PruneJob,
    PutJob,
    RetryJob,
    SetQueueing,
)
from sweepstake.queue.calls.workers import ClaimJob, FinishAttempt, Heartbeat, OfferJob, Ping

__all__ = [
    "CALLS",
    "AddJob",
    "AddJobs",
    "ClaimJob",
    "CountJobs",
    "DeleteExperiment",
    "DeleteJob",
    "ExplainJob",
    "ExportPage",
    "FinishAttempt",
    "GetExperiment",
    "GetJob",
    "Heartbeat",
    "ListAttempts",
    "ListDependencies",
    "ListExperiments",
    "ListJobs",
    "OfferJob",
    "Ping",
    "PruneJob",
    "PutExperiment",
    "PutJob",
    "RetryJob",
    "SetQueueing",
    "TakePart",
]

#: Every verb by the name of its operation.
CALLS: Final[Mapping[str, type[Call[Any]]]] = {
    kind.operation.name: kind
    for kind in (
        ClaimJob,
        FinishAttempt,
        OfferJob,
        Heartbeat,
        ListJobs,
        AddJob,
        AddJobs,
        PutJob,
        GetJob,
        DeleteJob,
        ListAttempts,
        ListDependencies,
        PruneJob,
        RetryJob,
        SetQueueing,
        ExplainJob,
        ListExperiments,
        PutExperiment,
        GetExperiment,
        DeleteExperiment,
        CountJobs,
        ExportPage,
        TakePart,
        Ping,
    )
}
