"""The fields of calls, each with how it travels over HTTP: in the path, the query, a header, or the body."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from attrs import NOTHING, field, frozen

from sweepstake.domain.access import NOBODY, Caller
from sweepstake.domain.duplicates import OnDuplicate
from sweepstake.domain.files import MAX_PATH, SHA256, Span, check_sha256
from sweepstake.domain.keys import ATTEMPT_PATTERN, KEY_PATTERN, check_attempt, check_key
from sweepstake.domain.lengths import MAX_PAGE
from sweepstake.domain.names import MAX_TEXT, check_name, check_text
from sweepstake.domain.query.queries import Condition, JobQuery, Order, Parts
from sweepstake.domain.records import UNGUARDED, Guard
from sweepstake.domain.schema import Schema, checked_arriving, ref
from sweepstake.domain.status import JobStatus, member_of
from sweepstake.errors import InvalidInputError
from sweepstake.wire.headers import (
    ATTEMPT,
    ETAG_LIST_PATTERN,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    RANGE,
    guard_headers,
    read_guard,
    read_span,
)
from sweepstake.wire.operation import Parameter

__all__ = [
    "Asked",
    "Body",
    "Header",
    "MalformedError",
    "Named",
    "Sent",
    "Travel",
    "anew",
    "asker",
    "attempt_key",
    "body",
    "by_server",
    "content_digest",
    "duplicates",
    "file_path",
    "filters",
    "force",
    "guard",
    "hidden",
    "limit",
    "live",
    "merged",
    "named",
    "op_key",
    "raw",
    "span",
    "spec_version",
    "start",
    "travel_of",
    "whole",
    "whole_number",
]

#: The most conditions of a listing: each is asked of every job.
_MAX_CONDITIONS: Final = 32
_TRAVEL: Final = "travel"


class MalformedError(InvalidInputError):
    """The request does not have the form that its schema asks for, whatever it means."""


@frozen
class Sent:
    """What a client sends beside the path and the body."""

    query: list[tuple[str, str]] = field(factory=list)
    headers: dict[str, str] = field(factory=dict)


@frozen(kw_only=True)
class Asked:
    """What a server was sent beside the path and the body, and what it knows of who sent it.

    Attributes:
        query: the values of each parameter, decoded.
        headers: by name in lower case.
        new_key: makes an op key for a write of a client that has none.
        caller: who calls, and what the credential allows.
        address: the network address of the caller, or of a proxy.
        root: the URL of the server as the caller sees it.
    """

    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    new_key: Callable[[], str]
    caller: Caller = NOBODY
    address: str = ""
    root: str = ""

    def one(self, name: str) -> str | None:
        """Return a parameter of the query that stands there once, or not at all."""
        values = self.query.get(name, ())
        if len(values) > 1:
            raise MalformedError.at(name, "is given more than once")
        return values[0] if values else None


@frozen(kw_only=True)
class Travel:
    """How one field travels beside the path and the body.

    Attributes:
        parameters: what the description of the API says of it.
        write: puts a value into what is sent.
        read: takes the value out of what was asked.
    """

    parameters: tuple[Parameter, ...]
    write: Callable[[Any, Sent], None]
    read: Callable[[Asked], Any]


@frozen(kw_only=True)
class Header:
    """A field that is the text of one header; there is none for None.

    Attributes:
        name: the header's.
        parameters: what the description of the API says of it.
        check: returns the text, or raises InvalidInputError, which names the header.
        make: returns what a request without the header means.
    """

    name: str
    parameters: tuple[Parameter, ...]
    check: Callable[[str, str], str]
    make: Callable[[Asked], str | None]


class Body(Enum):
    """How a field stands in the body."""

    #: Under its own name, beside others.
    FIELD = "field"
    #: Its own fields stand beside others.
    MERGED = "merged"
    #: It is all of the body.
    WHOLE = "whole"
    #: It is all of the body, and bytes instead of JSON.
    RAW = "raw"


@frozen
class Named:
    """A field that stands in the path, for this word."""

    word: str


def travel_of(metadata: Mapping[Any, Any]) -> Travel | Header | Body | Named | None:
    """Return how a field travels; None: never."""
    found: Travel | Header | Body | Named | None = metadata.get(_TRAVEL)
    return found


def named(word: str) -> Any:
    """Make a field that stands in the path for a word: `name` of an experiment, or `id` of a job."""
    return field(metadata={_TRAVEL: Named(word)})


def body(*, metadata: Mapping[Any, Any] | None = None, arriving: Any = None, **options: Any) -> Any:
    """Make a field that stands in the body under its own name; `options` are those of `attrs.field`.

    `arriving` checks such a field in bodies that arrive; see `domain.schema.checked_arriving`.
    """
    return field(metadata={**(metadata or {}), **checked_arriving(arriving), _TRAVEL: Body.FIELD}, **options)


def merged() -> Any:
    """Make a field whose own fields stand in the body beside others."""
    return field(metadata={_TRAVEL: Body.MERGED})


def whole(**options: Any) -> Any:
    """Make a field that is all of the body."""
    return field(metadata={_TRAVEL: Body.WHOLE}, **options)


def raw(**options: Any) -> Any:
    """Make a field that is all of the body, as bytes."""
    return field(repr=False, metadata={_TRAVEL: Body.RAW}, **options)


def whole_number(name: str, description: str, most: int, **options: Any) -> Any:
    """Make the field of a whole number from 0 to `most`; without a `default` it has to be there."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= most):
            raise MalformedError.at(name, f"must be a whole number from 0 to {most:,}")
        return int(text)

    schema: Schema = {"type": "integer", "minimum": 0, "maximum": most}
    return _in_query(name, schema, description, options.get("default", NOTHING), write=str, read=read)


