"""Keeping web pages away from a server that asks for no credentials.

Such a server answers this machine only, but so does the browser on it, on behalf of any page that it shows: a page can
send requests to any address, and by a name of its own that leads here (DNS rebinding) also read the answers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sweepstake.wire.operation import JSON, OCTETS

__all__ = ["OwnMachine", "is_loopback"]

_SCHEMES: Final = ("http", "https")
_OWN_PAGES: Final = ("same-origin", "none")
#: Pages of other sites may send neither without asking first.
_KINDS: Final = (JSON, OCTETS)

Refuse = Callable[[str, Scope, Receive, Send], Awaitable[None]]


class OwnMachine:
    """Lets requests of programs on this machine pass, and refuses those that may come from a page in a browser on it.

    Args:
        app: answers those that pass.
        refuse: answers the others, with the reason.
    """

    def __init__(self, app: ASGIApp, refuse: Refuse) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        reason = _fault(scope) if scope["type"] == "http" else None
        if reason is None:
            await self._app(scope, receive, send)
        else:
            await self._refuse(f"{reason}; this server asks for no credentials", scope, receive, send)


def is_loopback(host: str) -> bool:
    """Tell whether a name or a literal address can lead to this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _fault(scope: Scope) -> str | None:
    """Return what is wrong with a request, if anything."""
    headers = Headers(scope=scope)
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _is_own(hosts[0]):
        return "it must be asked by the name or address of this machine, such as localhost"
    for origin in headers.getlist("origin"):
        scheme, _, place = origin.partition("://")
        if scheme not in _SCHEMES or place.lower() != hosts[0].lower():
            return "it does not answer pages of another site (Origin)"
    if any(site not in _OWN_PAGES for site in headers.getlist("sec-fetch-site")):
        return "it does not answer pages of another site (Sec-Fetch-Site)"
    for kind in headers.getlist("content-type"):
        if kind.partition(";")[0].strip().lower() not in _KINDS:
            return f"bodies must be {JSON} or {OCTETS} (Content-Type)"
    return None


def _is_own(host: str) -> bool:
    """Tell whether a Host header names this machine, at any port: a tunnel may have another."""
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.netloc == host and "@" not in host and is_loopback(name or "")
