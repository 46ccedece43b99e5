"""Requests to a server, its proxies, and what is not a server at all."""

import gzip
import http.server
import json
import logging
import os
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import attrs
import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.query.queries import Condition, JobQuery, Order
from sweepstake.domain.records import Guard
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import (
    ConfigurationError,
    InvalidInputError,
    NotFoundError,
    ServerError,
    StoreUnavailableError,
    UnhandledResponseError,
)
from sweepstake.http.answer import MAX_ANSWER
from sweepstake.http.session import HttpSession
from tests.kit.lab import document, draft, new_key
from tests.kit.stores import remote_queue

TOKEN = "sws_a-very-secret-token"
#: What an operation answers, as far as these tests go.
ANSWERS = {200: "Thing", 204: None}


@attrs.define
class Script:
    """A server that answers whatever it is told, and remembers what it was asked."""

    url: str
    status: int = 200
    body: bytes = b"{}"
    kind: str = "application/json"
    headers: dict[str, str] = attrs.field(factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = attrs.field(factory=list)
    peers: set[tuple[str, int]] = attrs.field(factory=set)


@pytest.fixture
def script() -> Iterator[Script]:
    """The scripted server, on a port of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for the client to acknowledge its headers

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            made.asked.append((self.command, self.path, dict(self.headers), body))
            made.peers.add(self.client_address)
            self.send_response(made.status)
            for name, value in {"Content-Type": made.kind, **made.headers}.items():
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
    reply = session.request("PUT", "/x%2Fy/?q=1", {"If-Match": '"e"'}, '{"ü":1}', answers=ANSWERS)
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
        session.request("GET", "/", {}, answers=ANSWERS)
    if "Date" in headers:  # the scripted server sends a second Date of its own
        assert caught.value.retry_after is None or caught.value.retry_after >= 0
    else:
        assert caught.value.retry_after == wait


def test_nobody_there_is_worth_another_try() -> None:
    """A refused connection is a store that is away, and is told in a few words."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(StoreUnavailableError, match=r"did not answer: Connection refused$"):
        HttpSession(f"http://127.0.0.1:{port}").request("GET", "/", {}, answers=ANSWERS)


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
            HttpSession(f"http://127.0.0.1:{listener.getsockname()[1]}").request("GET", "/", {}, answers=ANSWERS)
        thread.join()


#: What others say in our place, by the kind that they give it.
FOREIGN = [
    ("text/html", b"<html>log in here</html>"),
    ("text/plain", b"404 page not found"),
    ("application/json", b""),
    ("application/json", b"{"),
    ("application/json", b"\xff"),
    ("text/html", b'{"id": "x"}'),
    ("application/json", b'{"message": "no Route matched", "detail": "?"}'),
    ("application/problem+json", b'{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "?"}'),
    ("application/problem+json", b'{"type": "https://ingress.example/not-found", "detail": "there is no such job"}'),
    ("application/json", b'{"type": "urn:sweepstake:problem:not-found", "detail": "there is no such job"}'),
    ("application/problem+json", b'{"type": "urn:sweepstake:pro'),
    ("", b""),
]
STATUSES = [200, 201, 202, 206, 301, 302, 307, 308, 400, 401, 403, 404, 405, 407, 408, 409, 410, 412, 413, 418]
STATUSES += [421, 422, 425, 429, 431, 451, 500, 502, 503, 504, 508, 511, 520, 522, 524, 525, 530, 599]


@pytest.mark.parametrize("kind, body", FOREIGN)
def test_what_others_answer_is_a_store_that_is_away(script: Script, kind: str, body: bytes) -> None:
    """Of whatever status, to whatever verb: only JSON of the operation's status, or a problem of ours, is an answer."""
    script.kind, script.body = kind, body
    queue = remote_queue(script.url)
    for status in STATUSES:
        script.status = status
        for call in (
            lambda: queue.get_job("sweep", "a"),
            lambda: queue.claim("sweep", worker="w", key=new_key()),
            lambda: queue.put_job("sweep", "a", document(), guard=Guard.match("x"), key=new_key()),
            lambda: queue.finish("sweep", "a", Finish(attempt=new_key(), outcome=Outcome.DONE), key=new_key()),
            lambda: queue.add_jobs("sweep", [draft("b")], key=new_key()),
            lambda: queue.heartbeat([new_key()]),
        ):
            with pytest.raises(StoreUnavailableError):
                call()
    queue.close()


def test_a_server_that_is_too_old_for_a_call_is_to_be_updated(script: Script) -> None:
    """As every release says it of a path that it has not; a path too many in the URL looks the same."""
    script.status, script.kind = 404, "application/problem+json"
    script.body = json.dumps(
        {
            "type": "urn:sweepstake:problem:not-found",
            "title": "Not found",
            "status": 404,
            "detail": "there is no such path; those of the API begin with /api/v1/ and end with a slash",
        }
    ).encode()
    with pytest.raises(NotFoundError, match="does not know this call: update the server, which is older than this"):
        remote_queue(script.url).get_spec("sweep", None)


@pytest.mark.parametrize("status, body", [(200, b""), (200, b"<html>welcome</html>"), (202, b""), (404, b"gone")])
def test_a_page_is_not_taken_for_a_delete(script: Script, status: int, body: bytes) -> None:
    """An empty answer counts only with the status that the operation has for it."""
    script.status, script.body, script.kind = status, body, "text/html"
    with pytest.raises(StoreUnavailableError, match="no answer of a Sweepstake server"):
        remote_queue(script.url).delete_job("sweep", "a", guard=Guard.match("x"), key=new_key())


def test_an_empty_answer_to_a_claim_says_why(script: Script) -> None:
    """One without our reason is nobody's."""
    script.status, script.body = 204, b""
    with pytest.raises(StoreUnavailableError):
        remote_queue(script.url).claim("sweep", worker="w", key=new_key())


def test_an_answer_of_another_shape_says_what_to_do(script: Script) -> None:
    """JSON that is no job names what is wrong with it; from a server of ours it is worth no other try."""
    script.body = b'{"id": 3}'
    with pytest.raises(StoreUnavailableError, match="update sweepstake"):
        remote_queue(script.url).get_job("a", "b")
    script.headers = {"Sweepstake-Store": "s1"}
    with pytest.raises(UnhandledResponseError, match="update sweepstake"):
        remote_queue(script.url).get_job("a", "b")


def test_a_redirect_is_not_followed(script: Script, session: HttpSession) -> None:
    """The token goes to nobody else, and the error says where it points."""
    script.status, script.headers = 307, {"Location": "http://127.0.0.1:9/"}
    with pytest.raises(StoreUnavailableError, match=r"307.*points to http://127.0.0.1:9/"):
        session.request("GET", "/", {}, answers=ANSWERS)


@pytest.mark.parametrize(
    "status, slug, error",
    [
        (404, "not-found", NotFoundError),
        (500, "internal", ServerError),
        (502, "unavailable", StoreUnavailableError),
    ],
)
def test_errors_arrive_as_ours(
    script: Script, session: HttpSession, status: int, slug: str, error: type[Exception]
) -> None:
    """With the detail that the answer holds."""
    script.status, script.kind = status, "application/problem+json; charset=utf-8"
    script.body = json.dumps({"type": f"urn:sweepstake:problem:{slug}", "detail": "what happened"}).encode()
    with pytest.raises(error, match="what happened"):
        session.request("GET", "/", {}, answers=ANSWERS)


def test_a_server_with_another_store_is_away(script: Script) -> None:
    """What is said of another store's jobs is not taken for ours; each request says which store it is meant for."""
    script.headers, script.status, script.body = {"Sweepstake-Store": "first"}, 204, b""
    queue = remote_queue(script.url)
    queue.delete_job("sweep", "a", guard=Guard.match("x"), key=new_key())
    assert queue.identity == "first"
    script.headers = {"Sweepstake-Store": "second"}
    with pytest.raises(StoreUnavailableError, match="another store now"):
        queue.delete_job("sweep", "a", guard=Guard.match("x"), key=new_key())
    assert [headers.get("Sweepstake-Store") for _, _, headers, _ in script.asked] == [None, "first"]
    assert queue.identity == "first"


def test_a_packed_answer_is_read(script: Script, session: HttpSession) -> None:
    """Some proxies pack what they were not asked to."""
    script.body, script.headers = gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip"}
    assert session.request("GET", "/", {}, answers=ANSWERS).tree == {"a": 1}


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_small_answer_does_not_fill_the_memory(script: Script, session: HttpSession, coding: str) -> None:
    """What unpacks to more than any answer of ours is given up, with little more memory than the limit."""
    pack = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16 if coding == "gzip" else zlib.MAX_WBITS)
    packed = pack.compress(b'"')
    packed += b"".join(pack.compress(bytes(1 << 20)) for _ in range(512)) + pack.flush()
    assert len(packed) < 1 << 20
    script.body, script.headers = packed, {"Content-Encoding": coding}
    tracemalloc.start()
    with pytest.raises(StoreUnavailableError, match="larger than"):
        session.request("GET", "/", {}, answers=ANSWERS)
    assert tracemalloc.get_traced_memory()[1] < 3 * MAX_ANSWER
    tracemalloc.stop()


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip"])
def test_an_unknown_packing_is_given_up(script: Script, session: HttpSession, coding: str) -> None:
    """It was not asked for."""
    script.headers = {"Content-Encoding": coding}
    with pytest.raises(StoreUnavailableError, match="not asked for"):
        session.request("GET", "/", {}, answers=ANSWERS)


