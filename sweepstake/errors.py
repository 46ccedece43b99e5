"""Every error that Sweepstake raises, under one root.

::

    SweepstakeError
    ├── ClientRequestError            what was asked for cannot be done as it stands
    │   ├── InvalidInputError         (also ValueError) a field is wrong; names it by path
    │   ├── NotFoundError             (also LookupError) no such experiment or job
    │   ├── OutOfRangeError           a file does not have the bytes that were asked for
    │   ├── AmbiguousNameError        a name means several experiments; lists them
    │   ├── ResourceExistsError       a create found the name or id taken
    │   ├── UnsafeUpdateError         a guard failed: somebody else wrote first
    │   │   ├── LeaseLostError        the attempt is over; its results were kept as late
    │   │   └── BatchLostError        a batch is not, or no more, for the allocation that asks to begin it
    │   ├── NoJobError                nothing to claim; says why
    │   ├── LimitReachedError         max_jobs or max_running allows no more
    │   ├── LiveLeasesError           workers still hold jobs of what should be deleted
    │   ├── LiveBatchError            a job is under way in a batch already
    │   ├── KeyReusedError            an op key came back on another call
    │   ├── AuthenticationError       the credentials are wrong, or may not do this
    │   ├── ReauthenticateError       the credentials have expired
    │   └── TooManyTriesError         too many passwords were tried; says how long to wait
    ├── ServerError                   the server or store failed at a call
    │   └── StoreUnavailableError     (also ConnectionError) away for now: worth trying again
    ├── UnhandledResponseError        an answer that this version does not understand
    ├── StoreRefusedError             the store must not be used as it is (schema, file system)
    ├── SpoolError                    the spool on this machine's disk cannot be read or written
    ├── UnusableFolderError           (also OSError) a folder on this machine is full, read-only or another's
    ├── ConfigurationError            (also ValueError) a setting, URL or file is wrong
    ├── FrozenSettingsError           (also AttributeError) settings were assigned to; `update` changes them
    ├── SpecError                     (also ValueError) a spec is wrong; lists every fault with its place
    ├── FrozenSpecError               (also AttributeError, TypeError) a spec was assigned to; names the `with_*` to use
    ├── SubmissionError               a scheduler refused what it was asked for, or did not answer
    │   └── SubmissionLostError       whether it took that is not known: its answer was lost
    ├── PlanError                     (also ValueError) jobs cannot be planned as they stand; names the guilty
    ├── HeldJobError                  (also TypeError) a job that is held here cannot be copied or sent
    ├── MissingExtraError             (also ImportError) an optional package is not installed
    └── PruneJob                      raised by *user* code in a block: stop, mark PRUNED
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import Any, ClassVar, Final, NamedTuple, Self

from sweepstake.plaintext import printable, with_article

__all__ = [
    "AmbiguousNameError",
    "AuthenticationError",
    "BatchLostError",
    "ClientRequestError",
    "ConfigurationError",
    "FrozenSettingsError",
    "FrozenSpecError",
    "HeldJobError",
    "InvalidInputError",
    "KeyReusedError",
    "LeaseLostError",
    "LimitReachedError",
    "LiveBatchError",
    "LiveLeasesError",
    "MissingExtraError",
    "NoJobError",
    "NotFoundError",
    "OutOfRangeError",
    "PlanError",
    "PruneJob",
    "ReauthenticateError",
    "ResourceExistsError",
    "ServerError",
    "SpecError",
    "SpoolError",
    "StoreRefusedError",
    "StoreUnavailableError",
    "SubmissionError",
    "SubmissionLostError",
    "SweepstakeError",
    "TooManyTriesError",
    "UnhandledResponseError",
    "UnsafeUpdateError",
    "UnusableFolderError",
]


_reprs: Final = reprlib.Repr()
_reprs.maxstring = _reprs.maxother = _reprs.maxlong = 80


def shown(value: object) -> str:
    """Return a value of a user's as short text for a message, whatever it is."""
    try:
        return printable(_reprs.repr(value))
    except Exception:  # noqa: BLE001 -- somebody else's code says how its objects look; the message must not fail with it
        return with_article(type(value).__name__)


class SweepstakeError(Exception):
    """Root of all errors raised by Sweepstake."""


