"""The OpenAPI 3.1 document, made from the table of operations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from sweepstake.domain.files import PIECE
from sweepstake.domain.schema import Schema, ref
from sweepstake.domain.status import NoJobReason
from sweepstake.http.operations import OPERATIONS
from sweepstake.http.schemas import SCHEMAS
from sweepstake.wire.headers import ADDRESS, ETAG, OWNER, REASON, STORE, SUPERSEDED
from sweepstake.wire.operation import JSON, Operation, Parameter
from sweepstake.wire.problems import PROBLEM_TYPE

__all__ = ["openapi"]

_MEANINGS: Final = {
    400: "The request does not have the form that its schema asks for",
    401: "No credentials came, or they have expired",
    403: "The credentials are wrong, or do not allow this",
    404: "There is no such experiment, job, attempt or batch",
    408: "The body did not arrive in time",
    409: "Several experiments have the name, or a limit of it, a live lease or a batch under way does not allow it",
    412: "A guard failed, or the attempt or the batch is over; nothing was changed",
    413: "The body is too large",
    416: "There are no such bytes",
    422: "The request has the right form, but says something that cannot be, or its op key was used for another call",
    429: "Too many tries in vain; wait as long as `Retry-After` says",
    431: "The address and headers are too long",
    500: "The server failed; its log says why",
    503: "The store is away for now; try again",
}

_BEARER: Final = (
    "An API token, or a token from `token/`. Each operation names the role that it needs: `read` looks, `work` also "
    "adds jobs, claims and reports, `admin` also makes, changes, shares and deletes. An experiment of somebody else's "
    "is not there for the caller, unless it is shared."
)
#: Which experiment the name in the path means, where several have it.
_WHICH: Final = (
    Parameter(
        name=ADDRESS,
        schema={"type": "string"},
        description="The `address` of the experiment, percent-encoded, from an answer: this one is meant, and no other",
        header=True,
    ),
    Parameter(
        name=OWNER,
        schema={"type": "string"},
        description="The owner of the experiment, percent-encoded; empty for one without an owner",
        header=True,
    ),
)


def openapi(version: str, root_path: str = "") -> dict[str, Any]:
    """Return the document of a server of this version that stands below `root_path`."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS.values():
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sweepstake",
            "version": version,
            "description": "A hyperparameter-sweep job queue. A superset of what Schedy's clients speak.",
        },
        "servers": [{"url": root_path or "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": _BEARER}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*_path_parameters(operation), *map(_parameter, operation.parameters)],
        "responses": _responses(operation),
        "security": [] if operation.role is None else [{"bearer": [operation.role.value]}],
    }
    if operation.request is not None:
        said = f"At most {operation.values:,} values, counted as commas, lists and objects"
        made["requestBody"] = {
            "required": True,
            "description": said if operation.takes == JSON else f"At most {PIECE:,} bytes",
            "content": {operation.takes: {"schema": ref(operation.request)}},
        }
    return made


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    path = operation.path
    words = {
        "name": ("Called", "The experiment's name, or `owner/name`, percent-encoded"),
        "id": ("Name", f"The {operation.of}, percent-encoded"),
    }
    made: list[dict[str, Any]] = [
        {"name": word, "in": "path", "required": True, "schema": ref(schema), "description": text}
        for word, (schema, text) in words.items()
        if f"{{{word}}}" in path
    ]
    return made + [_parameter(each) for each in _WHICH] if "{name}" in path else made


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema: Schema = {"type": "array", "items": parameter.schema} if parameter.many else parameter.schema
    if parameter.most is not None:
        schema = {**schema, "maxItems": parameter.most}
    return {
        "name": parameter.name,
        "in": "header" if parameter.header else "query",
        "required": parameter.required,
        "schema": schema,
        "description": parameter.description,
    }


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, schema in operation.answers.items():
        answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if schema is not None:
            answer["content"] = {operation.gives: {"schema": ref(schema)}}
        if headers := _headers(operation, has_body=schema is not None):
            answer["headers"] = headers
        if operation.links and not (status == 204 and len(operation.answers) > 1):
            answer["links"] = {target: _link(target, sources) for target, sources in operation.links}
        responses[str(status)] = answer
    for status in operation.statuses:
        responses[str(status)] = {
            "description": _MEANINGS[status],
            "content": {PROBLEM_TYPE: {"schema": ref("Problem")}},
        }
    return responses


def _headers(operation: Operation, *, has_body: bool) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if operation.role is not None:
        headers[STORE] = {
            "description": "Which store the server has; no other has this name, but for copies of it",
            "schema": {"type": "string", "pattern": "^[!-~]+$"},
        }
    if operation.etag and has_body:
        etag = {"type": "string", "pattern": '^"[!#-~]*"$'}
        headers[ETAG] = {"description": "The version of the document", "required": True, "schema": etag}
    if SUPERSEDED in operation.headers:
        headers[SUPERSEDED] = {
            "description": "The write was made once, by an earlier call, and somebody else has written since",
            "schema": {"const": "true"},
        }
    if REASON in operation.headers and not has_body:
        reasons = {"enum": [reason.value for reason in NoJobReason]}
        headers[REASON] = {"description": "Why there is none", "required": True, "schema": reasons}
    return headers


def _link(target: str, sources: Mapping[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": target,
        "parameters": {name: source for name, source in sources.items() if name != "body"},
    }
    if "body" in sources:
        made["requestBody"] = json.loads(sources["body"])
    return made
