"""One request as a handler sees it, and the answer that it returns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, unquote_to_bytes

from attrs import evolve, frozen

from sweepstake.codec import to_texts
from sweepstake.domain.records import ExperimentRecord, JobRecord
from sweepstake.errors import InvalidInputError, NotFoundError
from sweepstake.queue.fields import Asked, MalformedError
from sweepstake.server.receiving import check_size
from sweepstake.server.schedy import encoded
from sweepstake.slices import SLICE, in_parts, let_go
from sweepstake.values import parse_json
from sweepstake.wire.headers import read_reference
from sweepstake.wire.operation import Operation

__all__ = ["Answer", "Handler", "Names", "Received", "ok", "read_names", "read_query", "told"]

R = TypeVar("R", JobRecord, ExperimentRecord)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except InvalidInputError as error:
        raise MalformedError(error.problems) from None


@frozen(kw_only=True)
class Received:
    """One request.

    Attributes:
        names: what stands in the path for `name` and `id`, decoded; the experiment as a reference, see
            `sweepstake.domain.addresses`.
        called: what the path calls the experiment.
        asked: the rest, but for the body, and who asks.
        schedys: the caller is a client of Schedy.
        values: how many values the body may hold.
    """

    names: Mapping[str, str]
    called: str
    asked: Asked
    body: bytes
    schedys: bool
    values: int = 0

    @contextmanager
    def tree(self) -> Iterator[Any]:
        """Give the body as JSON, and let go of it in slices at the end of the block.

        Raises:
            MalformedError: it holds more values than the operation takes, or is no JSON.
        """
        with _reading():
            check_size(self.body, self.values)
            tree = parse_json(self.body)
            meant = encoded(tree) if self.schedys else tree
        try:
            yield meant
        finally:
            if len(self.body) > SLICE:
                let_go(meant)
                let_go(tree)

    def as_called(self, record: R) -> R:
        """Return a record with its experiment called as in the path, so that whoever sends it back means the same."""
        if isinstance(record, JobRecord):
            return record if record.experiment == self.called else evolve(record, experiment=self.called)
        return record if self.called in ("", record.name) else evolve(record, name=self.called)


Handler = Callable[[Received], "Answer"]


@frozen(kw_only=True)
class Names:
    """What the path names.

    Attributes:
        called: the experiment as it is written there; empty if there is none.
        reference: the experiment that is meant; None if there is none.
        id: the job, the token or the user; None if there is none.
    """

    called: str
    reference: str | None
    id: str | None

    @property
    def by_word(self) -> dict[str, str]:
        """What stands in the path for its words."""
        found = {"name": self.reference, "id": self.id}
        return {word: text for word, text in found.items() if text is not None}


def read_names(parameters: Mapping[str, str], headers: Mapping[str, str], operation: Operation) -> Names:
    """Decode the names in a path, in which `%2F` is part of a name; headers may say more of the experiment.

    Raises:
        NotFoundError: what has to be there cannot have such a name.
        MalformedError: what shall be made cannot.
    """
    with _reading():
        found = _name(parameters["id"], "id", operation) if "id" in parameters else None
        if "name" not in parameters:
            return Names(called="", reference=None, id=found)
        name = _name(parameters["name"], "name", operation)
        return Names(called=name, reference=read_reference(name, headers), id=found)


def read_query(query: bytes, operation: Operation) -> Mapping[str, Sequence[str]]:
    """Decode the query; a parameter that the operation does not have is refused."""
    if not query:
        return {}
    try:
        values = parse_qs(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=1000)
    except ValueError as error:
        raise MalformedError.at("query", f"cannot be read: {error}") from None
    known = {parameter.name for parameter in operation.parameters if not parameter.header}
    unknown = sorted(values.keys() - known)
    if unknown:
        names = ", ".join(sorted(known)) or "none"
        raise MalformedError((name, f"is no parameter here; there are: {names}") for name in unknown)
    return values


def _name(quoted: str, word: str, operation: Operation) -> str:
    try:
        text = unquote_to_bytes(quoted).decode()
    except UnicodeDecodeError as error:
        fault = f"is not valid UTF-8 at byte {error.start}"
        if word == operation.makes:
            raise InvalidInputError.at(word, fault) from None
        raise NotFoundError(f"There is nothing of this {word}, which {fault}.") from None
    return operation.check(text, word)


@frozen
class Answer:
    """What is sent back: a status, a JSON text, in several parts if it is long, and headers."""

    status: int
    body: tuple[bytes, ...]
    headers: dict[str, str]


_encode: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":"), check_circular=False).encode


def ok(tree: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Answer with a tree."""
    return Answer(status, (_encode(tree).encode(),), headers or {})


def told(status: int, record: object, headers: dict[str, str]) -> Answer:
    """Answer with a record, if there is one; values of users' in it cost no more than their length."""
    return Answer(status, () if record is None else in_parts(to_texts(record)), headers)
