"""The table of operations, the schemas and the OpenAPI document made of them."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sweepstake.clock import SystemClock
from sweepstake.http.openapi import openapi
from sweepstake.http.operations import HEALTH, OPERATIONS
from sweepstake.http.schemas import SCHEMAS
from sweepstake.queue import calls
from sweepstake.queue.calls.users import AboutUsers
from sweepstake.server.handlers import Handlers
from sweepstake.server.logins import Logins, without_users
from sweepstake.wire.operation import Operation
from tests.kit.stores import open_store

DOCUMENT = openapi("1.2.3")


def _references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if isinstance(tree.get("$ref"), str):
            yield tree["$ref"]
        for value in tree.values():
            yield from _references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _references(value)


def test_every_operation_has_a_handler(tmp_path: Path) -> None:
    """The table and the handlers name the same calls."""
    clock = SystemClock()
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        logins = Logins(store, clock, lambda: "secret")
        handlers = Handlers(store.here, logins.authorizer, logins.performers).by_name()
        assert {*handlers, HEALTH.name} == set(OPERATIONS)
        assert set(logins.performers) == set(calls.LOGINS)
        about_users = {name for name, kind in calls.CALLS.items() if issubclass(kind, AboutUsers)}
        assert set(without_users(clock)) == {*about_users, *(kind.operation.name for kind in calls.LOGINS)}


def test_every_operation_is_described() -> None:
    """The document holds the table, each operation once."""
    found = [operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert sorted(found) == sorted(OPERATIONS)


def test_every_reference_leads_somewhere() -> None:
    """No schema is mentioned that is not there, and none is there for nothing."""
    names = {reference.removeprefix("#/components/schemas/") for reference in _references(DOCUMENT)}
    assert names == set(SCHEMAS)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.name)
def test_every_body_has_a_named_schema(operation: Operation) -> None:
    """That of the request, of every answer and of every error; bodies are absent only where there are none."""
    described = DOCUMENT["paths"][operation.path][operation.method.lower()]
    bodies = [described["requestBody"]] if operation.request else []
    bodies += [answer for status, answer in described["responses"].items() if status != "204"]
    if operation.answers.get(204, "") is None:
        assert "content" not in described["responses"]["204"]
    for body in bodies:
        [content] = body["content"].values()
        assert list(content["schema"]) == ["$ref"]


def test_requests_forbid_unknown_fields() -> None:
    """Each object with named fields is closed; only users' own values, and maps of names, are open."""
    for name, schema in SCHEMAS.items():
        if schema.get("type") == "object" and "properties" in schema:
            assert schema["additionalProperties"] is False, name


def test_names_are_percent_encoded_in_paths() -> None:
    """A slash in a name stays part of the name."""
    url = OPERATIONS["finish"].url("a/b ü%", "..x")
    assert url == "/api/v1/experiments/a%2Fb%20%C3%BC%25/jobs/..x/finish/"


def test_a_server_below_a_path_says_so() -> None:
    """The document's server is where the proxy shows it."""
    assert openapi("1", "/sweeps")["servers"] == [{"url": "/sweeps"}]
    assert DOCUMENT["servers"] == [{"url": "/"}]


def test_patterns_agree_with_the_check_of_names() -> None:
    """What the schema of a name allows begins and ends where `check_name` does."""
    pattern = re.compile(SCHEMAS["Name"]["pattern"])
    assert pattern.search("a b/😀")
    assert not pattern.search("a\x00b")
    assert not pattern.search("a\x85b")
    assert (SCHEMAS["Name"]["minLength"], SCHEMAS["Name"]["maxLength"]) == (1, 255)
