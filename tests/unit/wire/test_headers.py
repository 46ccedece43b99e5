"""Guards as headers."""

import pytest

from sweepstake.domain.records import ABSENT, PRESENT, UNGUARDED, Guard
from sweepstake.errors import InvalidInputError
from sweepstake.wire.headers import guard_headers, read_guard


@pytest.mark.parametrize("guard", [UNGUARDED, ABSENT, PRESENT, Guard.match("a"), Guard.match("a", "b.1")])
def test_reading_undoes_writing(guard: Guard) -> None:
    """A guard survives its way through headers, whose names come in lower case."""
    headers = {name.lower(): value for name, value in guard_headers(guard).items()}
    assert read_guard(headers) == guard


def test_weak_etags_never_match() -> None:
    """A proxy that weakened an etag changed the document for all we know."""
    assert read_guard({"if-match": 'W/"a", "b"'}) == Guard.match("b")
    assert read_guard({"if-match": 'W/"a"'}) == Guard.match()


def test_guards_that_contradict_each_other_never_hold() -> None:
    """Nothing can have an etag and not be there."""
    assert read_guard({"if-match": "*", "if-none-match": "*"}) == Guard.match()


@pytest.mark.parametrize(
    "headers",
    [
        {"if-match": "abc"},
        {"if-match": ""},
        {"if-match": '"a" "b"'},
        {"if-match": '*, "a"'},
        {"if-match": '"é"'},
        {"if-none-match": '"a"'},
    ],
)
def test_what_is_no_guard_is_refused(headers: dict[str, str]) -> None:
    """A guard that cannot be read must not be passed over: the write would be unsafe."""
    with pytest.raises(InvalidInputError, match="If-"):
        read_guard(headers)
