"""The server as Schedy's clients, curl and broken programs see it: raw requests to a real process."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import attrs
import pytest
import requests

from sweepstake.http.operations import OPERATIONS
from sweepstake.wire.operation import Operation
from tests.kit.lab import new_key
from tests.kit.serving import EMAIL, PASSWORD, Served, served

MANUAL = {"status": "RUNNING", "scheduler": {"Manual": None}}


@attrs.frozen
class Api:
    """Raw requests with the credentials of the server's user."""

    server: Served

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """Send a request; a body that is no text is sent as JSON, and `_` in a header's name is a dash."""
        sent = {"Authorization": f"Bearer {self.server.token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        data = body if isinstance(body, (str, bytes)) or body is None else json.dumps(body)
        return requests.request(method, f"{self.server.url}{path}", data=data, headers=sent, timeout=30)

    def new(self, **definition: Any) -> str:
        """Make an experiment and return its path."""
        path = f"/api/v1/experiments/{quote(f'é/{new_key()}', safe='')}/"
        answer = self.call("PUT", path, MANUAL | definition)
        assert answer.status_code == 200, answer.text
        return path

    def add(self, experiment: str, **job: Any) -> requests.Response:
        """Add a job in Schedy's way."""
        answer = self.call("POST", f"{experiment}jobs/", {"status": "QUEUED", **job})
        assert answer.status_code == 201, answer.text
        return answer


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server over SQLite."""
    with served(f"sqlite:///{tmp_path_factory.mktemp('server')}/store.db") as server:
        yield Api(server)


def _raw(url: str, request: bytes) -> bytes:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def _problem(answer: requests.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["type"].startswith("urn:sweepstake:problem:")
    return problem


def test_endless_headers_are_refused(api: Api) -> None:
    """A request whose headers nobody could mean is answered 431, without looking at it."""
    _problem(api.call("GET", "/api/v1/experiments/", X_Long="x" * 70_000), 431)
    _problem(api.call("GET", "/api/v1/experiments/", **{f"X_{i}": "x" for i in range(200)}), 431)


def test_schedys_shapes_are_exact(api: Api) -> None:
    """The keys that its client reads are there, and a page has two keys only."""
    experiment = api.new()
    job = api.add(experiment, hyperparameters={"a": 1}).json()
    page = api.call("GET", f"{experiment}jobs/").json()
    assert {"id", "experiment", "status", "hyperparameters", "results"} <= job.keys()
    assert page.keys() == {"items", "next"}
    assert page["items"] == [job]
    listing = api.call("GET", "/api/v1/experiments/").json()
    assert listing.keys() == {"items", "next"}
    assert listing["items"][-1]["scheduler"] == {"Manual": None}
    assert {"name", "status"} <= listing["items"][-1].keys()


def test_every_document_comes_with_its_etag(api: Api) -> None:
    """On POST, GET, nextjob and PUT, and each is the last one's."""
    experiment = api.new()
    posted = api.add(experiment)
    path = f"{experiment}jobs/{posted.json()['id']}/"
    etags = [posted.headers["ETag"], api.call("GET", path).headers["ETag"]]
    etags.append(api.call("GET", f"{experiment}nextjob/").headers["ETag"])
    assert len(set(etags)) == 1
    put = api.call("PUT", path, {"status": "RUNNING"}, If_Match=etags[0])
    assert put.status_code == 200
    assert put.headers["ETag"] not in etags
    assert api.call("GET", path).headers["ETag"] == put.headers["ETag"] == f'"{put.json()["etag"]}"'
    assert api.call("GET", experiment).headers["ETag"]


def test_a_put_replaces_the_document(api: Api) -> None:
    """What is absent is empty afterwards, and what is beside the document stays."""
    experiment = api.new()
    job = api.add(experiment, hyperparameters={"a": 1}, results={"b": 2}, priority=5, tags=["x"]).json()
    put = api.call("PUT", f"{experiment}jobs/{job['id']}/", {"status": "DONE"}).json()
    assert (put["hyperparameters"], put["results"], put["status"]) == ({}, {}, "DONE")
    assert (put["priority"], put["tags"]) == (5, ["x"])


def test_a_put_without_settings_keeps_them(api: Api) -> None:
    """Schedy's client does not know them."""
    experiment = api.new(settings={"max_running": 1, "objective": "accuracy"})
    api.call("PUT", experiment, MANUAL | {"status": "DONE"})
    found = api.call("GET", experiment).json()
    assert found["status"] == "DONE"
    assert (found["settings"]["max_running"], found["settings"]["objective"]) == (1, "accuracy")


@pytest.mark.parametrize("target", ["", "jobs/x/"])
def test_a_guard_that_fails_answers_412(api: Api, target: str) -> None:
    """Creating what is there, ensuring what is not, and writing over somebody else's write."""
    path = api.new() + target
    body = MANUAL if not target else {"status": "QUEUED"}
    if target:
        assert api.call("DELETE", path, If_Match="*").status_code == 412
        assert api.call("PUT", path, body, If_None_Match="*").status_code == 201
    for headers in ({"If_None_Match": "*"}, {"If_Match": '"stale"'}):
        problem = _problem(api.call("PUT", path, body, **headers), 412)
        assert problem["type"].rpartition(":")[2] in ("exists", "unsafe-update")
    assert api.call("DELETE", path, If_Match="*").status_code == 204
    assert api.call("DELETE", path, If_Match="*").status_code == 412


def test_a_client_that_reports_under_its_puts_key_finds_it_in_the_etag(api: Api) -> None:
    """As the ones of before there were names of keys do, which take a name for no key; others are told the name."""
    path = api.new()
    for headers, same in (({}, True), ({"Sweepstake_Store": api.call("GET", path).headers["Sweepstake-Store"]}, False)):
        job, key = f"{path}jobs/{new_key()}/", new_key()
        put = api.call("PUT", job, {"status": "RUNNING"}, Idempotency_Key=key, **headers)
        assert (put.json()["etag"] == key) is same
        assert put.headers["ETag"] == f'"{put.json()["etag"]}"'
        again = {"status": "RUNNING", "results": {"a": 1}}
        more = {"If_Match": put.headers["ETag"], "Sweepstake_Attempt": key, **headers}
        put = api.call("PUT", job, again, Idempotency_Key=new_key(), **more)
        assert put.status_code == 200, put.text
        finish = {"attempt": key, "outcome": "done", "results": {"a": 2}}
        finished = api.call("POST", f"{job}finish/", finish, **headers).json()
        assert (finished["recorded"], finished["job"]["status"], finished["job"]["results"]) == (True, "DONE", {"a": 2})
        assert api.call("GET", job).json()["etag"] != key


def test_a_put_to_running_at_the_limit_answers_412(api: Api) -> None:
    """So that Schedy's client asks for another job instead of giving up."""
    experiment = api.new(settings={"max_running": 1})
    first, second = (api.add(experiment) for _ in range(2))
    for job, status in ((first, 200), (second, 412)):
        path = f"{experiment}jobs/{job.json()['id']}/"
        assert api.call("PUT", path, {"status": "RUNNING"}, If_Match=job.headers["ETag"]).status_code == status


def test_nothing_to_offer_answers_204(api: Api) -> None:
    """When there is no job, and when the experiment is DONE."""
    experiment = api.new()
    assert api.call("GET", f"{experiment}nextjob/").status_code == 204
    api.add(experiment)
    api.call("PUT", experiment, MANUAL | {"status": "DONE"})
    answer = api.call("GET", f"{experiment}nextjob/")
    assert (answer.status_code, answer.content, answer.headers["Sweepstake-Reason"]) == (204, b"", "finished")
    claim = api.call("POST", f"{experiment}claim/", {})
    assert (claim.status_code, claim.headers["Sweepstake-Reason"]) == (204, "finished")


def test_nan_is_read_and_never_written(api: Api) -> None:
    """A bare token comes in, as Schedy's client sends it; what goes out is JSON."""
    experiment = api.new()
    answer = api.call("POST", f"{experiment}jobs/", '{"status": "DONE", "results": {"loss": NaN, "l": [-Infinity]}}')
    assert answer.status_code == 201
    expected = {"loss": {"$number": "NaN"}, "l": [{"$number": "-Infinity"}]}
    assert answer.json()["results"] == expected
    listing = api.call("GET", f"{experiment}jobs/?where=results.loss>0&order=-loss")
    assert listing.status_code == 200


@pytest.mark.parametrize("name", ["a/b", "%2F", "100%", "?x=1#y", "ü😀", "a+b &", "';--<b>", "..x", "jobs", "\\"])
def test_a_name_survives_its_path(api: Api, name: str) -> None:
    """Percent-encoded, whatever it holds; for a job's id as well."""
    path = f"/api/v1/experiments/{quote(name, safe='')}/"
    assert api.call("PUT", path, MANUAL).json()["name"] == name
    job = f"{path}jobs/{quote(name, safe='')}/"
    assert api.call("PUT", job, {"status": "QUEUED"}).json()["id"] == name
    assert api.call("GET", job).json()["experiment"] == name
    assert api.call("DELETE", path).status_code == 204


@pytest.mark.parametrize("name", ["%FF", "%00", "%0A", "%ED%A0%80", "a" * 256])
def test_a_name_that_cannot_be_is_refused(api: Api, name: str) -> None:
    """Invalid UTF-8, control characters and too much text are faults of the field."""
    problem = _problem(api.call("PUT", f"/api/v1/experiments/{name}/", MANUAL), 400)
    assert problem["errors"][0]["path"] == "name"


@pytest.mark.parametrize("name", ["%FF", "%00", "%0A", "%ED%A0%80", "a" * 300])
@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS.values() if "{" in each.path], ids=lambda each: each.name
)
def test_what_cannot_exist_is_not_found(api: Api, operation: Operation, name: str) -> None:
    """On every operation, at every place of its path; 400 is for what would be made."""
    api.call("PUT", "/api/v1/experiments/e/", MANUAL)
    for word in ("name", "id"):
        if f"{{{word}}}" in operation.path:
            path = operation.path.replace(f"{{{word}}}", name).replace("{name}", "e").replace("{id}", "a")
            made = word == operation.makes
            answer = api.call(operation.method, path, {} if operation.request else None)
            _problem(answer, 400 if made else 404)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"status": "QUEUED"',
        b"\xff\xfe",
        b'{"status": "LOST"}',
        b'{"status": 3}',
        b'{"hyperparameters": []}',
        b'{"results": "x"}',
        b'{"hyperparameters": {"a": "\\ud800"}}',
        b'{"unknown": 1}',
        b'{"priority": 1e99}',
        b'{"tags": [1]}',
        b"[" * 100_000,
        b'{"hyperparameters": ' + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}",
        b'{"hyperparameters": {"a": ' + b"9" * 5000 + b"}}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_malformed_body_is_refused_and_not_stored(api: Api, body: bytes) -> None:
    """The answer is 400 with the place of the fault, never a failure of the server."""
    experiment = api.new()
    problem = _problem(api.call("POST", f"{experiment}jobs/", body), 400)
    assert problem["errors"]
    assert api.call("GET", f"{experiment}jobs/").json()["items"] == []


