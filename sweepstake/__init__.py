"""Sweepstake: a job queue for hyperparameter sweeps.

::

    import sweepstake

    exp = sweepstake.connect().get_experiment("mnist")
    with exp.next_job() as job:
        job.results["accuracy"] = train(**job.hyperparameters)
"""

from importlib import import_module as _import_module
from typing import Any as _Any

from sweepstake import errors
from sweepstake.client import (
    CurrentJob,
    Database,
    Experiment,
    GridSearch,
    Job,
    JobIds,
    ManualSearch,
    NewJob,
    PopulationBasedTraining,
    RandomSearch,
    current_job,
)
from sweepstake.client.searches import CLASSES as _CLASSES
from sweepstake.connection import connect
from sweepstake.domain.settings import Settings
from sweepstake.errors import (
    AmbiguousNameError,
    AuthenticationError,
    BatchLostError,
    ClientRequestError,
    ConfigurationError,
    FrozenSettingsError,
    FrozenSpecError,
    HeldJobError,
    InvalidInputError,
    KeyReusedError,
    LeaseLostError,
    LimitReachedError,
    LiveBatchError,
    LiveLeasesError,
    MissingExtraError,
    NoJobError,
    NotFoundError,
    OutOfRangeError,
    PlanError,
    PruneJob,
    ReauthenticateError,
    ResourceExistsError,
    ServerError,
    SpecError,
    SpoolError,
    StoreRefusedError,
    StoreUnavailableError,
    SubmissionError,
    SubmissionLostError,
    SweepstakeError,
    TooManyTriesError,
    UnhandledResponseError,
    UnsafeUpdateError,
    UnusableFolderError,
)
from sweepstake.search import Choice, Constant, Grid, LogUniform, Normal, Perturb, Truncate, Uniform

__all__ = [
    "AmbiguousNameError",
    "AuthenticationError",
    "BatchLostError",
    "Choice",
    "ClientRequestError",
    "ConfigurationError",
    "Constant",
    "CurrentJob",
    "Database",
    "Experiment",
    "FrozenSettingsError",
    "FrozenSpecError",
    "Grid",
    "GridSearch",
    "HeldJobError",
    "InvalidInputError",
    "Job",
    "JobIds",
    "KeyReusedError",
    "LeaseLostError",
    "LimitReachedError",
    "LiveBatchError",
    "LiveLeasesError",
    "LogUniform",
    "ManualSearch",
    "MissingExtraError",
    "NewJob",
    "NoJobError",
    "Normal",
    "NotFoundError",
    "OutOfRangeError",
    "Perturb",
    "PlanError",
    "PopulationBasedTraining",
    "PruneJob",
    "RandomSearch",
    "ReauthenticateError",
    "ResourceExistsError",
    "ServerError",
    "Settings",
    "SpecError",
    "SpoolError",
    "StoreRefusedError",
    "StoreUnavailableError",
    "SubmissionError",
    "SubmissionLostError",
    "SweepstakeError",
    "TooManyTriesError",
    "Truncate",
    "UnhandledResponseError",
    "Uniform",
    "UnsafeUpdateError",
    "UnusableFolderError",
    "connect",
    "current_job",
    "errors",
]

# A search of the table whose class is not written out has one all the same.
_MORE = {each.__name__: each for each in _CLASSES.values() if each.__name__ not in __all__}
globals().update(_MORE)
__all__ += list(_MORE)


def __getattr__(name: str) -> _Any:
    """Import what few scripts need when it is asked for: `sweepstake.batch`."""
    if name == "batch":
        return _import_module("sweepstake.batch")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
