"""Calls as requests, and requests as calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from attrs import frozen

from sweepstake.codec import from_tree, to_tree
from sweepstake.domain.addresses import called
from sweepstake.errors import InvalidInputError
from sweepstake.queue.call import Call
from sweepstake.queue.fields import Asked, MalformedError, Sent
from sweepstake.wire.headers import reference_headers
from sweepstake.wire.operation import checked

__all__ = ["Request", "call_of", "request_of"]

C = TypeVar("C", bound=Call[Any])

_encode: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":"), check_circular=False).encode


@frozen
class Request:
    """A call as it is sent: `path` with the query, `body` as JSON, or bytes as they are."""

    method: str
    path: str
    headers: dict[str, str]
    body: str | bytes | None


def request_of(call: Call[Any]) -> Request:
    """Return a call as it is sent.

    Raises:
        InvalidInputError, NotFoundError: it names what can have no such name.
    """
    operation, sent, names = call.operation, Sent(), []
    for name, word in call.parts.named:
        if word == "name":
            text, headers = _experiment(getattr(call, name), operation.makes)
            sent.headers.update(headers)
        else:
            text = checked(getattr(call, name), word, operation.makes)
        names.append(text)
    for name, header in call.parts.headers:
        if (value := getattr(call, name)) is not None:
            sent.headers[header.name] = value
    for name, travel in call.parts.beside:
        travel.write(getattr(call, name), sent)
    path = operation.url(*names)
    if sent.query:
        path += "?" + urlencode(sent.query)
    body: str | bytes | None = None
    if call.parts.body is not None:
        body = _encode(to_tree(call.parts.body.of(call)))
    elif call.parts.raw is not None:
        body = getattr(call, call.parts.raw)
    return Request(operation.method, path, sent.headers, body)


@lru_cache(maxsize=1024)  # most calls are about the same few experiments
def _experiment(reference: str, makes: str | None) -> tuple[str, Mapping[str, str]]:
    """Return what stands in the path for an experiment, and the headers that say which is meant."""
    return checked(called(reference), "name", makes), reference_headers(reference)


def call_of(kind: type[C], names: Mapping[str, str], asked: Asked, tree: Any) -> C:
    """Return the call that was asked for.

    Args:
        kind: the verb.
        names: what stands in the path, by its word.
        asked: query and headers.
        tree: the body, if the verb has one: as JSON, or as bytes.

    Raises:
        MalformedError: it has not the form that its schema asks for.
        InvalidInputError: it has the form, but says what cannot be.
    """
    try:
        values: dict[str, Any] = {name: names[word] for name, word in kind.parts.named}
        if (body := kind.parts.body) is not None:
            values |= body.values(from_tree(tree, body.kind))
        elif kind.parts.raw is not None:
            values[kind.parts.raw] = tree
        for name, header in kind.parts.headers:
            text = asked.headers.get(header.name.lower())
            values[name] = header.make(asked) if text is None else header.check(text, header.name)
    except InvalidInputError as error:
        raise MalformedError(error.problems) from None
    values |= {name: travel.read(asked) for name, travel in kind.parts.beside}
    return kind(**values)