@pytest.mark.parametrize(
    "head", ["", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n"]
)
def test_an_answer_that_trickles_ends(head: str) -> None:
    """Neither headers nor a body that come byte by byte hold a call longer than an answer may take."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            connection, _ = listener.accept()
            connection.recv(1000)
            with suppress(OSError), connection:
                connection.sendall(head.encode())
                while not ended.wait(0.1):
                    connection.sendall(b"H")

        thread = threading.Thread(target=trickle)
        thread.start()
        began, url = time.monotonic(), f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(StoreUnavailableError):
            HttpSession(url, seconds=1.0).request("GET", "/", {}, answers=ANSWERS)
        assert time.monotonic() - began < 20
        ended.set()
        thread.join()


def test_a_token_is_never_shown(script: Script, session: HttpSession, caplog: pytest.LogCaptureFixture) -> None:
    """Not in reprs, not in errors, not in any log."""
    caplog.set_level(logging.DEBUG)
    script.status, script.kind, script.body = 500, "application/problem+json", b'{"type": "urn:sweepstake:problem:x"}'
    with pytest.raises(ServerError) as caught:
        session.request("POST", "/", {}, "{}", answers=ANSWERS)
    shown = f"{session!r} {remote_queue(script.url, TOKEN)!r} {caught.value!r} {caplog.text}"
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
    HttpSession(f"{script.url}/sweeps{tail}").request("GET", "/readyz", {}, answers=ANSWERS)
    assert script.asked[0][1] == "/sweeps/readyz"


def test_a_proxy_is_read_from_the_environment_once(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call of a thread reads it, later ones do not."""
    monkeypatch.setenv("http_proxy", script.url)
    session = HttpSession("http://sweeps.example.org", TOKEN)
    session.request("GET", "/readyz", {}, answers=ANSWERS)
    monkeypatch.delenv("http_proxy")
    session.request("GET", "/readyz", {}, answers=ANSWERS)
    assert [path for _, path, _, _ in script.asked] == ["http://sweeps.example.org/readyz"] * 2
    session.close()


def test_threads_have_connections_of_their_own(script: Script, session: HttpSession) -> None:
    """And each keeps its own for the next call."""

    def ask() -> None:
        session.request("GET", "/", {}, answers=ANSWERS)
        session.request("GET", "/", {}, answers=ANSWERS)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(script.asked), len(script.peers)) == (6, 3)


def test_a_forked_child_has_a_connection_of_its_own(script: Script, session: HttpSession) -> None:
    """The parent's goes on working after the child ended."""
    session.request("GET", "/", {}, answers=ANSWERS)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            session.request("GET", "/", {}, answers=ANSWERS)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    session.request("GET", "/", {}, answers=ANSWERS)
    assert (len(script.asked), len(script.peers)) == (3, 2)


def test_names_are_checked_before_they_are_sent(script: Script) -> None:
    """What no store could hold does not travel."""
    with pytest.raises(InvalidInputError, match="id"):
        remote_queue(script.url).put_job("a", "..", document(), guard=Guard.match("x"), key=new_key())
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
    remote_queue(script.url).list_jobs("a", query, start="7", limit=5)
    assert script.asked[0][1] == (
        "/api/v1/experiments/a/jobs/?start=7&limit=5&status=CRASHED&status=DONE&tag=a%26b"
        "&where=optimizer%3D%221%22&where=results.loss%3CNaN&order=-loss"
    )
