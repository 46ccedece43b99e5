"""Reading an answer of somebody who may not be the server: bounded in size, in time, and in what is believed."""

from __future__ import annotations

import http.client
import io
import socket
import time
import zlib
from contextlib import suppress
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from sweepstake.errors import InvalidInputError
from sweepstake.queue.answers import Reply
from sweepstake.values import parse_json
from sweepstake.wire.operation import JSON
from sweepstake.wire.problems import PROBLEM_TYPE

__all__ = ["ANSWER_SECONDS", "MAX_ANSWER", "BoundedAdapter", "UnreadableError", "read_answer"]

#: Seconds that an answer may take from its first byte to its last.
ANSWER_SECONDS: Final = 120.0
#: The most bytes of an answer, unpacked; no page of a listing or export comes near.
MAX_ANSWER: Final = 64 * 1024 * 1024
_PART: Final = 64 * 1024


class UnreadableError(Exception):
    """An answer cannot be read; the text says why."""


def read_answer(response: requests.Response, root: str) -> Reply:
    """Read an answer to its end, whoever sent it.

    Args:
        response: its head has been read.
        root: the URL of the server that was asked.

    Raises:
        UnreadableError: it is too large, or packed in a way that was not asked for.
        urllib3.exceptions.HTTPError, OSError: it ended early or took too long.
    """
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise UnreadableError(f"is packed as {coding!r}, which was not asked for")
    unpack = None if coding == "identity" else zlib.decompressobj(zlib.MAX_WBITS | 32)
    parts: list[bytes] = []
    left = MAX_ANSWER
    try:
        while part := response.raw.read(_PART, decode_content=False):
            plain = part if unpack is None else unpack.decompress(part, left + 1)
            left -= len(plain)
            if left < 0:
                raise UnreadableError(f"is larger than {MAX_ANSWER:,} bytes; ask for less at once")
            parts.append(plain)
    except zlib.error:
        raise UnreadableError(f"is not what it says to be: {coding}") from None
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    content, tree = b"".join(parts), None
    if kind in (JSON, PROBLEM_TYPE):
        with suppress(InvalidInputError):
            tree = parse_json(content)
    return Reply(root, response.status_code, kind, content, tree, response.headers)


class _TimedStream(io.RawIOBase):
    """What is read from a connection until a moment; no single byte may renew the time."""

    def __init__(self, stream: io.RawIOBase, connection: socket.socket, seconds: float) -> None:
        self._stream = stream
        self._connection = connection
        self._pause = connection.gettimeout()
        self._seconds = seconds
        self._until = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"the answer took longer than {self._seconds:g} s")
        self._connection.settimeout(left if self._pause is None else min(left, self._pause))
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _pools(seconds: float) -> dict[str, type[HTTPConnectionPool]]:
    """Return the kinds of connections, by scheme, on which an answer may take so long."""

    class Response(http.client.HTTPResponse):
        """Reads its status, headers and body within the time for a whole answer."""

        def __init__(self, connection: socket.socket, *arguments: Any, **options: Any) -> None:
            super().__init__(connection, *arguments, **options)
            self.fp = io.BufferedReader(_TimedStream(self.fp.detach(), connection, seconds))

    class Plain(HTTPConnection):
        response_class = Response

    class Secure(HTTPSConnection):
        response_class = Response

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class BoundedAdapter(HTTPAdapter):
    """Sends requests once, and waits for no answer without end.

    Args:
        seconds: how long a whole answer may take.
    """

    def __init__(self, seconds: float) -> None:
        self._pools = _pools(seconds)
        super().__init__(max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the connections of direct ways to a server."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: Any, **options: Any) -> urllib3.ProxyManager:
        """Make the connections of the way through a proxy."""
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **options)
        if type(manager) is urllib3.ProxyManager:  # one for SOCKS has connections of its own
            manager.pool_classes_by_scheme = self._pools
        return manager
