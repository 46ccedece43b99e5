"""The ASGI application: routes made from the table of operations, and an answer to everything."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from importlib.metadata import version
from typing import Final

from attrs import evolve, frozen
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from sweepstake.clock import Clock
from sweepstake.domain.access import NOBODY, Caller
from sweepstake.domain.keys import new_key
from sweepstake.domain.records import Health
from sweepstake.errors import (
    AuthenticationError,
    ClientRequestError,
    LimitReachedError,
    NotFoundError,
    ServerError,
    StoreUnavailableError,
    SweepstakeError,
    TooManyTriesError,
)
from sweepstake.http.openapi import openapi
from sweepstake.http.operations import HEALTH, OPERATIONS
from sweepstake.queue.calls import LogIn
from sweepstake.queue.fields import Asked, MalformedError
from sweepstake.queue.here import Here
from sweepstake.server.authorizing import Authorizer, OpenAuthorizer, check_role
from sweepstake.server.calls import Answer, Handler, Received, ok, read_names, read_query
from sweepstake.server.descriptors import watch_descriptors
from sweepstake.server.garbage import Garbage
from sweepstake.server.handlers import Handlers
from sweepstake.server.logins import Logins, without_users
from sweepstake.server.metrics import METRICS, Metrics
from sweepstake.server.ownmachine import OwnMachine
from sweepstake.server.receiving import (
    MAX_BODY,
    MOST_HEAD,
    MOST_HEADERS,
    SMALL_BODY,
    Head,
    SlowBodyError,
    read_body,
    read_head,
)
from sweepstake.turns import ShortWork
from sweepstake.wire.headers import STORE
from sweepstake.wire.operation import BASE, Operation
from sweepstake.wire.problems import NO_SUCH_PATH, PROBLEM_TYPE, problem_of

__all__ = ["create_app"]

#: How many calls are worked on at once; more wait. Long ones, and large bodies, wait in queues of their own, so that
#: nobody else does. They are few, because each takes its part of the time in which this process runs Python.
_THREADS: Final = 40
_LONG_THREADS: Final = 4
_LARGE_THREADS: Final = 2
#: How many large bodies are in memory at once; more wait.
_LARGE: Final = 8
_OPENAPI: Final = "/openapi.json"
#: For so long what was counted is shown again; nobody scrapes it more often.
_METRICS_SECONDS: Final = 1.0
_NO_WAIT: Final[AbstractAsyncContextManager[None]] = nullcontext()

_logger = logging.getLogger(__name__)

#: Waits for the turn of a call from an address, with a body; the turn ends with the block.
Turn = Callable[[str, bytes], AbstractAsyncContextManager[None]]


def create_app(here: Here, logins: Logins | None, clock: Clock) -> ASGIApp:
    """Make the application that answers for a store; when it shuts down, it closes the store.

    Args:
        here: what answers.
        logins: by which its users get in; None: everybody may ask.
        clock: tells the time.
    """
    pools = _Pools()
    authorizer: Authorizer = OpenAuthorizer() if logins is None else logins.authorizer
    performers = {} if logins is None else logins.performers
    handlers = {**Handlers(here, authorizer, performers).by_name(), HEALTH.name: _health}
    if logins is None:
        handlers |= without_users(clock)
    turns: Mapping[str, Turn] = {} if logins is None else {LogIn.operation.name: logins.passwords.turn}
    methods: dict[str, dict[str, _Endpoint]] = {}
    for name, operation in OPERATIONS.items():
        pool = pools.long if operation.long else pools.calls
        methods.setdefault(operation.path, {})[operation.method] = _Endpoint(
            operation, handlers[name], pool, turns.get(name)
        )

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        watches = [asyncio.create_task(each) for each in (watch_descriptors(), pools.garbage.collect())]
        yield
        for watch in watches:
            watch.cancel()
        await asyncio.to_thread(pools.close)
        await asyncio.to_thread(here.close)

    metrics = Metrics()
    routes = [
        *(Route(path, _Resource(each, authorizer, pools, metrics, here, clock)) for path, each in methods.items()),
        Route(_OPENAPI, _Page(pools, _description, math.inf)),
        Route(METRICS, _Page(pools, lambda _: _metrics(metrics), _METRICS_SECONDS)),
    ]
    router = Router(routes, redirect_slashes=False, default=_no_such_path, lifespan=lifespan)
    return _RawPaths(router if logins is not None else OwnMachine(router, _refuse_stranger))


class _Pools:
    """The threads that work on calls, and how many large bodies may be in memory."""

    def __init__(self) -> None:
        self.short = ShortWork()
        self.garbage = Garbage()
        self.calls = ThreadPoolExecutor(_THREADS, "sweepstake-call")
        self.long = ThreadPoolExecutor(_LONG_THREADS, "sweepstake-long", self.short.goes_first)
        self.large = ThreadPoolExecutor(_LARGE_THREADS, "sweepstake-large", self.short.goes_first)
        self.places = asyncio.Semaphore(_LARGE)

    def close(self) -> None:
        """Wait for what is worked on, and end the threads."""
        for each in (self.calls, self.long, self.large):
            each.shutdown()


async def _refuse_stranger(reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    await _respond(_refusal(403, reason, Connection="close"), scope, receive, send)


class _RawPaths:
    """Routes on the path as it was sent, so that `%2F` stays part of a name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path")
        if raw:
            scope["path"] = raw.decode("latin-1")
        await self._app(scope, receive, send)


