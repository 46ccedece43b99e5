"""How much memory a request may take: in proportion to its body, for every operation of the table."""

import json
import tracemalloc
from collections.abc import Iterator
from typing import Final

import pytest

from sweepstake.http.operations import OPERATIONS
from sweepstake.http.schemas import SCHEMAS
from sweepstake.server.receiving import SMALL_BODY
from sweepstake.wire.operation import JSON, Operation
from tests.kit.lab import new_key
from tests.unit.server.asking import BODIES, Server, asked

MIB: Final = 1024 * 1024
#: The promise: so many times the body, and so much beside it.
TIMES: Final = 32
BESIDE: Final = 16 * MIB

#: What fills a body, each for a way to take much memory with few bytes: a beginning, what is repeated, and an end.
FILLINGS: Final = {
    "numbers": (b"[", b"0,", b"0]"),
    "texts": (b"[", b'"ab",', b'""]'),
    "wide texts": (b'["\xf0\x9f\x98\x80",', b'"\xc4\x80",', b'""]'),
    "lists": (b'["\xf0\x9f\x98\x80",', b"[],", b"[]]"),
    "objects": (b"[", b'{"":0},', b"{}]"),
    "empty objects": (b"[", b"{},", b"{}]"),
    "chains": (b"[", b'{"":' * 60 + b"0" + b"}" * 60 + b",", b"0]"),
    "members": (b"{", None, b'"":0}'),
    "nothing": (b"", b" ", b"0"),
    "escapes": (b'"', b"\\u0000", b'"'),
}
QUICK: Final = ("numbers", "members")


