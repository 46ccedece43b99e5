"""Errors as Problem Details, and back."""

import inspect

import pytest

from sweepstake import errors
from sweepstake.codec import to_tree
from sweepstake.errors import (
    AuthenticationError,
    ClientRequestError,
    InvalidInputError,
    NoJobError,
    ReauthenticateError,
    ServerError,
    StoreUnavailableError,
    SweepstakeError,
    UnhandledResponseError,
    UnsafeUpdateError,
)
from sweepstake.wire.problems import STATUSES, error_of, is_problem, problem_of

CLIENT_ERRORS = [
    error for _, error in inspect.getmembers(errors, inspect.isclass) if issubclass(error, ClientRequestError)
]


def _example(kind: type[ClientRequestError]) -> ClientRequestError:
    if kind is InvalidInputError:
        return InvalidInputError([("results.a[0]", "is no number"), ("", "is wrong")])
    if kind is NoJobError:
        return NoJobError("nothing", "delayed")
    return kind("what happened")


@pytest.mark.parametrize("kind", CLIENT_ERRORS)
def test_every_client_error_survives_the_wire(kind: type[ClientRequestError]) -> None:
    """It arrives as the same class, saying the same."""
    error = _example(kind)
    problem = problem_of(error)
    arrived = error_of(problem.status, to_tree(problem))
    assert type(arrived) is kind
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)


def test_every_client_error_has_a_status_of_its_kind() -> None:
    """The table is complete, and Schedy's client understands its statuses."""
    assert set(STATUSES) == set(CLIENT_ERRORS)
    assert all(400 <= status < 500 for status in STATUSES.values())
    assert (STATUSES[AuthenticationError], STATUSES[ReauthenticateError]) == (403, 401)
    assert all(STATUSES[kind] == 412 for kind in CLIENT_ERRORS if issubclass(kind, UnsafeUpdateError))


@pytest.mark.parametrize("error", [ServerError("secret"), StoreUnavailableError("secret")])
def test_what_happened_inside_stays_inside(error: SweepstakeError) -> None:
    """A server's failure is told without its details."""
    problem = problem_of(error)
    assert problem.status in (500, 503)
    assert "secret" not in str(to_tree(problem))


@pytest.mark.parametrize(
    "status, kind",
    [
        (401, ReauthenticateError),
        (403, AuthenticationError),
        (412, UnsafeUpdateError),
        (418, ClientRequestError),
        (429, StoreUnavailableError),
        (500, ServerError),
        (502, StoreUnavailableError),
        (503, StoreUnavailableError),
        (302, UnhandledResponseError),
    ],
)
@pytest.mark.parametrize("tree", [{}, {"type": 3, "detail": None}, {"type": "urn:sweepstake:problem:new"}])
def test_problems_of_newer_versions_are_understood_by_status(
    status: int, kind: type[SweepstakeError], tree: dict[str, object]
) -> None:
    """Without a kind that we know, the status alone says what it is."""
    assert type(error_of(status, tree)) is kind


@pytest.mark.parametrize(
    "tree",
    [None, [], "urn:sweepstake:problem:x", {}, {"type": 3}, {"type": "about:blank"}, {"type": "urn:x:y"}],
)
def test_a_problem_of_somebody_else_is_not_ours(tree: object) -> None:
    """Only our own kinds say what became of a call."""
    assert not is_problem(tree)
    assert is_problem({"type": "urn:sweepstake:problem:not-found"})


def test_a_server_asks_for_patience() -> None:
    """The wait that it asks for arrives with the error."""
    error = error_of(503, {}, 7.0)
    assert isinstance(error, StoreUnavailableError)
    assert error.retry_after == 7.0