class ClientRequestError(SweepstakeError):
    """What was asked for cannot be done as it stands; trying again will not help."""

    #: The word for this error on the wire: the last part of a problem's `type`.
    slug: ClassVar[str] = "request"


class InvalidInputError(ClientRequestError, ValueError):
    """One or more fields of the input are wrong; nothing was sent or changed.

    Attributes:
        problems: pairs of the field's path (such as ``hyperparameters.layers[2]``)
            and what is wrong with it.
    """

    slug = "invalid-input"

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{path}: {problem}" if path else problem for path, problem in self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the error be pickled, such as by a pool of processes: it is made anew from its problems."""
        return type(self), (self.problems,), self.__dict__

    @classmethod
    def at(cls, path: str, problem: str) -> InvalidInputError:
        """Make the error for a single field."""
        return cls([(path, problem)])

    def under(self, prefix: str) -> InvalidInputError:
        """Return the same error with every path moved below `prefix`."""
        return InvalidInputError((_join(prefix, path), problem) for path, problem in self.problems)


def _join(prefix: str, path: str) -> str:
    if not path or path.startswith("["):
        return prefix + path
    return f"{prefix}.{path}"


class NotFoundError(ClientRequestError, LookupError):
    """There is no experiment or job of that name or id."""

    slug = "not-found"


class OutOfRangeError(ClientRequestError):
    """A file or an output does not have the bytes that were asked for."""

    slug = "out-of-range"


class AmbiguousNameError(ClientRequestError):
    """Several experiments have that name; the message lists them as `owner/name`, which says which is meant."""

    slug = "ambiguous-name"


class ResourceExistsError(ClientRequestError):
    """An experiment or job of that name or id exists already."""

    slug = "exists"


class UnsafeUpdateError(ClientRequestError):
    """Somebody else changed the document since it was read, so nothing was written."""

    slug = "unsafe-update"


class LeaseLostError(UnsafeUpdateError):
    """The attempt was over when its holder reported; the results were kept as late results."""

    slug = "lease-lost"


class BatchLostError(UnsafeUpdateError):
    """A batch is over, or another allocation has begun it, so there is nothing to do for the one that asks."""

    slug = "batch-lost"


class NoJobError(ClientRequestError):
    """There is no job to claim now.

    Attributes:
        reason: one of `sweepstake.domain.NoJobReason`: why there is none.
    """

    slug = "no-job"

    def __init__(self, message: str, reason: str) -> None:
        self.reason = reason
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the error be pickled, such as by a pool of processes: it is made anew with its reason."""
        return type(self), (str(self), self.reason), self.__dict__


class LimitReachedError(ClientRequestError):
    """A limit of the experiment (`max_jobs`, `max_running`) allows no more."""

    slug = "limit-reached"


class LiveLeasesError(ClientRequestError):
    """Workers still hold jobs of the experiment; deleting it needs `force=True`."""

    slug = "live-leases"


class LiveBatchError(ClientRequestError):
    """A batch is under way already, or one of its jobs is in another that is."""

    slug = "live-batch"


class KeyReusedError(ClientRequestError):
    """An op key was used before for another verb or resource."""

    slug = "key-reused"


class AuthenticationError(ClientRequestError):
    """The credentials are wrong, or they do not allow this."""

    slug = "authentication"


class ReauthenticateError(ClientRequestError):
    """The credentials have expired; authenticate again."""

    slug = "reauthenticate"


class TooManyTriesError(ClientRequestError):
    """Too many passwords were tried in vain; wait before the next.

    Attributes:
        retry_after: seconds to wait, if the server said so.
    """

    slug = "too-many-tries"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class ServerError(SweepstakeError):
    """The server or the store failed at a call that was in order."""


class StoreUnavailableError(ServerError, ConnectionError):
    """The store or the server is away for now; the call may be tried again.

    Attributes:
        retry_after: seconds the other side asked to wait, if it did.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class UnhandledResponseError(SweepstakeError):
    """The server answered something that this version does not understand."""


class StoreRefusedError(SweepstakeError):
    """The store must not be used as it is: a newer schema, or a file on a network file system."""


class SpoolError(SweepstakeError):
    """Reports that no store has taken cannot be kept on this machine's disk, or cannot be read from there."""