@frozen
class _Endpoint:
    """What answers one method on one path: how the call looks, who answers it, on which threads, and by which turns."""

    operation: Operation
    handler: Handler
    pool: ThreadPoolExecutor
    turn: Turn | None


class _Resource:
    """Answers every method on one path."""

    def __init__(
        self,
        methods: Mapping[str, _Endpoint],
        authorizer: Authorizer,
        pools: _Pools,
        metrics: Metrics,
        here: Here,
        clock: Clock,
    ) -> None:
        self._methods = {**methods, **({"HEAD": methods["GET"]} if "GET" in methods else {})}
        self._authorizer = authorizer
        self._pools = pools
        self._metrics = metrics
        self._here = here
        self._new_key = partial(new_key, clock.wall, os.urandom)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._methods.get(scope["method"])
        if found is None:
            answer = _refusal(405, f"{scope['method']} is not possible here", Allow=", ".join(self._methods))
        else:
            began = time.perf_counter()
            try:
                answer = await self._answer(found, scope, receive)
            except ClientDisconnect:
                return
            except SlowBodyError:
                answer = _refusal(408, "the body did not arrive in time; send less at once", Connection="close")
            self._metrics.count(found.operation.name, answer.status, time.perf_counter() - began)
        await _respond(answer, scope, receive, send)

    async def _answer(self, endpoint: _Endpoint, scope: Scope, receive: Receive) -> Answer:
        """Answer a call; a large body is read only of somebody who may send it, and few at once."""
        head = read_head(scope)
        if head is None:
            return _refusal(
                431, f"the address and headers are too long: at most {MOST_HEAD:,} bytes, {MOST_HEADERS} headers"
            )
        run = asyncio.get_running_loop().run_in_executor
        most, pool, place = SMALL_BODY, endpoint.pool, _NO_WAIT
        if not head.small and endpoint.operation.role is not None:
            refusal = await run(self._pools.calls, self._refuse, endpoint.operation, head)
            if refusal is not None:
                await read_body(receive, head.headers, 0)
                return refusal
            most, pool, place = MAX_BODY, self._pools.large, self._pools.places
        async with place:
            body = await read_body(receive, head.headers, most)
            if body is None:
                return _refusal(413, f"the body is larger than {most:,} bytes; send less at once", Connection="close")
            if endpoint.operation.at_once:
                return self._work(endpoint, head, body)
            try:
                async with _NO_WAIT if endpoint.turn is None else endpoint.turn(head.address, body):
                    with self._pools.short if pool is self._pools.calls else self._pools.garbage:
                        return await run(pool, self._work, endpoint, head, body)
            except TooManyTriesError as error:
                return _report(error, endpoint.operation)

    def _refuse(self, operation: Operation, head: Head) -> Answer | None:
        """Return the answer to somebody who may not call, in a thread."""
        try:
            self._admit(operation, head)
        except SweepstakeError as error:
            return _report(error, operation)
        return None

    def _admit(self, operation: Operation, head: Head) -> tuple[Caller, dict[str, str], str]:
        """Return who calls, and what the path names, of which the caller may make this use; see `read_names`."""
        if operation.role is None:
            return NOBODY, *read_names(head, operation)
        caller = self._authorizer.authenticate(head.headers.get("authorization"))
        names, called = read_names(head, operation)
        check_role(caller, operation.role)
        if operation.fenced and called:
            names["name"] = self._authorizer.find(caller, operation.role, names["name"])
        return caller, names, called

    def _work(self, endpoint: _Endpoint, head: Head, body: bytes) -> Answer:
        """Answer a call, in a thread; the answer says which store gave it, if the caller may use that."""
        operation, store = endpoint.operation, self._here.identity
        meant = head.headers.get(STORE.lower(), store)
        try:
            caller, names, called = self._admit(operation, head)
            if meant == store:
                asked = Asked(
                    query=read_query(head.query, operation) if head.query else {},
                    headers=head.headers,
                    new_key=self._new_key,
                    caller=caller,
                    address=head.address,
                    root=head.root,
                )
                answer = endpoint.handler(Received(names, called, asked, body, head.schedys, operation.values))
            else:
                answer = _report(_stray(), operation)
        except SweepstakeError as error:
            # Whoever means the store that this server had before, and is unknown to this one, hears that it is away.
            stray = isinstance(error, AuthenticationError) and meant != store
            answer = _report(_stray() if stray else error, operation)
        except Exception:  # a request ends here; the client learns that it failed, the log why
            _logger.exception("%s failed", operation.name)
            return _report(ServerError(), operation)
        if operation.role is None or answer.status in (401, 403):
            return answer
        return evolve(answer, headers={**answer.headers, STORE: store})


