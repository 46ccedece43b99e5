"""What is said of one call that a server answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from attrs import field, frozen

from sweepstake.domain.access import Role
from sweepstake.domain.addresses import check_called
from sweepstake.domain.names import check_name, existing_name
from sweepstake.domain.schema import Schema
from sweepstake.wire.headers import IF_MATCH

__all__ = ["BASE", "JSON", "OCTETS", "Operation", "Parameter", "checked"]

#: The media types of bodies: records, and bytes as they are.
JSON: Final = "application/json"
OCTETS: Final = "application/octet-stream"
#: Where the API begins, below the server's root.
BASE: Final = "/api/v1/"


@frozen(kw_only=True)
class Parameter:
    """A parameter of the query or a header; `many` may be repeated, at most `most` times if that is said."""

    name: str
    schema: Schema
    description: str
    header: bool = False
    many: bool = False
    most: int | None = None
    required: bool = False


@frozen(kw_only=True)
class Operation:
    """One method on one path.

    Attributes:
        name: what the handler and the OpenAPI operation are called.
        path: `{name}` and `{id}` stand for an experiment and what `of` says, percent-encoded.
        request: name of the body's schema.
        takes, gives: the media types of the body, and of that of a success.
        values: the most values that the body may hold: lists, objects and what is in them.
        answers: name of the body's schema by status of success; None for an empty body.
        problems: statuses of errors beyond those that follow from the rest.
        etag: the answer has an ETag.
        headers: names of other headers that the answer may have.
        role: what credentials must allow, in general and in the experiment of the path; None: none are needed.
        fenced: an experiment in the path must be there, and the caller's in that role, before the call is worked on;
            else the handler sees to it.
        makes: the word in the path that may name what is not there yet; every other names what has to be there.
        changes_access: afterwards somebody may do more or less than before, so what a server remembers of that is old.
        long: it may read or answer so much that others are not to wait behind it.
        at_once: it waits for nothing, so it is answered even when everybody who could work on it is busy.
        over_limit: the status that says that a limit of the experiment is reached.
        links: what can be called next: the operation, and where its parameters and body come from.
    """

    name: str
    method: str
    path: str
    summary: str
    answers: Mapping[int, str | None] = {}
    request: str | None = None
    takes: str = JSON
    gives: str = JSON
    values: int = 0
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[int, ...] = ()
    etag: bool = False
    headers: tuple[str, ...] = ()
    role: Role | None
    fenced: bool = True
    changes_access: bool = False
    long: bool = False
    at_once: bool = False
    of: str = "job"
    makes: str | None = None
    over_limit: int = 409
    links: tuple[tuple[str, Mapping[str, str]], ...] = ()
    _template: str = field(init=False, repr=False)

    @_template.default
    def _path_of_names(self) -> str:
        return self.path.replace("{name}", "{}").replace("{id}", "{}")

    def url(self, *names: str) -> str:
        """Return the path with these names in it."""
        return self._template.format(*(quote(name, safe="") for name in names))

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every status of an error that it may answer."""
        found = {431, 500, *self.problems}
        if self.role is not None:
            found |= {401, 403, 503}
        if "{" in self.path:
            found |= {400, 404}
        if "{name}" in self.path:
            found |= {409}
        if self.parameters:
            found |= {400, 422}
        if self.request is not None:
            found |= {400, 408, 413, 422}
        if any(parameter.name == IF_MATCH for parameter in self.parameters):
            found |= {412}
        return tuple(sorted(found))


def checked(name: object, word: str, makes: str | None) -> str:
    """Return what stands in the path for a word, if it can; `makes` is as of an operation.

    Raises:
        InvalidInputError: it would be the name of something new, and cannot be.
        NotFoundError: nothing has such a name.
    """
    rule = check_called if word == "name" else check_name
    return rule(name, word) if word == makes else existing_name(name, word, rule)
