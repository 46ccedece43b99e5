"""Sending requests: connections per thread, time limits, and failures as our errors."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3
from attrs import frozen
from requests.structures import CaseInsensitiveDict

from sweepstake.errors import (
    ConfigurationError,
    NotFoundError,
    ReauthenticateError,
    StoreUnavailableError,
    SweepstakeError,
)
from sweepstake.http.answer import ANSWER_SECONDS, BoundedAdapter, UnreadableError, read_answer
from sweepstake.plaintext import printable
from sweepstake.queue.answers import Reply
from sweepstake.wire.headers import STORE
from sweepstake.wire.operation import BASE, JSON, OCTETS
from sweepstake.wire.problems import NO_SUCH_PATH, PROBLEM_TYPE, error_of, is_problem

__all__ = ["CONNECT_SECONDS", "READ_SECONDS", "HttpSession"]

#: Seconds to wait for a connection.
CONNECT_SECONDS: Final = 5.0
#: Seconds to wait for each part of an answer.
READ_SECONDS: Final = 30.0

#: What is raised while a request is sent and its answer is read.
_FAILURES: Final = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, UnreadableError)


class HttpSession:
    """Talks to one server. Safe to use from several threads and after a fork.

    Proxies and certificate bundles are read from the environment once for each connection, because requests would
    read them again, at a third of the cost of a call, with every request.

    Args:
        url: the server's root; `/api/v1/` may stand behind it.
        token: API token, sent with every request; never logged.
        seconds: how long a whole answer may take.

    Attributes:
        store: which store is behind the server; None as long as it has not said so.
    """

    def __init__(self, url: str, token: str | None = None, *, seconds: float = ANSWER_SECONDS) -> None:
        self._seconds = seconds
        self._root = _root_of(url)
        self.store: str | None = None
        self._headers = {"Accept": "application/json", "User-Agent": "sweepstake"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {_header_text(token)}"
        self._local = threading.local()
        self._open: weakref.WeakSet[BoundedAdapter] = weakref.WeakSet()

    def __repr__(self) -> str:
        return f"HttpSession({self._root!r})"

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: str | bytes | None = None,
        *,
        answers: Mapping[int, object],
        gives: str = JSON,
    ) -> Reply:
        """Send a request and return its answer.

        Only what a server of ours says is an answer: JSON of a status that the operation has, or a problem of our
        kinds. Whatever stands in between, such as a proxy while the server restarts, may answer anything else, of any
        status; then the store is away.

        Args:
            method: the request's.
            path: the request's, with the query.
            headers: those of this call.
            body: JSON as text, or bytes as they are.
            gives: the media type of those bodies: JSON, or bytes, which only a server of ours says of which store.
            answers: what is behind each status of success; None: an empty body.

        Raises:
            StoreUnavailableError: there was no answer in time, or none of a server of ours, or one of another store,
                or one that says to try again.
            SweepstakeError: what the answer reports.
        """
        if self.store is not None:
            headers = {**headers, STORE: self.store}
        reply = self._send(method, path, headers, body)
        status, store = reply.status, reply.headers.get(STORE)  # None: of no Sweepstake server, or an older one
        if self.store is None:
            self.store = store
        elif store not in (None, self.store):
            raise StoreUnavailableError(
                f"{self._root} has another store now than the one that this process began with. Let it serve the "
                "former one again, or end this process to work with the new one."
            )
        if status in answers:
            if gives == reply.kind == OCTETS and store is not None:
                return reply
            is_json = reply.kind == gives == JSON and reply.tree is not None
            as_said = is_json if answers[status] is not None else not reply.content
            if as_said:
                return reply
        problem = reply.tree if reply.kind == PROBLEM_TYPE else None
        if not is_problem(problem):
            raise self._not_ours(reply)
        if status == 401 and "Authorization" not in self._headers:
            raise ReauthenticateError(
                f"{self._root} asks for an API token: put one into SWEEPSTAKE_TOKEN or the configuration file; "
                "`sweepstake gen-token` makes one"
            )
        if status == 404 and str(problem.get("detail")).startswith(NO_SUCH_PATH):
            raise NotFoundError(
                f"{self._root} does not know this call: update the server, which is older than this client, or look "
                "whether the URL has a path that is not the server's"
            )
        raise error_of(status, problem, _retry_after(reply.headers))

    def _not_ours(self, reply: Reply) -> SweepstakeError:
        moved = reply.headers.get("Location")
        where = f" and points to {printable(moved[:200])}" if moved else ""
        kind = printable(reply.kind[:80]) or "nothing"
        return StoreUnavailableError(
            f"{self._root} answered {reply.status} ({kind}){where}, which is no answer of a Sweepstake server: "
            "a proxy may stand in between, or the URL may be another one",
            _retry_after(reply.headers),
        )

    def close(self) -> None:
        """Close all connections."""
        for adapter in list(self._open):
            adapter.close()

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: str | bytes | None) -> Reply:
        """Send a request on this thread's connection, without the redirects and cookies of a `Session`."""
        wire: _Wire | None = getattr(self._local, "wire", None)
        if wire is None or wire.pid != os.getpid():  # after a fork the connections stay the parent's
            wire = self._connect()
        request = requests.PreparedRequest()  # by hand: all parts are known, and `prepare` costs as much as a claim
        request.method, request.url = method, self._root + path
        complete: dict[str, str] = {**self._headers, **headers}
        if body is not None:
            request.body = body.encode() if isinstance(body, str) else body
            kind = JSON if isinstance(body, str) else OCTETS
            complete |= {"Content-Type": kind, "Content-Length": str(len(request.body))}
        elif method in ("POST", "PUT"):
            complete["Content-Length"] = "0"
        request.headers = CaseInsensitiveDict(complete)
        try:
            response = wire.adapter.send(
                request,
                stream=True,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                verify=wire.verify,
                cert=wire.cert,
                proxies=wire.proxies,
            )
            try:
                return read_answer(response, self._root)
            except BaseException:
                response.close()
                raise
        except _FAILURES as error:
            raise self._explain(error) from error

    def _explain(self, error: Exception) -> SweepstakeError:
        """Return our error for one of the libraries' or of the system's."""
        if isinstance(error, requests.exceptions.SSLError):
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                return ConfigurationError(
                    f"the certificate of {self._root} cannot be trusted; name your authority's file in "
                    "REQUESTS_CA_BUNDLE, or check the URL"
                )
            return StoreUnavailableError(f"the connection to {self._root} failed: {error}")
        if isinstance(error, requests.exceptions.InvalidURL):
            return ConfigurationError(f"{self._root} is no URL of a server: {error}")
        if isinstance(error, requests.exceptions.RequestException):
            return StoreUnavailableError(f"{self._root} did not answer: {_cause(error)}")
        if isinstance(error, UnreadableError):
            return StoreUnavailableError(f"the answer of {self._root} {error}")
        return StoreUnavailableError(f"the answer of {self._root} did not arrive: {error}")

    def _connect(self) -> _Wire:
        """Make this thread's way to the server."""
        settings = requests.Session().merge_environment_settings(self._root, {}, None, None, None)
        wire = _Wire(
            pid=os.getpid(),
            adapter=BoundedAdapter(self._seconds),
            proxies=dict(settings["proxies"]),
            verify=True if settings["verify"] is None else settings["verify"],
            cert=settings["cert"],
        )
        self._local.wire = wire
        self._open.add(wire.adapter)
        return wire