def content_digest(name: str, description: str, **options: Any) -> Any:
    """Make the field of a sha256, in hex; without a `default` it has to be there."""

    def read(text: str) -> str:
        found: str = _formed(check_sha256, text, name)
        return found

    schema: Schema = {"type": "string", "pattern": f"^{SHA256}$"}
    return _in_query(name, schema, description, options.get("default", NOTHING), write=str, read=read)


def file_path() -> Any:
    """Make the field of the path of a file, below the folder of results."""
    schema: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_PATH}
    return _in_query("path", schema, "The path of a file, as it is listed", None, write=str, read=str)


def span() -> Any:
    """Make the field of which bytes are asked for; a header that is no range of bytes asks for all."""

    def write(wanted: Span, sent: Sent) -> None:
        if wanted != Span():
            first, last = ("" if each is None else str(each) for each in (wanted.first, wanted.last))
            sent.headers[RANGE] = f"bytes={first}-{last}"

    parameter = Parameter(
        name=RANGE,
        schema={"type": "string"},
        description="Which bytes, such as `bytes=0-1023`, as in RFC 9110; without it all",
        header=True,
    )
    travel = Travel(parameters=(parameter,), write=write, read=lambda asked: read_span(asked.headers.get("range")))
    return field(default=Span(), metadata={_TRAVEL: travel})


def hidden(default: Any = None) -> Any:
    """Make a field that never travels, such as a client's patience, and says nothing of what is asked."""
    return field(default=default, eq=False, repr=False)


def by_server(know: Callable[[Asked], Any], default: Any = None) -> Any:
    """Make a field that never travels: a server fills it in by what it knows of a request.

    Args:
        know: says what that is.
        default: what holds where there is no server in between.
    """
    return field(
        default=default, metadata={_TRAVEL: Travel(parameters=(), write=lambda _value, _sent: None, read=know)}
    )


def asker() -> Any:
    """Make the field of the email of the user who asks a server; None: the operator of a store, or nobody."""
    return by_server(lambda asked: asked.caller.email)


def op_key() -> Any:
    """Make the field of a write's op key, which nobody is shown; a server makes one for a client that sends none."""
    description = "The op key of this write, by which it can be repeated; without it the server makes one"
    return _in_header(IDEMPOTENCY_KEY, KEY_PATTERN, description, check_key, lambda asked: asked.new_key())


