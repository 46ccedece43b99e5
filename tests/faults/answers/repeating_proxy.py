"""An HTTP proxy that delivers writes twice, and delivers old ones again later, in any order."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import attrs

__all__ = ["Delivered", "RepeatingProxy"]

_SECONDS = 120.0


@attrs.frozen
class Delivered:
    """A request that was delivered, and what it was answered."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer: bytes
    answer_headers: Sequence[tuple[str, str]]

    @property
    def key(self) -> str:
        """Its op key."""
        return self.headers.get("Idempotency-Key", "")


class RepeatingProxy:
    """Forwards requests on loopback to a server; each write is delivered twice at once with the given chance.

    Which of the two answers goes back is left to chance, too.

    Attributes:
        url: the server's URL, through the proxy.
        written: the writes with a key that were made, but for claims of nothing.
        twice: how many requests were delivered twice at once.
        asked: how many requests came for each path.
    """

    def __init__(self, url: str, chance: float, seed: int) -> None:
        self._target = urlsplit(url).netloc
        self._chance = chance
        self._dice = random.Random(seed)
        self._pool = ThreadPoolExecutor(16)
        self._local = threading.local()
        self._connections: list[HTTPConnection] = []
        self._server = _Server(("127.0.0.1", 0), self._forward)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.written: list[Delivered] = []
        self.twice = 0
        self.asked: Counter[str] = Counter()

    def __enter__(self) -> Self:
        """Forward for the length of a block."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forward no more."""
        self._server.shutdown()
        self._server.server_close()
        self._pool.shutdown()
        for connection in self._connections:
            connection.close()

    def deliver_again(self, which: int) -> int:
        """Deliver an old write once more, from nobody to nobody, and return the status of the answer."""
        old = self.written[which % len(self.written)]
        return self._deliver(old.method, old.path, old.headers, old.body).status

    def _forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Delivered:
        self.asked[path] += 1
        if method == "GET":
            return self._deliver(method, path, headers, body)
        if self._dice.random() >= self._chance:
            delivered = self._deliver(method, path, headers, body)
        else:
            self.twice += 1
            delivered = self._dice.choice(self._deliver_twice(method, path, headers, body))
        made = delivered.status in (200, 201) or (delivered.status == 204 and not path.endswith("claim/"))
        if made and delivered.key:
            self.written.append(delivered)
        return delivered

    def _deliver_twice(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Sequence[Delivered]:
        """Deliver at the same moment, but a claim one after the other: of two at once, one may find nothing yet."""
        if path.endswith("claim/"):
            return [self._deliver(method, path, headers, body) for _ in range(2)]
        both = [self._pool.submit(self._deliver, method, path, headers, body) for _ in range(2)]
        return [future.result() for future in both]

    def _deliver(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Delivered:
        """Send a request on this thread's connection to the server."""
        connection: HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = HTTPConnection(self._target, timeout=_SECONDS)
            self._connections.append(connection)
        connection.request(method, path, body=body or None, headers=dict(headers))
        response = connection.getresponse()
        answer = response.read()
        return Delivered(method, path, headers, body, response.status, answer, response.getheaders())


_Forward = Callable[[str, str, Mapping[str, str], bytes], Delivered]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], forward: _Forward) -> None:
        super().__init__(address, _Handler)
        self.forward = forward


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
        delivered = self.server.forward(self.command, self.path, headers, body)
        self.send_response_only(delivered.status)
        for name, value in delivered.answer_headers:
            if name.lower() not in _OWN:
                self.send_header(name, value)
        if delivered.status != 204:
            self.send_header("Content-Length", str(len(delivered.answer)))
        self.end_headers()
        self.wfile.write(delivered.answer)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _do  # noqa: N815 -- the library looks for these names


#: Headers that each connection has its own of.
_OWN = {"host", "connection", "content-length", "transfer-encoding", "keep-alive"}
