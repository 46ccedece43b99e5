"""Headers of requests and answers, and guards as header text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from sweepstake.domain.addresses import (
    by_owner,
    called,
    check_reference,
    exact,
    known_address,
    owner_and_name,
)
from sweepstake.domain.files import Span
from sweepstake.domain.names import existing_name
from sweepstake.domain.records import ABSENT, PRESENT, UNGUARDED, Guard, GuardKind
from sweepstake.errors import InvalidInputError, NotFoundError, shown

__all__ = [
    "ACCEPT_RANGES",
    "ADDRESS",
    "ATTEMPT",
    "CONTENT_RANGE",
    "ETAG",
    "ETAG_LIST_PATTERN",
    "IDEMPOTENCY_KEY",
    "IF_MATCH",
    "IF_NONE_MATCH",
    "OWNER",
    "RANGE",
    "REASON",
    "STORE",
    "SUPERSEDED",
    "etag_header",
    "guard_headers",
    "read_guard",
    "read_reference",
    "read_span",
    "reference_headers",
]

ETAG: Final = "ETag"
IF_MATCH: Final = "If-Match"
IF_NONE_MATCH: Final = "If-None-Match"
#: Which bytes are asked for, and which are sent.
RANGE: Final = "Range"
CONTENT_RANGE: Final = "Content-Range"
ACCEPT_RANGES: Final = "Accept-Ranges"
#: The op key of a write.
IDEMPOTENCY_KEY: Final = "Idempotency-Key"
#: The key of the open attempt, sent by its holder with a PUT of the job.
ATTEMPT: Final = "Sweepstake-Attempt"
#: The address of the experiment in the path, percent-encoded, sent by whoever has met it before.
ADDRESS: Final = "Sweepstake-Experiment"
#: The owner of the experiment in the path, percent-encoded; empty: nobody. Sent by whoever wants to be exact.
OWNER: Final = "Sweepstake-Owner"
#: Answered `true` when a repeated PUT was made once, and somebody else has written since.
SUPERSEDED: Final = "Sweepstake-Superseded"

#: Which store answers, and in a request, which one the call is meant for.
STORE: Final = "Sweepstake-Store"
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


def reference_headers(reference: str) -> dict[str, str]:
    """Return the headers that say, beside the name in the path, which experiment is meant."""
    address = known_address(reference)
    if address is not None:
        return {ADDRESS: quote(address, safe="")}
    owned = owner_and_name(reference)
    return {} if owned is None else {OWNER: quote(owned[0] or "", safe="")}


@lru_cache(maxsize=1024)  # most requests are about the same few experiments
def read_reference(name: str, address: str | None, owner: str | None) -> str:
    """Return which experiment is meant by the name in the path, and by what the headers `ADDRESS` and `OWNER` say.

    Raises:
        NotFoundError: nothing can have that address, or that owner, and the name.
    """
    if address is not None:
        decoded = _decoded(address, ADDRESS)
        if called(decoded) != name:
            raise NotFoundError(f"There is no experiment {shown(name)} of this {ADDRESS}.")
        return existing_name(exact(decoded), ADDRESS, check_reference)
    if owner is not None:
        return existing_name(by_owner(_decoded(owner, OWNER), name), OWNER, check_reference)
    return name


def _decoded(quoted: str, header: str) -> str:
    try:
        return unquote_to_bytes(quoted).decode()
    except UnicodeDecodeError as error:
        raise NotFoundError(
            f"There is nothing of this {header}, which is not valid UTF-8 at byte {error.start}."
        ) from None


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


_RANGE: Final = re.compile(r"bytes *= *([0-9]{0,18})-([0-9]{0,18})")


def read_span(text: str | None) -> Span:
    """Return which bytes a header `Range` asks for; one that asks for none, or for several parts, counts as none."""
    found = None if text is None else _RANGE.fullmatch(text.strip())
    if found is None or found.groups() == ("", ""):
        return Span()
    first, last = (int(each) if each else None for each in found.groups())
    if first is not None and last is not None and last < first:
        return Span()
    return Span(first, last)
