"""Requests that nobody means: whatever they hold, the server refuses them, and neither fails nor fills the memory."""

import json
import tracemalloc
from typing import Any, Final, TypeAlias
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sweepstake.domain.keys import item_key
from sweepstake.http.operations import OPERATIONS
from sweepstake.wire.operation import Operation
from tests.kit.lab import new_key
from tests.kit.strategies import json_values, texts
from tests.unit.server.asking import BODIES, Server

MIB: Final = 1024 * 1024
#: Method, path, query, headers and body.
Request: TypeAlias = tuple[str, bytes, bytes, dict[str, str], bytes]


def _mutants(tree: Any) -> st.SearchStrategy[Any]:
    """Draw trees that differ from the given one at some place."""
    if isinstance(tree, dict):
        fields = {name: st.just(value) | _mutants(value) for name, value in tree.items()}
        return (
            st.fixed_dictionaries({}, optional=fields) | st.dictionaries(texts, json_values, max_size=2) | json_values
        )
    if isinstance(tree, list):
        return st.lists(_mutants(tree[0]) | st.just(tree[0]), max_size=3) | json_values
    return json_values | st.sampled_from([10**400, -(2**63), 1e308, 0, "", "\x00", "\ud800", "." * 300])


def _body_of(operation: Operation) -> st.SearchStrategy[bytes]:
    kinds = [st.binary(max_size=40), json_values.map(lambda tree: json.dumps(tree).encode())]
    if operation.request is not None and operation.request in BODIES:
        mutants = _mutants(BODIES[operation.request]).map(lambda tree: json.dumps(tree).encode())
        kinds += [mutants, mutants, mutants]
    return st.one_of(kinds)


_names = (
    st.just(b"e") | texts.map(str.encode) | st.binary(max_size=8) | st.sampled_from([b"..", b".", b"x" * 300, b"\xff"])
)
_guards = st.sampled_from(["*", '"x"', 'W/"x"', '"x", "y"', "", '"', "x"]) | texts
_keys = st.just(new_key()) | st.just(item_key(new_key(), 3)) | texts


@st.composite
def _requests(draw: st.DrawFn) -> Request:
    operation = draw(st.sampled_from(list(OPERATIONS.values())))
    path = operation.path.encode()
    for word in (b"{name}", b"{id}"):
        path = path.replace(word, quote_from_bytes(draw(_names), safe="").encode())
    known = [parameter.name for parameter in operation.parameters if not parameter.header]
    values = texts | st.sampled_from(["-1", "0", "9" * 40, "results.x>=0.5", "x=1", "-", "true", "QUEUED", "²"])
    pairs = draw(st.lists(st.tuples(st.sampled_from(known) if known else texts, values), max_size=3))
    query = "&".join(f"{name}={quote_from_bytes(value.encode())}" for name, value in pairs).encode("utf-8", "replace")
    query = draw(st.just(query) | st.binary(max_size=20))
    guards = {"If-Match": _guards, "If-None-Match": _guards, "Idempotency-Key": _keys, "Sweepstake-Attempt": _keys}
    headers = draw(st.fixed_dictionaries({}, optional={**guards, "Authorization": texts}))
    return operation.method, path, query, headers, draw(_body_of(operation))


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(request=_requests())
@example(request=("POST", b"/api/v1/heartbeat/", b"", {}, b"[" * 60_000))
@example(request=("POST", b"/api/v1/experiments/e/jobs/", b"", {}, b'{"hyperparameters":{"a":1e999999}}'))
@example(request=("POST", b"/api/v1/experiments/e/jobs/", b"", {}, b'{"priority":1e300}'))
@example(request=("POST", b"/api/v1/experiments/e/jobs/", b"", {}, b"\xff\xfe{\x00}\x00"))
@example(request=("GET", b"/api/v1/experiments/e/jobs/", b"where=" + b"x%3D" * 500, {}, b""))
def test_no_request_makes_the_server_fail(
    server: Server, request: tuple[str, bytes, bytes, dict[str, str], bytes]
) -> None:
    """It is answered, or refused with a problem of moderate length that says why."""
    status, answer = server.ask(*request)
    assert status < 500, answer
    if status >= 400:
        assert json.loads(answer)["status"] == status
        assert len(answer) < 64 * 1024


BIG: Final = {
    "lists": b'{"hyperparameters":{"a":[' + b"[]," * (2 * MIB) + b"[]]}}",
    "depth": b'{"hyperparameters":' + b'{"a":' * MIB,
    "brackets": b"[" * (8 * MIB),
    "digits": b'{"priority":' + b"9" * (8 * MIB) + b"}",
    "unknown fields": b"{" + b",".join(b'"k%d":0' % i for i in range(40_000)) + b"}",
    "wrong items": b'{"tags":[' + b"0," * (MIB // 8) + b"0]}",
    "one long text": b'{"notes":"' + b"x" * (8 * MIB) + b'"}',
    "cut off": b'{"hyperparameters":{"a":"' + b"x" * (8 * MIB),
}


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in BIG.items()])
def test_a_large_body_does_not_fill_the_memory(server: Server, body: bytes) -> None:
    """It is refused at the cost of a few times its size, in a short answer."""
    tracemalloc.start()
    try:
        status, answer = server.ask("POST", b"/api/v1/experiments/e/jobs/", body=body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 400 <= status < 500, answer[:200]
    assert len(answer) < 64 * 1024
    assert peak < 12 * len(body) + 8 * MIB


def test_without_credentials_only_small_bodies_are_read(server: Server) -> None:
    """Nobody needs more for an email and a password."""
    body = b'{"email":"a@b","token":"' + b"x" * (128 * 1024) + b'"}'
    assert server.ask("POST", b"/api/v1/passauth/", body=body)[0] == 413
    assert server.ask("POST", b"/api/v1/token/", headers={"transfer-encoding": "chunked"}, body=body)[0] == 413