def attempt_key() -> Any:
    """Make the field of the open attempt in whose name a job is put."""
    description = "The key of the open attempt, when its holder writes; any other write ends the attempt"
    return _in_header(ATTEMPT, ATTEMPT_PATTERN, description, check_attempt, lambda _: None, default=None)


def _in_header(
    name: str,
    pattern: str,
    description: str,
    check: Callable[[str, str], str],
    make: Callable[[Asked], str | None],
    **options: Any,
) -> Any:
    """Make a field that is the text of one header, which nobody is shown; without it, what is made of the rest."""
    schema: Schema = {"type": "string", "pattern": f"^{pattern}$"}
    parameter = Parameter(name=name, schema=schema, description=description, header=True)
    header = Header(name=name, parameters=(parameter,), check=check, make=make)
    return field(metadata={_TRAVEL: header}, repr=False, **options)


def guard(*, creates: bool = False) -> Any:
    """Make the field of what must hold of what is stored; of a write that `creates`, perhaps that there is none."""

    def write(wanted: Guard, sent: Sent) -> None:
        sent.headers.update(guard_headers(wanted))

    def read(asked: Asked) -> Guard:
        found: Guard = _formed(read_guard, asked.headers)
        return found

    match = Parameter(
        name=IF_MATCH,
        schema={"anyOf": [{"const": "*"}, {"type": "string", "pattern": f"^{ETAG_LIST_PATTERN}$"}]},
        description="Change nothing unless the document has one of these etags, or with `*` exists",
        header=True,
    )
    none_match = Parameter(
        name=IF_NONE_MATCH, schema={"const": "*"}, description="Change nothing if the document exists", header=True
    )
    parameters = (match, none_match) if creates else (match,)
    return field(default=UNGUARDED, metadata={_TRAVEL: Travel(parameters=parameters, write=write, read=read)})


def start() -> Any:
    """Make the field of where a page begins."""
    description = "The `next` of the page before; without it, the first page"
    return _in_query("start", {"type": "string"}, description, None, write=str, read=str)


def limit() -> Any:
    """Make the field of the most items of a page."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_PAGE):
            raise MalformedError.at("limit", f"must be a whole number from 1 to {MAX_PAGE:,}")
        return int(text)

    schema: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE}
    return _in_query("limit", schema, "The most items of this page", MAX_PAGE, write=str, read=read, always=True)


def spec_version() -> Any:
    """Make the field of a version of a spec; None: the last one."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= 1):
            raise MalformedError.at("version", "must be a whole number from 1")
        return int(text)

    schema: Schema = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
    description = "The version of the spec; without it, the last one"
    return _in_query("version", schema, description, None, write=str, read=read)


def force() -> Any:
    """Make the field of whether what workers hold is deleted, too."""
    return _flag("force", "Delete although workers hold live leases of its jobs")


def live() -> Any:
    """Make the field of whether only what is not over is listed."""
    return _flag("live", "Only those that are not over")


def anew() -> Any:
    """Make the field of whether a search proposes although other jobs are ready."""
    return _flag("new", "A job that the search proposes now, although others may be ready")


def _flag(name: str, description: str) -> Any:
    """Make the field of something that is so or not; it is not if nothing is said."""

    def read(text: str) -> bool:
        if text not in ("true", "false", ""):
            raise MalformedError.at(name, "must be true or false")
        return text == "true"

    return _in_query(name, {"type": "boolean"}, description, default=False, write=lambda _: "true", read=read)


def duplicates() -> Any:
    """Make the field of what becomes of new jobs whose hyperparameters the experiment has."""

    def read(text: str) -> OnDuplicate:
        found: OnDuplicate = _formed(member_of, OnDuplicate, text or OnDuplicate.ALLOW, "on_duplicate")
        return found

    return _in_query(
        "on_duplicate",
        {"enum": [each.value for each in OnDuplicate]},
        "What to do with a job whose hyperparameters the experiment has already: add it (the default), leave it out, "
        "or refuse the call",
        OnDuplicate.ALLOW,
        write=lambda wanted: str(wanted.value),
        read=read,
    )