@pytest.mark.parametrize(
    "scheduler",
    [
        {},
        {"Bayes": {}},
        {"Manual": {}},
        {"Manual": None, "Grid": {}},
        {"Grid": {"a": []}},
        {"Grid": {"a": {}}},
        {"RandomSearch": None},
        {"RandomSearch": {"a": {}}},
        {"RandomSearch": {"a": {"uniform": {"low": 1, "high": 1}}}},
        {"RandomSearch": {"a": {"uniform": {"low": "0", "high": 1}}}},
        {"RandomSearch": {"a": {"uniform": {"low": 0, "high": float("nan")}}}},
        {"RandomSearch": {"a": {"loguniform": {"low": 0, "high": 1}}}},
        {"RandomSearch": {"a": {"normal": {"mean": 0, "std": -1}}}},
        {"RandomSearch": {"a": {"choice": {"values": []}}}},
        {"RandomSearch": {"a": {"choice": {"values": [1], "weights": [0]}}}},
        {"RandomSearch": {"a": {"choice": {"values": [1], "weights": [1, 2]}}}},
        {"PBT": {}},
        {"PBT": {"objective": "up", "qualityResultName": "x", "exploit": {"truncate": 0.2}}},
        {"PBT": {"objective": "min", "qualityResultName": "x", "exploit": {"truncate": 0.2}, "maxGenerations": [1]}},
        {"PBT": {"objective": "min", "qualityResultName": "x", "exploit": {"truncate": 0.2}, "init": []}},
        {"PBT": {"objective": "min", "qualityResultName": "x", "exploit": {"truncate": 0.2}, "explore": 0}},
        3,
    ],
    ids=lambda scheduler: json.dumps(scheduler)[:50],
)
def test_a_search_that_cannot_propose_is_refused_and_not_stored(api: Api, scheduler: Any) -> None:
    """One bad experiment would break the whole listing of Schedy's client."""
    path = f"/api/v1/experiments/{new_key()}/"
    answer = api.call("PUT", path, {"status": "RUNNING", "scheduler": scheduler})
    problem = _problem(answer, answer.status_code)
    assert problem["status"] in (400, 422)
    assert problem["errors"][0]["path"].startswith("scheduler")
    assert api.call("GET", path).status_code == 404


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "status=LOST", "where=x", "order=", "nosuch=1"]
)
def test_a_query_that_means_nothing_is_refused(api: Api, query: str) -> None:
    """A filter that is misspelt must not show everything."""
    problem = _problem(api.call("GET", f"{api.new()}jobs/?{query}"), 400)
    assert problem["errors"][0]["path"] == query.partition("=")[0]


