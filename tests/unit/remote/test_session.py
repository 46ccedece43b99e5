"""Requests to a server, its proxies, and what is not a server at all."""

import http.server
import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from sweepstake.domain.queries import Condition, JobQuery, Order
from sweepstake.domain.records import Guard
from sweepstake.domain.status import JobStatus
from sweepstake.errors import (
    ConfigurationError,
    InvalidInputError,
    NotFoundError,
    ServerError,
    StoreUnavailableError,
    UnhandledResponseError,
)
from sweepstake.remote import RemoteQueue
from sweepstake.remote.session import HttpSession
from tests.lab import document, new_key

TOKEN = "sws_a-very-secret-token"


@attrs.define
class Script:
    """A server that answers whatever it is told, and remembers what it was asked."""

    url: str
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = attrs.field(factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = attrs.field(factory=list)
    peers: set[tuple[str, int]] = attrs.field(factory=set)


@pytest.fixture
def script() -> Iterator[Script]:
    """The scripted server, on a port of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            made.asked.append((self.command, self.path, dict(self.headers), body))
            made.peers.add(self.client_address)
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(made.body)))
            self.end_headers()
            self.wfile.write(made.body)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 -- the names that the library calls

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Script(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def session(script: Script) -> Iterator[HttpSession]:
    """A session with that server."""
    opened = HttpSession(script.url, TOKEN)
    yield opened
    opened.close()


def test_a_request_carries_what_it_must(script: Script, session: HttpSession) -> None:
    """The token, the body as JSON, and the headers of the call."""
    script.body = b'{"a": [1]}'
    reply = session.request("PUT", "/x%2Fy/?q=1", {"If-Match": '"e"'}, '{"ü":1}')
    assert (reply.status, reply.tree) == (200, {"a": [1]})
    [(method, path, headers, body)] = script.asked
    assert (method, path, body.decode()) == ("PUT", "/x%2Fy/?q=1", '{"ü":1}')
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["If-Match"] == '"e"'
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "headers, wait",
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Fri, 20 Nov 2026 12:00:30 GMT", "Date": "Fri, 20 Nov 2026 12:00:00 GMT"}, 30.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_a_server_that_is_away_may_say_for_how_long(
    script: Script, session: HttpSession, headers: dict[str, str], wait: float | None
) -> None:
    """In seconds, or as a date by its own clock."""
    script.status, script.headers = 503, headers
    with pytest.raises(StoreUnavailableError) as caught:
        session.request("GET", "/", {})
    if "Date" in headers:  # the scripted server sends a second Date of its own
        assert caught.value.retry_after is None or caught.value.retry_after >= 0
    else:
        assert caught.value.retry_after == wait


def test_nobody_there_is_worth_another_try() -> None:
    """A refused connection is a store that is away, and is told in a few words."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(StoreUnavailableError, match=r"did not answer: Connection refused$"):
        HttpSession(f"http://127.0.0.1:{port}").request("GET", "/", {})


def test_an_answer_cut_short_is_worth_another_try() -> None:
    """Whether the call was made, only a repeat will tell."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(StoreUnavailableError):
            HttpSession(f"http://127.0.0.1:{listener.getsockname()[1]}").request("GET", "/", {})
        thread.join()


@pytest.mark.parametrize("body", [b"<html>log in here</html>", b"\xff", b"{"])
def test_an_answer_that_is_not_json_is_not_ours(script: Script, session: HttpSession, body: bytes) -> None:
    """It is told apart from an empty one."""
    script.body = body
    with pytest.raises(UnhandledResponseError, match="is it a Sweepstake server"):
        session.request("GET", "/", {})


def test_an_answer_of_another_shape_says_what_to_do(script: Script) -> None:
    """JSON that is no job names what is wrong with it."""
    script.body = b'{"id": 3}'
    with pytest.raises(UnhandledResponseError, match="update sweepstake"):
        RemoteQueue(script.url).get_job("a", "b")


def test_a_redirect_is_not_followed(script: Script, session: HttpSession) -> None:
    """The token goes to nobody else."""
    script.status, script.headers = 307, {"Location": "http://127.0.0.1:9/"}
    with pytest.raises(UnhandledResponseError, match="307"):
        session.request("GET", "/", {})


@pytest.mark.parametrize("status, error", [(404, NotFoundError), (500, ServerError), (502, StoreUnavailableError)])
def test_errors_arrive_as_ours(script: Script, session: HttpSession, status: int, error: type[Exception]) -> None:
    """With the detail that the answer holds."""
    script.status, script.body = status, json.dumps({"detail": "what happened"}).encode()
    with pytest.raises(error, match="what happened"):
        session.request("GET", "/", {})


def test_a_token_is_never_shown(script: Script, session: HttpSession, caplog: pytest.LogCaptureFixture) -> None:
    """Not in reprs, not in errors, not in any log."""
    caplog.set_level(logging.DEBUG)
    script.status = 500
    with pytest.raises(ServerError) as caught:
        session.request("POST", "/", {}, "{}")
    shown = f"{session!r} {RemoteQueue(script.url, TOKEN)!r} {caught.value!r} {caplog.text}"
    assert TOKEN not in shown


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://x", "http://", "http://u:p@host", "http://x/?a=1", "http://x/#a", "http://[x/"]
)
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError):
        HttpSession(url)


@pytest.mark.parametrize("token", ["a b", "a\n", "é", ""])
def test_what_is_no_token_is_refused(token: str) -> None:
    """Without repeating it."""
    with pytest.raises(ConfigurationError, match="copy it again"):
        HttpSession("http://localhost", token)


@pytest.mark.parametrize("tail", ["", "/", "/api/v1", "/api/v1/"])
def test_the_root_may_be_written_in_every_way(script: Script, tail: str) -> None:
    """With or without the API's path, which old configurations hold."""
    HttpSession(f"{script.url}/sweeps{tail}").request("GET", "/readyz", {})
    assert script.asked[0][1] == "/sweeps/readyz"


def test_a_proxy_is_read_from_the_environment_once(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call of a thread reads it, later ones do not."""
    monkeypatch.setenv("http_proxy", script.url)
    session = HttpSession("http://sweeps.example.org", TOKEN)
    session.request("GET", "/readyz", {})
    monkeypatch.delenv("http_proxy")
    session.request("GET", "/readyz", {})
    assert [path for _, path, _, _ in script.asked] == ["http://sweeps.example.org/readyz"] * 2
    session.close()


def test_threads_have_connections_of_their_own(script: Script, session: HttpSession) -> None:
    """And each keeps its own for the next call."""

    def ask() -> None:
        session.request("GET", "/", {})
        session.request("GET", "/", {})

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(script.asked), len(script.peers)) == (6, 3)


def test_a_forked_child_has_a_connection_of_its_own(script: Script, session: HttpSession) -> None:
    """The parent's goes on working after the child ended."""
    session.request("GET", "/", {})
    child = os.fork()
    if child == 0:
        status = 1
        try:
            session.request("GET", "/", {})
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    session.request("GET", "/", {})
    assert (len(script.asked), len(script.peers)) == (3, 2)


def test_names_are_checked_before_they_are_sent(script: Script) -> None:
    """What no store could hold does not travel."""
    with pytest.raises(InvalidInputError, match="id"):
        RemoteQueue(script.url).put_job("a", "..", document(), guard=Guard.match("x"), key=new_key())
    assert not script.asked


def test_a_query_is_written_as_the_server_reads_it(script: Script) -> None:
    """Text values are quoted, so that `"1"` is not taken for 1."""
    script.body = b'{"items": [], "next": null}'
    query = JobQuery(
        status=frozenset({JobStatus.DONE, JobStatus.CRASHED}),
        tag="a&b",
        where=(Condition("optimizer", "=", "1"), Condition.parse("results.loss<NaN")),
        order=Order("loss", descending=True),
    )
    RemoteQueue(script.url).list_jobs("a", query, start="7", limit=5)
    assert script.asked[0][1] == (
        "/api/v1/experiments/a/jobs/?limit=5&start=7&status=CRASHED&status=DONE&tag=a%26b"
        "&where=optimizer%3D%221%22&where=results.loss%3CNaN&order=-loss"
    )