def filling(kind: str, size: int) -> bytes:
    """Return a value of that kind and of about that size."""
    begin, repeated, end = FILLINGS[kind]
    if repeated is None:
        return begin + b"".join(b'"%x":0,' % i for i in range(size // 9)) + end
    return begin + repeated * (size // len(repeated)) + end


def bodies(operation: Operation, kind: str, size: int) -> Iterator[tuple[str, bytes]]:
    """Yield bodies for an operation: the filling by itself, and in the place of each field and of each item of it."""
    assert operation.request is not None
    full = filling(kind, size)
    yield "body", full
    for name, schema in SCHEMAS[operation.request]["properties"].items():
        sample = BODIES.get(operation.request, {"id": new_key(), "number": 1})
        rest = json.dumps({**sample, name: 0}).encode()
        place = b'"%s": 0' % name.encode()
        assert place in rest
        yield name, rest.replace(place, place[:-1] + full)
        if schema.get("type") == "object" or "$ref" in schema:
            yield f"{name}.x", rest.replace(place, place[:-1] + b'{"x":' + full + b"}")
        if name == "jobs":
            yield "jobs.x", rest.replace(place, place[:-1] + b'[{"hyperparameters":{"x":' + full + b"}}]")
        if name in ("scheduler", "experiment"):
            for search in (b'{"Grid":{"x":%s}}', b'{"RandomSearch":{"x":{"choice":{"values":%s}}}}'):
                inner = search % full
                if name == "experiment":
                    inner = b'{"status":"RUNNING","settings":{},"search":' + inner + b"}"
                    first = json.dumps({"id": new_key(), "number": 0, "experiment": 0}).encode()
                    yield "experiment.search", first.replace(place, place[:-1] + inner)
                else:
                    yield "scheduler.search", rest.replace(place, place[:-1] + inner)


def peak_of(server: Server, operation: Operation, body: bytes) -> tuple[int, int, int]:
    """Ask, and return the status, the length of the answer and the peak of the memory that it took."""
    path = operation.path.replace("{name}", "e").replace("{id}", "e").encode()
    tracemalloc.start()
    try:
        status, answer = server.ask(operation.method, path, body=body)
        return status, len(answer), tracemalloc.get_traced_memory()[1] + len(body)
    finally:
        tracemalloc.stop()


#: Those that take JSON.
TAKING: Final = [each for each in OPERATIONS.values() if each.request is not None and each.takes == JSON]


@pytest.mark.parametrize("kind", QUICK)
@pytest.mark.parametrize("operation", TAKING, ids=lambda operation: operation.name)
def test_memory_is_in_proportion_to_the_body(server: Server, operation: Operation, kind: str) -> None:
    """Whatever the body holds: counted before it is parsed, and refused at the first twenty faults."""
    check_memory(server, operation, kind, 400_000)


@pytest.mark.full
@pytest.mark.parametrize("kind", FILLINGS)
@pytest.mark.parametrize("operation", TAKING, ids=lambda operation: operation.name)
def test_memory_is_in_proportion_to_any_body(server: Server, operation: Operation, kind: str) -> None:
    """The same for every filling, where what is allowed beside the body matters little."""
    check_memory(server, operation, kind, 2_000_000)


def check_memory(server: Server, operation: Operation, kind: str, size: int) -> None:
    """Assert that no body of that filling takes more than is promised, and no answer is long."""
    for place, body in bodies(operation, kind, size if operation.role is not None else SMALL_BODY // 2):
        status, length, peak = peak_of(server, operation, body)
        assert status < 500, (place, status)
        assert status < 400 or length < 64 * 1024
        assert peak <= TIMES * len(body) + BESIDE, (place, status, peak / len(body))


LARGE: Final = [f"large{i}" for i in range(9)]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Jobs and experiments of six million characters each, and one of each beside them that is small."""
    with asked(tmp_path_factory.mktemp("large")) as server:
        for i, name in enumerate(LARGE):
            text = f'"{str(i) * 6_000_000}"'
            body = f'{{"id": "{name}", "tags": ["t"], "results": {{"a": {text}}}}}'.encode()
            assert server.ask("POST", b"/api/v1/experiments/e/jobs/", body=body)[0] == 201
            search = f'{{"scheduler": {{"Grid": {{"a": [{text}]}}}}}}'.encode()
            assert server.ask("PUT", f"/api/v1/experiments/{name}/".encode(), body=search)[0] == 200
        yield server


@pytest.mark.parametrize(
    "path, query, names",
    [
        (b"", b"", ["e", *LARGE]),
        (b"e/jobs/", b"", ["e", *LARGE]),
        (b"e/jobs/", b"&status=QUEUED", ["e", *LARGE]),
        (b"e/jobs/", b"&tag=t", LARGE),
        (b"e/jobs/", b"&part=large7", LARGE[7:8]),
        (b"e/export/", b"", ["e", *LARGE]),
    ],
)
def test_a_page_is_as_large_as_few_documents(large: Server, path: bytes, query: bytes, names: list[str]) -> None:
    """However many large ones there are, one request reads and answers with few, and the pages are all of them."""
    found: list[str] = []
    start = b""
    while True:
        status, answer, peak = listed(large, path, (start + query).removeprefix(b"&"))
        assert status == 200
        assert len(answer) < 24 * MIB
        assert peak < 112 * MIB, peak
        page = json.loads(answer)
        found += [item.get("id") or item["name"] for item in page.get("items", page.get("jobs", ()))]
        if page["next"] is None:
            break
        start = b"start=" + page["next"].encode()
    assert found == names


def test_what_an_order_cannot_answer_with_is_refused(large: Server) -> None:
    """The first of an order come in one page; of more than a server holds, the reason is said."""
    status, answer, peak = listed(large, b"e/jobs/", b"order=-results.a")
    assert status == 422
    assert "ask for fewer" in json.loads(answer)["detail"]
    assert peak < 160 * MIB, peak
    status, answer, peak = listed(large, b"e/jobs/", b"order=-results.a&limit=2")
    assert [item["id"] for item in json.loads(answer)["items"]] == ["large8", "large7"]


def listed(server: Server, path: bytes, query: bytes) -> tuple[int, bytes, int]:
    """Read, and return the status, the answer and the peak of the memory that it took."""
    tracemalloc.start()
    try:
        status, answer = server.ask("GET", b"/api/v1/experiments/" + path, query=query)
        return status, answer, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_early_refusal_names_what_is_too_much(server: Server) -> None:
    """600,000 wrong items are counted and not looked at."""
    status, answer = server.ask("POST", b"/api/v1/heartbeat/", body=b'{"attempts":[' + b"0," * 600_000 + b"0]}")
    assert status == 400
    assert "more than 1,010 values" in json.loads(answer)["detail"]


def test_lists_are_counted_before_their_items_are_read(server: Server) -> None:
    """The one fault that is named is the length."""
    body = json.dumps({"jobs": [0] * 5001}).encode()
    status, answer = server.ask("POST", b"/api/v1/experiments/e/bulk/", body=body)
    assert status == 400
    assert [error["path"] for error in json.loads(answer)["errors"]] == ["jobs"]


def test_at_most_twenty_faults_are_named(server: Server) -> None:
    """Of a thousand wrong jobs, and that there are more."""
    body = json.dumps({"jobs": [{"priority": "high", "tags": 1}] * 1000}).encode()
    status, answer = server.ask("POST", b"/api/v1/experiments/e/bulk/", body=body)
    faults = json.loads(answer)["errors"]
    assert status == 400
    assert len(faults) == 21
    assert faults[0]["path"] == "jobs[0].priority"
    assert faults[-1]["path"] == ""