def _stray() -> StoreUnavailableError:
    return StoreUnavailableError("the call is meant for another store")


def _report(error: SweepstakeError, operation: Operation) -> Answer:
    status = None
    headers = {}
    if isinstance(error, MalformedError):
        status = 400
    elif isinstance(error, LimitReachedError):
        status = operation.over_limit
    elif isinstance(error, TooManyTriesError):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after or 1)))
    elif isinstance(error, StoreUnavailableError):
        headers["Retry-After"] = str(max(1, round(error.retry_after or 1)))
        _logger.warning("%s: the store is away: %s", operation.name, error)
    elif not isinstance(error, ClientRequestError):
        _logger.error("%s failed", operation.name, exc_info=error)
    return _problem(error, status, headers)


def _problem(error: SweepstakeError, status: int | None, headers: dict[str, str]) -> Answer:
    problem = problem_of(error, status)
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return ok(problem, problem.status, {**headers, "Content-Type": PROBLEM_TYPE})


def _refusal(status: int, detail: str, **headers: str) -> Answer:
    return _problem(ClientRequestError(detail), status, headers)


async def _respond(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    media_type = None if "Content-Type" in answer.headers or not answer.body else "application/json"
    if answer.more is not None and scope["method"] != "HEAD":
        response: Response = StreamingResponse(_following(answer), answer.status, answer.headers, media_type)
    elif len(answer.body) > 1:
        response = _InParts(answer, media_type)
    else:
        response = Response(b"".join(answer.body), answer.status, answer.headers, media_type)
    await response(scope, receive, send)


async def _following(answer: Answer) -> AsyncIterator[bytes]:
    """Yield bytes that a disk holds, each piece read by a thread when the one before has left."""
    assert answer.more is not None, "else it has a body of known parts"
    for part in answer.body:
        yield part
    while part := await asyncio.to_thread(next, answer.more, b""):
        yield part


class _InParts(Response):
    """Sends a body in its parts, each when the one before has left, so that the loop has others answered meanwhile."""

    def __init__(self, answer: Answer, media_type: str | None) -> None:
        length = sum(map(len, answer.body))
        super().__init__(None, answer.status, {**answer.headers, "Content-Length": str(length)}, media_type)
        self._parts = answer.body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 -- Starlette's signature
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for part in self._parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body"})


async def _no_such_path(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    error = NotFoundError(f"{NO_SUCH_PATH}; those of the API begin with {BASE} and end with a slash")
    await _respond(_problem(error, None, {}), scope, receive, send)


class _Page:
    """Answers with something about the server itself, which is made by a thread, and kept for a while.

    Args:
        pools: the threads.
        make: makes it for a request.
        seconds: how long it is kept.
    """

    def __init__(self, pools: _Pools, make: Callable[[Scope], Answer], seconds: float) -> None:
        self._pools = pools
        self._make = make
        self._seconds = seconds
        self._turn = asyncio.Lock()
        self._kept: tuple[float, Answer] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD"):
            answer = await self._answer(scope)
        else:
            answer = _refusal(405, f"{scope['method']} is not possible here", Allow="GET, HEAD")
        await _respond(answer, scope, receive, send)

    async def _answer(self, scope: Scope) -> Answer:
        async with self._turn:
            if self._kept is None or time.monotonic() - self._kept[0] >= self._seconds:
                run = asyncio.get_running_loop().run_in_executor
                self._kept = time.monotonic(), await run(self._pools.calls, self._make, scope)
            return self._kept[1]


def _description(scope: Scope) -> Answer:
    return ok(openapi(version("sweepstake"), scope.get("root_path", "")))


def _health(_received: Received) -> Answer:
    return ok(Health("ok"))


def _metrics(metrics: Metrics) -> Answer:
    try:
        body, kind = metrics.page()
    except ServerError as error:
        _logger.error("%s", error)  # noqa: TRY400 -- it says all
        return _problem(error, None, {})
    return Answer(200, (body,), {"Content-Type": kind})