def test_a_method_that_is_not_possible_names_those_that_are(api: Api) -> None:
    """With Allow, as the standard says."""
    answer = api.call("PATCH", api.new())
    _problem(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "PUT", "DELETE"}


@pytest.mark.parametrize("path", ["/", "/api/v1/", "/api/v1/experiments", "/api/v2/experiments/", "/api/v1/x/../y/"])
def test_a_path_that_is_not_there_is_a_problem_as_well(api: Api, path: str) -> None:
    """Everything that goes wrong is told in one form."""
    _problem(api.call("GET", path), 404)


def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    """By its announced size, if the client waits for a word, or by what comes."""
    path = f"{api.new()}jobs/"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.server.token}\r\n"
    announced = _raw(api.server.url, f"{head}Content-Length: 68000000\r\nExpect: 100-continue\r\n\r\n".encode())
    assert b" 413 " in announced.split(b"\r\n")[0]
    chunk = b"400000\r\n" + b" " * 0x400000 + b"\r\n"
    streamed = _raw(api.server.url, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk * 17 + b"0\r\n\r\n")
    assert b" 413 " in streamed.split(b"\r\n")[0]


def test_a_large_document_is_kept(api: Api) -> None:
    """Up to the limit of a document, and one beyond it is refused."""
    experiment = api.new()
    assert len(api.add(experiment, results={"log": "x" * 7_000_000}).json()["results"]["log"]) == 7_000_000
    answer = api.call("POST", f"{experiment}jobs/", {"results": {"log": "x" * 10_000_000}})
    assert "too large" in _problem(answer, 400)["detail"]


