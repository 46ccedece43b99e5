"""Headers of requests and answers, and guards as header text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sweepstake.domain.records import ABSENT, PRESENT, UNGUARDED, Guard, GuardKind
from sweepstake.errors import InvalidInputError

__all__ = [
    "ATTEMPT",
    "ETAG",
    "ETAG_LIST_PATTERN",
    "IDEMPOTENCY_KEY",
    "IF_MATCH",
    "IF_NONE_MATCH",
    "REASON",
    "SUPERSEDED",
    "etag_header",
    "guard_headers",
    "read_guard",
]

ETAG: Final = "ETag"
IF_MATCH: Final = "If-Match"
IF_NONE_MATCH: Final = "If-None-Match"
#: The op key of a write.
IDEMPOTENCY_KEY: Final = "Idempotency-Key"
#: The key of the open attempt, sent by its holder with a PUT of the job.
ATTEMPT: Final = "Sweepstake-Attempt"
#: Answered `true` when a repeated PUT was made once, and somebody else has written since.
SUPERSEDED: Final = "Sweepstake-Superseded"

#: Why there is nothing to claim, or to show.
REASON: Final = "Sweepstake-Reason"

_ETAG: Final = r'(W/)?"[!#-~]*"'
#: What `If-Match` may say, if not `*`.
ETAG_LIST_PATTERN: Final = f"{_ETAG}( *, *{_ETAG})*"
_LIST: Final = re.compile(ETAG_LIST_PATTERN)
_STRONG: Final = re.compile(r'(W/)?"([!#-~]*)"')


def etag_header(etag: str) -> str:
    """Return an etag as header text."""
    return f'"{etag}"'


def guard_headers(guard: Guard) -> dict[str, str]:
    """Return the headers that state a guard."""
    if guard.kind is GuardKind.MATCH:
        return {IF_MATCH: ", ".join(map(etag_header, guard.etags))}
    if guard.kind is GuardKind.PRESENT:
        return {IF_MATCH: "*"}
    return {IF_NONE_MATCH: "*"} if guard.kind is GuardKind.ABSENT else {}


def read_guard(headers: Mapping[str, str]) -> Guard:
    """Return the guard that a request's headers state; names of headers are in lower case.

    Raises:
        InvalidInputError: a header is not a list of etags, or asks for what is not offered.
    """
    match = headers.get("if-match")
    none_match = headers.get("if-none-match")
    if none_match is not None and none_match.strip() != "*":
        raise InvalidInputError.at(IF_NONE_MATCH, "must be *, which asks that nothing is there yet")
    if match is None:
        return UNGUARDED if none_match is None else ABSENT
    if match.strip() != "*" and not _LIST.fullmatch(match.strip()):
        raise InvalidInputError.at(IF_MATCH, 'must be * or a list of etags such as "abc"')
    if none_match is not None:
        return Guard.match()  # nothing is there and has this etag: that never holds
    if match.strip() == "*":
        return PRESENT
    # Weak etags never match (RFC 9110, section 13.1.1).
    return Guard.match(*(etag for weak, etag in _STRONG.findall(match) if not weak))
