"""Errors as Problem Details (RFC 9457), and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from attrs import field, frozen

from sweepstake.domain.schema import OMIT_DEFAULT
from sweepstake.domain.status import NoJobReason
from sweepstake.errors import (
    AmbiguousNameError,
    AuthenticationError,
    BatchLostError,
    ClientRequestError,
    InvalidInputError,
    KeyReusedError,
    LeaseLostError,
    LimitReachedError,
    LiveBatchError,
    LiveLeasesError,
    NoJobError,
    NotFoundError,
    OutOfRangeError,
    ReauthenticateError,
    ResourceExistsError,
    ServerError,
    StoreUnavailableError,
    SweepstakeError,
    TooManyTriesError,
    UnhandledResponseError,
    UnsafeUpdateError,
)
from sweepstake.plaintext import printable, printable_lines

__all__ = [
    "NO_SUCH_PATH",
    "PROBLEM_TYPE",
    "STATUSES",
    "FieldProblem",
    "Problem",
    "error_of",
    "is_problem",
    "problem_of",
]

#: The media type of a problem.
PROBLEM_TYPE: Final = "application/problem+json"
#: How a server, of whatever version, begins to say that it has no such call.
NO_SUCH_PATH: Final = "there is no such path"
_URN: Final = "urn:sweepstake:problem:"

#: The most characters of a detail and of what is said of a field, and the most fields.
_MAX_DETAIL: Final = 8192
_MAX_FIELD: Final = 1024
_MAX_FIELDS: Final = 51
#: Every class of error that a client can meet, with its HTTP status.
STATUSES: Final[Mapping[type[ClientRequestError], int]] = {
    ClientRequestError: 400,
    InvalidInputError: 422,
    NotFoundError: 404,
    OutOfRangeError: 416,
    AmbiguousNameError: 409,
    ResourceExistsError: 412,
    UnsafeUpdateError: 412,
    LeaseLostError: 412,
    BatchLostError: 412,
    NoJobError: 404,
    LimitReachedError: 409,
    LiveLeasesError: 409,
    LiveBatchError: 409,
    KeyReusedError: 422,
    AuthenticationError: 403,
    ReauthenticateError: 401,
    TooManyTriesError: 429,
}
_CLASSES: Final = {error.slug: error for error in STATUSES}
_TITLES: Final = {
    "request": "The request cannot be done as it stands",
    "invalid-input": "A field is wrong",
    "not-found": "There is no such thing",
    "out-of-range": "There are no such bytes",
    "ambiguous-name": "The name means several experiments",
    "exists": "It exists already",
    "unsafe-update": "Somebody else wrote first",
    "lease-lost": "The attempt is over",
    "batch-lost": "The batch is not for this allocation",
    "no-job": "There is nothing to claim",
    "limit-reached": "A limit allows no more",
    "live-leases": "Workers still hold jobs",
    "live-batch": "It is under way in a batch",
    "key-reused": "The key was used for another call",
    "authentication": "The credentials are wrong",
    "reauthenticate": "The credentials are missing or have expired",
    "too-many-tries": "Too many tries in vain",
    "unavailable": "The store is away for now",
    "internal": "The server failed",
}


@frozen
class FieldProblem:
    """What is wrong with one field."""

    path: str
    problem: str


@frozen(kw_only=True)
class Problem:
    """The body of every answer that reports an error.

    Attributes:
        type: a URN; its last part is the word for the kind of error.
        errors: the fields that are wrong.
        reason: why there is no job.
    """

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldProblem, ...] | None = field(default=None, metadata=OMIT_DEFAULT)
    reason: NoJobReason | None = field(default=None, metadata=OMIT_DEFAULT)


def problem_of(error: SweepstakeError, status: int | None = None) -> Problem:
    """Return the problem that reports `error`, with `status` instead of the usual one.

    What a server error was about stays in the server's log.
    """
    if not isinstance(error, ClientRequestError):
        away = isinstance(error, StoreUnavailableError)
        slug, usual, detail = (
            ("unavailable", 503, "The store is away for now; try again.")
            if away
            else ("internal", 500, "The server failed; its log says why.")
        )
        return Problem(type=_URN + slug, title=_TITLES[slug], status=status or usual, detail=detail)
    return Problem(
        type=_URN + error.slug,
        title=_TITLES[error.slug],
        status=status or next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES),
        detail=_short(str(error), _MAX_DETAIL),
        errors=_fields(error) if isinstance(error, InvalidInputError) else None,
        reason=NoJobReason(error.reason) if isinstance(error, NoJobError) else None,
    )


def _fields(error: InvalidInputError) -> tuple[FieldProblem, ...]:
    return tuple(
        FieldProblem(_short(path, _MAX_FIELD), _short(problem, _MAX_FIELD))
        for path, problem in error.problems[:_MAX_FIELDS]
    )


def _short(text: str, most: int) -> str:
    """Cut a text that holds more of the request than helps."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def is_problem(tree: Any) -> TypeGuard[Mapping[str, Any]]:
    """Tell whether a body is a problem of ours: whatever stands in between answers in words of its own."""
    return isinstance(tree, dict) and str(tree.get("type")).startswith(_URN)


def error_of(status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> SweepstakeError:
    """Return the error that an answer reports.

    Args:
        status: the HTTP status.
        problem: the body, which `is_problem`.
        retry_after: seconds that the answer asks to wait.
    """
    detail = printable_lines(str(problem.get("detail") or f"the server answered {status} without saying why"))
    kind = _CLASSES.get(str(problem.get("type")).rpartition(":")[2])
    if kind is TooManyTriesError:
        return TooManyTriesError(detail, retry_after)
    if status in (429, 502, 503, 504):
        return StoreUnavailableError(detail, retry_after)
    if status >= 500:
        return ServerError(detail)
    if status < 400:
        return UnhandledResponseError(f"the server answered {status}, which this version does not understand")
    return _make(kind or _BY_STATUS.get(status, ClientRequestError), detail, problem)


#: What a status means when the body's type is of a newer version.
_BY_STATUS: Final[Mapping[int, type[ClientRequestError]]] = {
    401: ReauthenticateError,
    403: AuthenticationError,
    404: NotFoundError,
    412: UnsafeUpdateError,
}


def _make(kind: type[ClientRequestError], detail: str, problem: Mapping[str, Any]) -> ClientRequestError:
    if kind is InvalidInputError:
        errors = problem.get("errors")
        told = errors if _are_fields(errors) else []
        pairs = [(printable(str(each.get("path"))), printable(str(each.get("problem")))) for each in told]
        return InvalidInputError(pairs or [("", detail)])
    if kind is NoJobError:
        return NoJobError(detail, str(problem.get("reason")))
    return kind(detail)


def _are_fields(errors: Any) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(errors, list) and all(isinstance(each, dict) for each in errors)
