"""Every verb of the queue, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sweepstake.queue.call import Call
from sweepstake.queue.calls.batches import ClaimJobs, FinishAttempts
from sweepstake.queue.calls.experiments import (
    CountJobs,
    DeleteExperiment,
    ExportPage,
    GetExperiment,
    ListExperiments,
    PutExperiment,
    TakePart,
)
from sweepstake.queue.calls.files import (
    AppendLog,
    AskFiles,
    GetContent,
    GetLog,
    KeepFiles,
    ListFiles,
    PutContent,
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
    StopJobs,
)
from sweepstake.queue.calls.specs import GetSpec, PutSpec
from sweepstake.queue.calls.users import (
    CreateToken,
    ExchangeToken,
    GetAccess,
    ListTokens,
    LogIn,
    ResetTokens,
    RevokeToken,
    ShareExperiment,
    UnshareExperiment,
)
from sweepstake.queue.calls.workers import ClaimJob, FinishAttempt, Heartbeat, ListWorkers, OfferJob, Ping

__all__ = [
    "CALLS",
    "LOGINS",
    "AddJob",
    "AddJobs",
    "AppendLog",
    "AskFiles",
    "ClaimJob",
    "ClaimJobs",
    "CountJobs",
    "CreateToken",
    "DeleteExperiment",
    "DeleteJob",
    "ExchangeToken",
    "ExplainJob",
    "ExportPage",
    "FinishAttempt",
    "FinishAttempts",
    "GetAccess",
    "GetContent",
    "GetExperiment",
    "GetJob",
    "GetLog",
    "GetSpec",
    "Heartbeat",
    "KeepFiles",
    "ListAttempts",
    "ListDependencies",
    "ListExperiments",
    "ListFiles",
    "ListJobs",
    "ListTokens",
    "ListWorkers",
    "LogIn",
    "OfferJob",
    "Ping",
    "PruneJob",
    "PutContent",
    "PutExperiment",
    "PutJob",
    "PutSpec",
    "ResetTokens",
    "RetryJob",
    "RevokeToken",
    "SetQueueing",
    "ShareExperiment",
    "StopJobs",
    "TakePart",
    "UnshareExperiment",
]

#: Every verb that a store does, by the name of its operation.
CALLS: Final[Mapping[str, type[Call[Any]]]] = {
    kind.operation.name: kind
    for kind in (
        ClaimJob,
        FinishAttempt,
        ClaimJobs,
        FinishAttempts,
        OfferJob,
        Heartbeat,
        ListWorkers,
        ListJobs,
        AddJob,
        AddJobs,
        PutJob,
        GetJob,
        DeleteJob,
        ListAttempts,
        ListDependencies,
        PruneJob,
        StopJobs,
        RetryJob,
        SetQueueing,
        ExplainJob,
        ListExperiments,
        PutExperiment,
        GetExperiment,
        DeleteExperiment,
        CountJobs,
        PutSpec,
        GetSpec,
        ExportPage,
        TakePart,
        AskFiles,
        ListFiles,
        KeepFiles,
        PutContent,
        GetContent,
        AppendLog,
        GetLog,
        ResetTokens,
        ListTokens,
        CreateToken,
        RevokeToken,
        GetAccess,
        ShareExperiment,
        UnshareExperiment,
        Ping,
    )
}
#: The verbs that only a server does: it signs, and checks passwords.
LOGINS: Final[tuple[type[Call[Any]], ...]] = (ExchangeToken, LogIn)
