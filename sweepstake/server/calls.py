"""One request as a handler sees it, and the answer that it returns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qs, unquote_to_bytes

from attrs import evolve, frozen

from sweepstake.codec import to_tree
from sweepstake.domain.records import Claim, Claims, ExperimentRecord, Finished, JobRecord, Page
from sweepstake.errors import InvalidInputError, NotFoundError
from sweepstake.queue.calls.several import Reports
from sweepstake.queue.fields import Asked, MalformedError
from sweepstake.server.receiving import Head, check_size
from sweepstake.server.schedy import as_shown, encoded
from sweepstake.slices import SLICE, let_go
from sweepstake.turns import sliced
from sweepstake.values import parse_json
from sweepstake.wire.headers import ADDRESS, OWNER, read_reference
from sweepstake.wire.operation import Operation, checked

__all__ = ["Answer", "Handler", "Received", "ok", "read_names", "read_query"]


@frozen
class Received:
    """One request.

    Attributes:
        names: what stands in the path for `name` and `id`, decoded; the experiment as a reference, see
            `sweepstake.domain.addresses`.
        called: what the path calls the experiment; empty if it names none.
        asked: the rest, but for the body, and who asks.
        schedys: the caller is a client of Schedy.
        values: how many values the body may hold.
    """

    names: Mapping[str, str]
    called: str
    asked: Asked
    body: bytes
    schedys: bool
    values: int

    @contextmanager
    def tree(self) -> Iterator[Any]:
        """Give the body as JSON, and let go of it in slices at the end of the block.

        Raises:
            MalformedError: it holds more values than the operation takes, or is no JSON.
        """
        try:
            check_size(self.body, self.values)
            tree = parse_json(self.body)
            meant = encoded(tree) if self.schedys else tree
        except InvalidInputError as error:
            raise MalformedError(error.problems) from None
        try:
            yield meant
        finally:
            if len(self.body) > SLICE:
                let_go(meant)
                let_go(tree)

    def shown(self, record: Any) -> Any:
        """Return what is answered as the caller knows it, so that whoever sends it back means the same.

        An experiment is called as in the path, and has a search that the caller knows.
        """
        if isinstance(record, JobRecord):
            return record if record.experiment == self.called else evolve(record, experiment=self.called)
        if isinstance(record, ExperimentRecord):
            record = record if self.called in ("", record.name) else evolve(record, name=self.called)
            return as_shown(record) if self.schedys else record
        if isinstance(record, Claim):
            return evolve(record, job=self.shown(record.job))
        if isinstance(record, Finished):
            return evolve(record, job=self.shown(record.job), next=self.shown(record.next))
        if isinstance(record, Claims | Reports):
            return self._several_shown(record)
        if isinstance(record, Page) and record.items:
            if isinstance(record.items[0], JobRecord):
                return evolve(record, items=tuple(map(self.shown, sliced(record.items))))
            return evolve(record, items=tuple(map(as_shown, record.items))) if self.schedys else record
        return record

    def _several_shown(self, record: Claims | Reports) -> Claims | Reports:
        if isinstance(record, Claims):
            return evolve(record, claims=tuple(map(self.shown, record.claims)))
        reports = tuple(evolve(each, finished=self.shown(each.finished)) for each in record.reports)
        return evolve(record, reports=reports, next=self.shown(record.next))


Handler = Callable[[Received], "Answer"]


def read_names(head: Head, operation: Operation) -> tuple[dict[str, str], str]:
    """Decode the names in a path, in which `%2F` is part of a name; headers may say more of the experiment.

    Returns:
        `Received.names` and `Received.called`.

    Raises:
        NotFoundError: what has to be there cannot have such a name.
        MalformedError: what shall be made cannot.
    """
    try:
        names = {word: _name(head.path[word], word, operation.makes) for word in ("id", "name") if word in head.path}
        called = names.get("name", "")
        if called:
            address, owner = head.headers.get(ADDRESS.lower()), head.headers.get(OWNER.lower())
            names["name"] = read_reference(called, address, owner)
    except InvalidInputError as error:
        raise MalformedError(error.problems) from None
    return names, called


@lru_cache(maxsize=1024)  # most requests are about the same few experiments
def _name(quoted: str, word: str, makes: str | None) -> str:
    try:
        text = unquote_to_bytes(quoted).decode()
    except UnicodeDecodeError as error:
        fault = f"is not valid UTF-8 at byte {error.start}"
        if word == makes:
            raise InvalidInputError.at(word, fault) from None
        raise NotFoundError(f"There is nothing of this {word}, which {fault}.") from None
    return checked(text, word, makes)


def read_query(query: bytes, operation: Operation) -> Mapping[str, Sequence[str]]:
    """Decode the query; a parameter that the operation does not have is refused."""
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


@frozen
class Answer:
    """What is sent back: a status, a JSON text, in several parts if it is long, and headers.

    Attributes:
        body: of bytes that are read only as they leave, the first.
        more: returns those that follow, each when the one before has left; it waits for a disk.
    """

    status: int
    body: tuple[bytes, ...]
    headers: dict[str, str]
    more: Iterator[bytes] | None = None


_encode: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":"), check_circular=False).encode


def ok(record: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Answer with a record, or with plain data, that holds no values of users'."""
    return Answer(status, (_encode(to_tree(record)).encode(),), headers or {})
