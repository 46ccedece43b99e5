"""What calls answer: as values, and as the status, body and headers of an HTTP answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from attrs import evolve, field, fields, frozen

from sweepstake.codec import from_answer
from sweepstake.domain.duplicates import Added
from sweepstake.domain.files import Piece, Span
from sweepstake.domain.records import GuardKind, JobRecord, NoJob, PutAnswer
from sweepstake.errors import InvalidInputError, StoreUnavailableError, UnhandledResponseError
from sweepstake.wire.headers import (
    ACCEPT_RANGES,
    CONTENT_RANGE,
    ETAG,
    REASON,
    STORE,
    SUPERSEDED,
    etag_header,
)
from sweepstake.wire.operation import JSON, OCTETS

__all__ = [
    "ADDED",
    "ADDED_ONE",
    "BYTES",
    "NOTHING",
    "PUT",
    "Answers",
    "Reply",
    "Told",
    "listed",
    "one",
    "one_or_reason",
    "written",
]

T = TypeVar("T")


@frozen
class Told:
    """An answer as it is sent: a status, what is written as JSON (None: no body), and headers.

    Attributes:
        piece: the body, if it is bytes: the first of them.
    """

    status: int
    record: Any = None
    headers: dict[str, str] = field(factory=dict)
    piece: Piece | None = None


@frozen
class Reply:
    """An answer that was received.

    Attributes:
        root: the URL of the server that was asked.
        kind: the media type, without its parameters.
        content: the body.
        tree: the body parsed as JSON; None if it is not JSON.
        headers: by name in any case.
    """

    root: str
    status: int
    kind: str
    content: bytes
    tree: Any
    headers: Mapping[str, str]

    def read(self, kind: type[T]) -> T:
        """Return the body as a record.

        Raises:
            StoreUnavailableError: it is none, and nothing says that a server of ours has sent it.
            UnhandledResponseError: it is none, and a server of ours has sent it.
        """
        # What lacks all fields of a record would do for one that needs none.
        own: Any = getattr(kind, "__origin__", kind)
        names = {each.name for each in fields(own)}
        try:
            if not isinstance(self.tree, dict) or names.isdisjoint(self.tree):
                raise InvalidInputError.at("", f"is no {kind.__name__}")
            return from_answer(self.tree, kind)
        except InvalidInputError as error:
            told = f"{self.root} answered {self.status} with JSON that is not what was asked for ({error})"
        if STORE in self.headers:
            raise UnhandledResponseError(f"{told}; update sweepstake here or there")
        raise StoreUnavailableError(f"{told}; is it a Sweepstake server? If so, update sweepstake here or there")

    def read_tree(self, tree: Any, kind: type[T]) -> T:
        """Return a record of what the headers say, as `read` does of the body."""
        return evolve(self, tree=tree).read(kind)


@frozen(kw_only=True)
class Answers:
    """How one verb answers.

    Attributes:
        statuses: name of the body's schema by status of success; None: there is no body.
        tell: returns the answer to a call as it is sent.
        read: returns the answer that was received.
        versioned: what is answered has an etag, which is told.
        headers: names of the headers that tell more, as the description of the API has them.
        kinds: the classes of the bodies, as far as each is a class of its own.
        gives: the media type of the bodies.
    """

    statuses: Mapping[int, str | None]
    tell: Callable[[Any, Any], Told]
    read: Callable[[Reply], Any]
    versioned: bool = False
    headers: tuple[str, ...] = ()
    kinds: tuple[Any, ...] = ()
    gives: str = JSON


def one(kind: Any, schema: str, *, versioned: bool = False, status: int = 200) -> Answers:
    """Answer with a record, and with its etag if it is versioned; 201 is that of something new without an address."""
    return Answers(
        statuses={status: schema},
        tell=lambda _call, record: Told(status, record, _etag(record) if versioned else {}),
        read=lambda reply: reply.read(kind),
        versioned=versioned,
        kinds=(kind,),
    )


def listed(kind: type[Any], attribute: str) -> Answers:
    """Answer with several records, which stand under one name in a body of the kind."""
    return Answers(
        statuses={200: kind.__name__},
        tell=lambda _call, records: Told(200, kind(tuple(records))),
        read=lambda reply: getattr(reply.read(kind), attribute),
        kinds=(kind,),
    )


def one_or_reason(kind: Any, schema: str, *, versioned: bool = False) -> Answers:
    """Answer with a record, or with why there is none."""

    def tell(_call: Any, found: Any) -> Told:
        if isinstance(found, NoJob):
            return Told(204, headers={REASON: found.reason})
        return Told(200, found, _etag(found) if versioned else {})

    def read(reply: Reply) -> Any:
        if reply.status == 204:
            return reply.read_tree({"reason": reply.headers.get(REASON)}, NoJob)
        return reply.read(kind)

    return Answers(
        statuses={200: schema, 204: None},
        tell=tell,
        read=read,
        versioned=versioned,
        headers=(REASON,),
        kinds=(kind, NoJob),
    )


def written(kind: Any, schema: str) -> Answers:
    """Answer with the document as it is now; 201 to who asked that there was none."""

    def tell(call: Any, record: Any) -> Told:
        return Told(201 if call.guard.kind is GuardKind.ABSENT else 200, record, _etag(record))

    return Answers(
        statuses={200: schema, 201: schema},
        tell=tell,
        read=lambda reply: reply.read(kind),
        versioned=True,
        kinds=(kind,),
    )


def _tell_put(_call: Any, put: PutAnswer) -> Told:
    headers = _etag(put.record)
    if put.superseded:
        headers[SUPERSEDED] = "true"
    return Told(201 if put.created else 200, put.record, headers)


def _read_put(reply: Reply) -> PutAnswer:
    superseded = reply.headers.get(SUPERSEDED) == "true"
    return PutAnswer(record=reply.read(JobRecord), created=reply.status == 201, superseded=superseded)


#: Of a job that was put or added: the document, and whether it is new.
PUT: Final = Answers(
    statuses={200: "Job", 201: "Job"}, tell=_tell_put, read=_read_put, versioned=True, headers=(SUPERSEDED,)
)
#: The same as the description of `add_job` has it: the usual first.
ADDED_ONE: Final = Answers(statuses={201: "Job", 200: "Job"}, tell=_tell_put, read=_read_put, versioned=True)
#: Of jobs that were added: which were left out, if any.
ADDED: Final = Answers(
    statuses={200: "Added", 204: None},
    tell=lambda _call, added: Told(200, added) if added.duplicates else Told(204),
    read=lambda reply: Added() if reply.status == 204 else reply.read(Added),
    kinds=(Added,),
)


def _tell_piece(call: Any, piece: Piece) -> Told:
    begin, end = call.within.within(piece.total)
    headers = {ACCEPT_RANGES: "bytes", "Content-Type": OCTETS, "X-Content-Type-Options": "nosniff"}
    if piece.sha256:
        headers[ETAG] = etag_header(piece.sha256)
    if call.within == Span():
        return Told(200, headers=headers, piece=piece)
    return Told(206, headers={**headers, CONTENT_RANGE: f"bytes {begin}-{end - 1}/{piece.total}"}, piece=piece)


def _read_piece(reply: Reply) -> Piece:
    told = _CONTENT_RANGE.fullmatch(reply.headers.get(CONTENT_RANGE, ""))
    if reply.status == 206 and (told is None or int(told[2]) - int(told[1]) + 1 != len(reply.content)):
        raise StoreUnavailableError(f"{reply.root} answered with other bytes than were asked for")
    return Piece(
        content=reply.content,
        offset=0 if told is None else int(told[1]),
        total=len(reply.content) if told is None else int(told[3]),
        sha256=reply.headers.get(ETAG, "").strip('"'),
    )


_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
#: Of a file or an output: bytes of it.
BYTES: Final = Answers(statuses={200: "Bytes", 206: "Bytes"}, tell=_tell_piece, read=_read_piece, gives=OCTETS)
#: That it is done.
NOTHING: Final = Answers(statuses={204: None}, tell=lambda _call, _none: Told(204), read=lambda _reply: None)


def _etag(record: Any) -> dict[str, str]:
    return {ETAG: etag_header(record.etag)}