class UnusableFolderError(SweepstakeError, OSError):
    """A folder on this machine cannot be used: its disk is full or read-only, or it belongs to another user.

    No fault of the job's: one whose block is left with this error goes back to the queue.
    """


class ConfigurationError(SweepstakeError, ValueError):
    """A setting, a store URL or a configuration file is wrong."""


class FrozenSettingsError(SweepstakeError, AttributeError):
    """Settings were assigned to; `Experiment.update` changes those that it names, and nothing else."""


class SpecFault(NamedTuple):
    """One thing that is wrong in a spec.

    Attributes:
        path: the place in the spec, such as ``tasks[2].resources.gpuCount``; empty for the whole.
        problem: what is wrong there.
        line: where that is in its file, from 1; None if the spec was not read from a file.
        column: where that is in its line, from 1.
        file: the file, as it was named by who had it read.
    """

    path: str
    problem: str
    line: int | None = None
    column: int | None = None
    file: str | None = None

    def __str__(self) -> str:
        """Return the fault as compilers write theirs: ``FILE:LINE:COLUMN: PATH: PROBLEM``."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return ": ".join(part for part in (place, self.path, self.problem) if part)


class SpecError(SweepstakeError, ValueError):
    """A spec is wrong; nothing was made of it. The message has a line for each fault.

    Attributes:
        faults: every fault that was found, in the order of the file.
    """

    def __init__(self, faults: Iterable[SpecFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the error cross from a process of a pool to another, as `InvalidInputError` does."""
        return type(self), (self.faults,), self.__dict__

    @classmethod
    def at(cls, path: str, problem: str) -> SpecError:
        """Make the error for a single fault."""
        return cls([SpecFault(path, problem)])


class FrozenSpecError(SweepstakeError, AttributeError, TypeError):
    """A spec, or a part of one, was assigned to; the message names the `with_*` that returns a changed copy."""


class SubmissionError(SweepstakeError):
    """A cluster's scheduler refused what it was asked for, or did not answer; the message has its own words."""


class SubmissionLostError(SubmissionError):
    """Nobody knows whether a scheduler took what it was asked for: its answer was lost.

    What was intended stands, and is looked for by its name by whoever comes next.
    """


class PlanError(SweepstakeError, ValueError):
    """Jobs cannot be planned into batches as they stand; the message names what is guilty and nothing else.

    Attributes:
        jobs: ids of the jobs that are guilty; empty where it is a setting.
        faults: what is wrong with each of them, where that is a matter of its own.
    """

    def __init__(self, message: str, jobs: Iterable[str] = (), faults: Iterable[tuple[str, str]] = ()) -> None:
        self.jobs = tuple(jobs)
        self.faults = tuple(faults)
        super().__init__(message)

    @property
    def in_short(self) -> str:
        """The message with one job of those that have the same fault, and how many others there are."""
        alike: dict[str, list[str]] = {}
        for job, fault in self.faults:
            alike.setdefault(fault, []).append(job)
        return "; ".join(_few(jobs, fault) for fault, jobs in alike.items()) or str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the error be pickled, such as by a pool of processes: it is made anew with its jobs."""
        return type(self), (str(self), self.jobs, self.faults), self.__dict__


def _few(jobs: list[str], fault: str) -> str:
    others = f" and {len(jobs) - 1:,} other{'s' * (len(jobs) > 2)}" if len(jobs) > 1 else ""
    return f"job {jobs[0]!r}{others}: {fault}"


class HeldJobError(SweepstakeError, TypeError):
    """A job that this process holds cannot be copied or sent to another: a job has one holder."""


class MissingExtraError(SweepstakeError, ImportError):
    """An optional package is missing; the message holds the command that installs it."""

    @classmethod
    def of(cls, problem: str, extra: str) -> Self:
        """Return the error that says which extra of Sweepstake to install.

        Args:
            problem: what needs it, as in "to_frame() needs pandas".
            extra: one of the extras in setup.cfg.
        """
        return cls(f"{problem}. In your clone of Sweepstake: pip install '.[{extra}]'")


class PruneJob(SweepstakeError):  # noqa: N818 -- a request of the user's code, not a failure
    """Raise inside a job's block to stop working on it: the job becomes PRUNED."""