def test_bad_credentials_answer_403(api: Api) -> None:
    """Schedy's client never logs in again on 401."""
    for path in ("token", "passauth"):
        for body in ({"email": EMAIL, "token": "wrong"}, {"email": "eve@example.org", "token": PASSWORD}):
            _problem(requests.post(f"{api.server.url}/api/v1/{path}/", json=body, timeout=30), 403)
    _problem(api.call("GET", "/api/v1/experiments/", Authorization="Bearer wrong"), 403)


@pytest.mark.parametrize("field", ["email", "token"])
@pytest.mark.parametrize("text", ["\ud800", "a\0b", "", "'; drop table users; --", "é" * 4000])
def test_credentials_that_nobody_can_have_are_wrong_ones(api: Api, field: str, text: str) -> None:
    """Whatever they hold; the server does not fail at them, though it may have enough of passwords."""
    body = {"email": EMAIL, "token": "x", field: text}
    _problem(requests.post(f"{api.server.url}/api/v1/token/", json=body, timeout=30), 403)
    answer = requests.post(f"{api.server.url}/api/v1/passauth/", json=body, timeout=30)
    _problem(answer, 429 if answer.status_code == 429 else 403)


def test_missing_credentials_answer_401(api: Api) -> None:
    """And say what kind is wanted."""
    answer = requests.get(f"{api.server.url}/api/v1/experiments/", timeout=30)
    _problem(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/metrics"])
def test_operators_need_no_credentials(api: Api, path: str) -> None:
    """A load balancer has none."""
    assert requests.get(f"{api.server.url}{path}", timeout=30).status_code == 200
    assert requests.head(f"{api.server.url}{path}", timeout=30).status_code == 200


def test_a_reset_token_replaces_the_old_one(tmp_path: Path) -> None:
    """The answer is a configuration with which Schedy's client goes on."""
    with served(f"sqlite:///{tmp_path}/store.db") as server:
        signed = requests.post(
            f"{server.url}/api/v1/passauth/", json={"email": EMAIL, "token": PASSWORD}, timeout=30
        ).json()
        assert isinstance(signed["expiresAt"], float)
        answer = requests.post(
            f"{server.url}/api/v1/resettoken/", headers={"Authorization": f"Bearer {signed['token']}"}, timeout=30
        ).json()
        assert answer.keys() == {"root", "email", "token"}
        assert (answer["root"], answer["email"]) == (f"{server.url}/api/v1/", EMAIL)
        assert Api(server).call("GET", "/api/v1/experiments/").status_code == 403
        new = server.with_token(answer["token"])
        assert Api(new).call("GET", "/api/v1/experiments/").status_code == 200


def test_a_job_that_is_there_is_answered_with_200(api: Api) -> None:
    """A single add answers with the job itself; a bulk tells what was left out, or nothing."""
    experiment = api.new()
    jobs, bulk = f"{experiment}jobs/?on_duplicate=skip", f"{experiment}bulk/?on_duplicate=skip"
    first = api.call("POST", jobs, {"hyperparameters": {"a": 1, "b": 2}})
    again = api.call("POST", jobs, {"hyperparameters": {"b": 2, "a": 1}})
    assert (first.status_code, again.status_code) == (201, 200)
    assert (again.json(), again.headers["ETag"]) == (first.json(), first.headers["ETag"])
    both = {"jobs": [{"hyperparameters": {"a": 3}}, {"hyperparameters": {"a": 1, "b": 2}}]}
    found = api.call("POST", bulk, both)
    assert (found.status_code, found.json()) == (200, {"duplicates": [{"place": 1, "id": first.json()["id"]}]})
    assert api.call("POST", bulk, {"jobs": [{"hyperparameters": {"a": 4}}]}).status_code == 204
    refused = api.call("POST", f"{experiment}bulk/?on_duplicate=error", both)
    assert _problem(refused, 412)["type"].endswith(":exists")
    _problem(api.call("POST", f"{experiment}jobs/?on_duplicate=perhaps", {}), 400)


def test_dependencies_are_named_by_their_place(api: Api) -> None:
    """A job may wait for others by their ids, and says which those are; what is not there is refused."""
    experiment = api.new()
    first = api.add(experiment).json()["id"]
    second = api.add(experiment, depends_on=[first], prune_with=True).json()
    assert second["waiting"] == 1
    found = api.call("GET", f"{experiment}jobs/{second['id']}/dependencies/").json()
    assert found == {"dependencies": [{"id": first, "status": "QUEUED", "prune_with": True}]}
    refused = _problem(api.call("POST", f"{experiment}bulk/", {"jobs": [{}, {"depends_on": [first, "x"]}]}), 422)
    assert [error["path"] for error in refused["errors"]] == ["jobs[1].depends_on[1]"]
    refused = _problem(api.call("POST", f"{experiment}jobs/", {"depends_on": [first, "x"]}), 422)
    assert [error["path"] for error in refused["errors"]] == ["depends_on[1]"]


def test_a_repeated_call_has_the_effect_of_one(api: Api) -> None:
    """By its Idempotency-Key; the same key for something else is refused."""
    experiment = api.new()
    key = new_key()
    first, second = (
        api.call("POST", f"{experiment}jobs/", {"hyperparameters": {"a": 1}}, Idempotency_Key=key) for _ in range(2)
    )
    assert first.json() == second.json()
    assert len(api.call("GET", f"{experiment}jobs/").json()["items"]) == 1
    assert _problem(api.call("DELETE", experiment, Idempotency_Key=key), 422)["type"].endswith(":key-reused")
    _problem(api.call("POST", f"{experiment}jobs/", {}, Idempotency_Key="mine"), 400)


@pytest.mark.parametrize(
    "where,status",
    [
        ("sched.warmup>.4", 200),
        ("o='adam'", 200),
        ("x=nan", 200),
        (" " * 4096, 400),
        ("a" + " " * 4095, 400),
        (" " * 4094 + "=1", 422),
        ("x", 400),
        ("x" * 4095 + "=1", 400),
        ("a > 3 and b = 4", 422),
        ("loss<best", 422),
        ("status=done", 422),
        ("x='a", 422),
    ],
)
def test_conditions_on_the_wire_are_in_the_language_of_the_client(api: Api, where: str, status: int) -> None:
    """A condition of another form is malformed, one that no job could fulfil is refused, and neither takes long."""
    answer = api.call("GET", f"{api.new()}jobs/?where={quote(where)}")
    assert answer.status_code == status, answer.text
    assert answer.elapsed.total_seconds() < 10


@pytest.mark.parametrize(
    "order,status", [("accuracy", 200), ("-", 400), ("", 400), ("x" * 4097, 400), ("loss desc", 422)]
)
def test_an_order_on_the_wire_is_in_the_language_of_the_client(api: Api, order: str, status: int) -> None:
    """A direction in words is refused, as by the client."""
    assert api.call("GET", f"{api.new()}jobs/?order={quote(order)}").status_code == status
