"""Sending requests: connections per thread, time limits, and failures as our errors."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from attrs import frozen
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from sweepstake.errors import (
    ConfigurationError,
    InvalidInputError,
    ReauthenticateError,
    StoreUnavailableError,
    UnhandledResponseError,
)
from sweepstake.values import parse_json
from sweepstake.wire.operation import BASE
from sweepstake.wire.problems import error_of

__all__ = ["CONNECT_SECONDS", "READ_SECONDS", "HttpSession", "Reply"]

#: Seconds to wait for a connection.
CONNECT_SECONDS: Final = 5.0
#: Seconds to wait for each part of an answer.
READ_SECONDS: Final = 30.0


@frozen
class Reply:
    """A successful answer: its body parsed as JSON (None if empty), and its headers by name in any case."""

    status: int
    tree: Any
    headers: Mapping[str, str]


class HttpSession:
    """Talks to one server. Safe to use from several threads and after a fork.

    Proxies and certificate bundles are read from the environment once for each connection, because requests would
    read them again, at a third of the cost of a call, with every request.

    Args:
        url: the server's root; `/api/v1/` may stand behind it.
        token: API token, sent with every request; never logged.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._root = _root_of(url)
        self._headers = {"Accept": "application/json", "User-Agent": "sweepstake"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {_header_text(token)}"
        self._local = threading.local()
        self._open: weakref.WeakSet[HTTPAdapter] = weakref.WeakSet()

    def __repr__(self) -> str:
        return f"HttpSession({self._root!r})"

    def request(self, method: str, path: str, headers: Mapping[str, str], body: str | None = None) -> Reply:
        """Send a request and return its answer.

        Raises:
            StoreUnavailableError: there was no answer in time, or one that says to try again.
            UnhandledResponseError: the answer is not JSON.
            SweepstakeError: what the answer reports.
        """
        response = self._send(self._prepare(method, path, headers, body))
        status = response.status_code
        if 200 <= status < 300:
            return Reply(status, _parse(response), response.headers)
        if status == 401 and "Authorization" not in self._headers:
            raise ReauthenticateError(
                f"{self._root} asks for an API token: put one into SWEEPSTAKE_TOKEN or the configuration file; "
                "`sweepstake gen-token` makes one"
            )
        raise error_of(status, _parse_problem(response), _retry_after(response.headers))

    def close(self) -> None:
        """Close all connections."""
        for adapter in list(self._open):
            adapter.close()

    def _prepare(
        self, method: str, path: str, headers: Mapping[str, str], body: str | None
    ) -> requests.PreparedRequest:
        """Build a request by hand: all its parts are known, and `Request.prepare` costs as much as a claim."""
        request = requests.PreparedRequest()
        request.method = method
        request.url = self._root + path
        complete: dict[str, str] = {**self._headers, **headers}
        if body is not None:
            request.body = body.encode()
            complete |= {"Content-Type": "application/json", "Content-Length": str(len(request.body))}
        elif method in ("POST", "PUT"):
            complete["Content-Length"] = "0"
        request.headers = CaseInsensitiveDict(complete)
        return request

    def _send(self, request: requests.PreparedRequest) -> requests.Response:
        """Send a request on this thread's connection, without the redirects and cookies of a `Session`."""
        wire = self._wire()
        try:
            response = wire.adapter.send(
                request,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                verify=wire.verify,
                cert=wire.cert,
                proxies=wire.proxies,
            )
            response.content  # noqa: B018 -- reads the answer to its end
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise ConfigurationError(
                    f"the certificate of {self._root} cannot be trusted; name your authority's file in "
                    "REQUESTS_CA_BUNDLE, or check the URL"
                ) from error
            raise StoreUnavailableError(f"the connection to {self._root} failed: {error}") from error
        except requests.exceptions.InvalidURL as error:
            raise ConfigurationError(f"{self._root} is no URL of a server: {error}") from error
        except requests.exceptions.RequestException as error:
            raise StoreUnavailableError(f"{self._root} did not answer: {_cause(error)}") from error
        return response

    def _wire(self) -> _Wire:
        """Return this thread's way to the server; after a fork a new one, because the connections stay the parent's."""
        wire: _Wire | None = getattr(self._local, "wire", None)
        if wire is None or wire.pid != os.getpid():
            settings = requests.Session().merge_environment_settings(self._root, {}, None, None, None)
            wire = _Wire(
                pid=os.getpid(),
                adapter=HTTPAdapter(max_retries=0),
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
    adapter: HTTPAdapter
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


def _parse(response: requests.Response) -> Any:
    if not response.content:
        return None
    try:
        return parse_json(response.content)
    except InvalidInputError:
        raise UnhandledResponseError(
            f"{response.url} did not answer with JSON; is it a Sweepstake server, or is a proxy in between?"
        ) from None


def _parse_problem(response: requests.Response) -> Any:
    try:
        return parse_json(response.content)
    except InvalidInputError:
        return None


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
