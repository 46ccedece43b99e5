"""A verb of the queue as a value: what it takes, who may use it, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final, Generic, TypeVar, get_type_hints

from attrs import evolve, field, fields, frozen, make_class

from sweepstake.domain.schema import check_of_arriving
from sweepstake.queue.answers import Answers
from sweepstake.queue.fields import Body, Header, Named, Travel, travel_of
from sweepstake.wire.operation import JSON, OCTETS, Operation

__all__ = ["PATIENCE", "Call", "Parts", "Patience", "no_patience", "usual_patience", "verb"]

A = TypeVar("A")
K = TypeVar("K", bound="type[Call[Any]]")

#: Seconds a call keeps trying while the store is away.
PATIENCE: Final = 120.0
#: Returns the seconds to keep trying, counted from the first try; asked again after each failure.
Patience = Callable[[], float]


def usual_patience() -> float:
    """Return how long most calls are tried."""
    return PATIENCE


def no_patience() -> float:
    """Return how long a call is tried that is made again later anyhow, or for which nobody waits: once."""
    return 0.0


@frozen
class BodyOf:
    """The body of a verb's request, and how it becomes a part of the call.

    Attributes:
        kind: the record that it is.
        whole: the field of the call that is all of it; None: its own fields are those of the call.
        merged: the field of the call whose own fields stand in it beside others, and its class.
        own: the other fields of the call in it.
        checks: those of its fields that are checked when a body arrives: their names, defaults and checks.
    """

    kind: type[Any]
    whole: str | None = None
    merged: tuple[str, type[Any]] | None = None
    own: tuple[str, ...] = ()
    checks: tuple[tuple[str, Any, Callable[[Any, str], object]], ...] = ()

    def of(self, call: Call[Any]) -> Any:
        """Return the body of a call."""
        if self.whole is not None:
            return getattr(call, self.whole)
        values = {name: getattr(call, name) for name in self.own}
        if self.merged is not None:
            name, kind = self.merged
            inner = getattr(call, name)
            values |= {each.name: getattr(inner, each.name) for each in fields(kind)}
        return self.kind(**values)

    def values(self, body: Any) -> dict[str, Any]:
        """Return the fields of the call that a body holds which has arrived.

        Raises:
            InvalidInputError: one of them cannot be.
        """
        if self.whole is not None:
            return {self.whole: body}
        values = {name: getattr(body, name) for name in self.own}
        for name, default, check in self.checks:
            if (value := getattr(body, name)) != default:
                check(value, name)
        if self.merged is not None:
            name, kind = self.merged
            values[name] = kind(**{each.name: getattr(body, each.name) for each in fields(kind)})
        return values


@frozen
class Parts:
    """A call's fields by how they travel: in the path, with their words; as headers; beside these; in the body.

    Attributes:
        raw: the field that is all of the body, as bytes; then there is no other in it.
    """

    named: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, Header], ...]
    beside: tuple[tuple[str, Travel], ...]
    body: BodyOf | None
    raw: str | None = None


@frozen(kw_only=True)
class Call(Generic[A]):
    """What somebody asks of a queue. Each verb is a subclass; each call a value of it.

    A call that writes has a `key`: made again with the same key it has the effect of one, and answers as the first.

    Attributes:
        operation: how it looks over HTTP, and the role that it needs.
        word: by which the ledger of events knows what it wrote.
        answers: how its answer looks there.
        parts: its fields, by how they travel.
        patience: how long it is worth trying while the store is away; None: it is tried once.
        claims: whether it brings a job, with which whoever asked should begin.
    """

    operation: ClassVar[Operation]
    word: ClassVar[str]
    answers: ClassVar[Answers]
    parts: ClassVar[Parts]
    patience: Patience | None = field(default=usual_patience, eq=False, repr=False)
    claims: bool = field(default=False, init=False)


def verb(
    operation: Operation, answers: Answers, *, request: str | None = None, word: str | None = None
) -> Callable[[K], K]:
    """Make a class a verb: its fields say the parameters, the body and the path.

    Args:
        operation: what does not follow from the fields.
        answers: what it answers.
        request: name of the body's schema; None: there is no body.
        word: for the ledger of events, if it is not the name of the operation.
    """

    def decorate(kind: K) -> K:
        travels = [(each.name, travel_of(each.metadata)) for each in fields(kind)]
        beside = [how.parameters for _, how in travels if isinstance(how, Travel | Header)]
        raw = next((name for name, how in travels if how is Body.RAW), None)
        kind.operation = evolve(
            operation,
            takes=JSON if raw is None else OCTETS,
            gives=answers.gives,
            parameters=tuple(parameter for parameters in beside for parameter in parameters),
            request=request,
            answers=answers.statuses,
            etag=answers.versioned,
            headers=answers.headers,
        )
        kind.word = word or operation.name
        kind.answers = answers
        kind.parts = Parts(
            named=tuple((name, how.word) for name, how in travels if isinstance(how, Named)),
            headers=tuple((name, how) for name, how in travels if isinstance(how, Header)),
            beside=tuple((name, how) for name, how in travels if isinstance(how, Travel)),
            body=None if request is None or raw is not None else _body_of(kind, request),
            raw=raw,
        )
        return kind

    return decorate


def _body_of(kind: type[Call[Any]], name: str) -> BodyOf:
    """Make the record that the body of a verb is, from the fields of the verb."""
    hints = get_type_hints(kind)
    found = {each.name: travel_of(each.metadata) for each in fields(kind)}
    whole = next((field_name for field_name, how in found.items() if how is Body.WHOLE), None)
    if whole is not None:
        return BodyOf(hints[whole], whole=whole)
    inner = next((field_name for field_name, how in found.items() if how is Body.MERGED), None)
    merged = None if inner is None else (inner, hints[inner])
    own = tuple(field_name for field_name, how in found.items() if how is Body.FIELD)
    members: dict[str, Any] = {} if merged is None else _members(merged[1], [each.name for each in fields(merged[1])])
    body = make_class(name, members | _members(kind, own), frozen=True, kw_only=True)
    body.__doc__ = kind.__doc__
    checks = tuple(
        (each.name, each.default, check)
        for each in (*fields(kind), *(() if merged is None else fields(merged[1])))
        if (check := check_of_arriving(each)) is not None
    )
    return BodyOf(body, merged=merged, own=own, checks=checks)


def _members(kind: type[Any], names: Iterable[str]) -> dict[str, Any]:
    """Return fields of a class, to be those of another."""
    hints = get_type_hints(kind)
    copied = ("default", "validator", "converter", "repr", "eq", "metadata")
    own = {each.name: each for each in fields(kind)}
    return {name: field(type=hints[name], **{word: getattr(own[name], word) for word in copied}) for name in names}
