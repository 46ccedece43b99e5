"""The floor over HTTP: the SQLite floor's work behind Starlette and uvicorn, asked by plain `requests`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import attrs
import requests
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.benchmarks.floors.sqlite import Held, SqliteFloor, SqliteFloorSession
from tests.benchmarks.work import results

__all__ = ["HttpFloor", "HttpFloorSession", "floor_server"]

_SECONDS_TO_START = 30.0
_SECONDS_TO_STOP = 10.0
_JSON = {"Content-Type": "application/json"}


@attrs.frozen
class HttpFloor:
    """A floor's server and the file behind it."""

    path: str
    url: str
    token: str

    def fill(self, count: int) -> None:
        """Queue jobs in the server's file."""
        SqliteFloor(self.path).fill(count)

    @contextlib.contextmanager
    def session(self) -> Iterator[HttpFloorSession]:
        """Connect as a worker does."""
        with requests.Session() as http:
            http.headers["Authorization"] = f"Bearer {self.token}"
            yield HttpFloorSession(http, self.url, self.path)


@attrs.frozen
class HttpFloorSession:
    """One worker of the floor: one request a claim, one a finish."""

    http: requests.Session
    url: str
    path: str

    def claim(self) -> Held | None:
        """Take the next job."""
        answer = self.http.post(f"{self.url}/claim", timeout=30)
        answer.raise_for_status()
        if answer.status_code == 204:
            return None
        job = answer.json()
        return Held(job["seq"], job["attempt"], answer.headers["ETag"], job["hyperparameters"])

    def finish(self, held: Held) -> None:
        """Put the job's results, guarded by its etag."""
        body = json.dumps({"number": held.number, "results": results(held.hyperparameters)})
        headers = {"If-Match": held.key, **_JSON}
        self.http.put(f"{self.url}/jobs/{held.seq}", data=body, headers=headers, timeout=30).raise_for_status()

    def read(self) -> int:
        """Read the jobs of the server's file; the floor has no listing."""
        with SqliteFloor(self.path).session() as session:
            return session.read()


@contextlib.contextmanager
def floor_server(path: str, *, ledger: bool = True) -> Iterator[HttpFloor]:
    """Run the floor's server over a file for the length of the block, in a process of its own."""
    SqliteFloor(path).fill(0)
    token = secrets.token_hex(16)
    digest = hashlib.sha256(token.encode()).hexdigest()
    command = [sys.executable, "-m", "tests.benchmarks.floors.http", path, digest, "ledger" if ledger else "bare"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        _wait_until_ready(url)
        yield HttpFloor(path, url, token)
    finally:
        server.terminate()
        server.communicate(timeout=_SECONDS_TO_STOP)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while True:
        with contextlib.suppress(requests.ConnectionError):
            requests.get(f"{url}/healthz", timeout=5)
            return
        if time.monotonic() > deadline:
            raise RuntimeError("the floor's server did not start")
        time.sleep(0.05)


@attrs.frozen
class _Handlers:
    """The floor's two endpoints; Starlette runs them in its threads."""

    floor: SqliteFloor
    digests: frozenset[str]
    local: threading.local = attrs.field(factory=threading.local)

    def claim(self, request: Request) -> Response:
        """Answer the claimed job, or 204."""
        if not self._allowed(request):
            return Response(status_code=401)
        held = self._session().claim()
        if held is None:
            return Response(status_code=204)
        job = {
            "id": held.id,
            "seq": held.seq,
            "attempt": held.number,
            "status": "RUNNING",
            "hyperparameters": held.hyperparameters,
            "results": {},
        }
        return _answer(job, held.key)

    async def put(self, request: Request) -> Response:
        """Answer the finished job."""
        if not self._allowed(request):
            return Response(status_code=401)
        body = json.loads(await request.body())
        seq, guard = request.path_params["seq"], request.headers["If-Match"]
        return await run_in_threadpool(self._put, seq, body, guard)

    def _put(self, seq: int, body: dict[str, Any], guard: str) -> Response:
        etag = self._session().record(seq, body["number"], guard, body["results"])
        return _answer({"seq": seq, "status": "DONE", "results": body["results"]}, etag)

    def _allowed(self, request: Request) -> bool:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hashlib.sha256(token.encode()).hexdigest() in self.digests

    def _session(self) -> SqliteFloorSession:
        """Return this thread's connection; it lives as long as the process."""
        session: SqliteFloorSession | None = getattr(self.local, "session", None)
        if session is None:
            self.local.keep = self.floor.session()
            self.local.session = session = self.local.keep.__enter__()
        return session


def _answer(body: dict[str, Any], etag: str) -> Response:
    return Response(json.dumps(body), headers={"ETag": etag, **_JSON})


def _serve(path: str, digest: str, kind: str) -> None:
    handlers = _Handlers(SqliteFloor(path, ledger=kind == "ledger"), frozenset([digest]))
    routes = [
        Route("/claim", handlers.claim, methods=["POST"]),
        Route("/jobs/{seq:int}", handlers.put, methods=["PUT"]),
        Route("/healthz", lambda _request: Response("ok")),
    ]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(Starlette(routes=routes), http="httptools", access_log=False, log_level="warning")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    _serve(*sys.argv[1:])