def filters() -> Any:
    """Make the field of which jobs a listing has, and in which order."""

    def write(query: JobQuery, sent: Sent) -> None:
        sent.query.extend(_filters(query))

    return field(default=JobQuery(), metadata={_TRAVEL: Travel(parameters=_FILTERS, write=write, read=_query)})


_FILTERS: Final = (
    Parameter(
        name="status",
        schema={"enum": [status.value for status in JobStatus]},
        description="Only jobs of these statuses",
        many=True,
    ),
    Parameter(name="tag", schema={"anyOf": [{"const": ""}, ref("Name")]}, description="Only jobs that have this tag"),
    Parameter(name="part", schema=ref("Name"), description="Only jobs whose id begins or ends with this"),
    Parameter(
        name="where",
        schema={"type": "string", "pattern": r"^[^<>=!]+(!=|[<>=])[\s\S]*$", "maxLength": MAX_TEXT},
        description="Only jobs of which this holds, such as `results.accuracy>=0.9`: a field, an operator, and a value "
        "as in JSON or Python; after `=` and `!=` also a bare word. What no job could fulfil as it stands is refused",
        many=True,
        most=_MAX_CONDITIONS,
    ),
    Parameter(
        name="order",
        schema={"type": "string", "pattern": r"^([^\-][\s\S]*|-[\s\S]+)$", "maxLength": MAX_TEXT},
        description="The field to sort by; `-FIELD` for the largest first. Gives one page only",
    ),
)


def _in_query(
    name: str,
    schema: Schema,
    description: str,
    default: Any,
    *,
    write: Callable[[Any], str],
    read: Callable[[str], Any],
    always: bool = False,
) -> Any:
    """Make a field that is one parameter of the query; one that has its default is left out unless `always`."""
    parameter = Parameter(name=name, schema=schema, description=description, required=default is NOTHING)

    def put(value: Any, sent: Sent) -> None:
        if always or value != default:
            sent.query.append((name, write(value)))

    def take(asked: Asked) -> Any:
        text = asked.one(name)
        if text is None and default is NOTHING:
            raise MalformedError.at(name, "is missing")
        return default if text is None else read(text)

    return field(default=default, metadata={_TRAVEL: Travel(parameters=(parameter,), write=put, read=take)})


def _formed(read: Callable[..., Any], *values: Any) -> Any:
    """Return what is read; what cannot be is malformed."""
    try:
        return read(*values)
    except InvalidInputError as error:
        raise MalformedError(error.problems) from None


def _filters(query: JobQuery) -> list[tuple[str, str]]:
    found = [("status", status.value) for status in sorted(query.status)]
    if query.tag is not None:
        found.append(("tag", query.tag))
    if query.part is not None:
        found.append(("part", query.part))
    found += [("where", f"{each.field}{each.operator}{_json(each.value)}") for each in query.where]
    if query.order is not None:
        found.append(("order", f"{'-' if query.order.descending else ''}{query.order.field}"))
    return found


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _query(asked: Asked) -> JobQuery:
    """Return what a listing asks for: what has not the form of its schema is malformed, what means nothing is wrong."""
    tag, part = asked.one("tag"), asked.one("part")
    order = asked.one("order")
    where = asked.query.get("where", ())
    if len(where) > _MAX_CONDITIONS:
        raise MalformedError.at("where", f"stands there {len(where):,} times, at most {_MAX_CONDITIONS} are allowed")
    try:
        status = _statuses(asked.query.get("status", ()))
        tag = check_name(tag, "tag") if tag else tag
        part = None if part is None else check_name(part, "part")
        for text in where:
            Parts.of(text)
        if order is not None and check_text(order, "order") in ("", "-"):
            Order.parse(order)
    except InvalidInputError as error:
        raise MalformedError(error.problems) from None
    return JobQuery(
        status=status,
        tag=tag,
        part=part,
        where=tuple(map(Condition.parse, where)),
        order=None if order is None else Order.parse(order),
    )


def _statuses(words: Sequence[str]) -> frozenset[JobStatus]:
    try:
        return frozenset(map(JobStatus, words))
    except ValueError:
        known = ", ".join(JobStatus)
        raise InvalidInputError.at("status", f"must be one of {known}") from None