@frozen(kw_only=True)
class _Wire:
    """One thread's connection, and what the environment says about connections."""

    pid: int
    adapter: BoundedAdapter
    proxies: dict[str, str]
    verify: bool | str
    cert: str | tuple[str, str] | None


def _root_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # whose text may hold a password
        raise ConfigurationError("the URL of a server looks like http://host:8000; this one cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError("the URL of a server looks like http://host:8000")
    if "@" in url:
        raise ConfigurationError("a server's URL holds no credentials; put the token into SWEEPSTAKE_TOKEN")
    if parts.query or parts.fragment:
        raise ConfigurationError("a server's URL ends with its path, without ? and #")
    request = requests.Request("GET", url.rstrip("/") + "/")
    try:
        prepared = request.prepare().url or ""
    except (requests.exceptions.RequestException, ValueError):
        raise ConfigurationError(f"{url!r} is no URL of a server; it looks like http://host:8000") from None
    return prepared.removesuffix(BASE).rstrip("/")


def _header_text(token: str) -> str:
    if not (token.isascii() and token.isprintable() and " " not in token and token):
        raise ConfigurationError("the API token holds characters that no token has; copy it again")
    return token


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After`: seconds, or a date, which is compared with the answer's own."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:6])
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())


def _cause(error: requests.exceptions.RequestException) -> str:
    """Return what kept a connection from being made, in the system's words; else all that the libraries say."""
    told = getattr(error.args[0], "reason", None) if error.args else None
    cause = told.__cause__ if isinstance(told, Exception) else None
    if isinstance(cause, OSError) and cause.strerror and not isinstance(error, requests.exceptions.ProxyError):
        return cause.strerror
    return str(error)
