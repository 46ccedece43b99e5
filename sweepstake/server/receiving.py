"""Reading the bodies of requests, so that nobody fills the memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive

__all__ = ["MAX_BODY", "SMALL_BODY", "SlowBodyError", "is_small", "read_body"]

#: The largest body of a request, in bytes.
MAX_BODY: Final = 64 * 1024 * 1024
#: The largest body that is read before it is known who sends it.
SMALL_BODY: Final = 64 * 1024
#: Seconds a client may take to send its body.
BODY_SECONDS: Final = 60.0


class SlowBodyError(Exception):
    """The body did not arrive in time."""


def is_small(headers: Mapping[str, str]) -> bool:
    """Tell whether a request says that its body is small, or has none."""
    announced = headers.get("content-length", "0")
    return "transfer-encoding" not in headers and announced.isdigit() and int(announced[:20]) <= SMALL_BODY


async def read_body(receive: Receive, headers: Mapping[str, str], most: int) -> bytes | None:
    """Return the body, or None if it has more than `most` bytes.

    What is too large is read to its end but not kept: a connection that is closed before would lose the answer.

    Raises:
        ClientDisconnect: the client is gone.
        SlowBodyError: it took too long.
    """
    announced = headers.get("content-length", "0")
    if "expect" in headers and announced.isdigit() and int(announced[:20]) > most:
        return None  # the client waits for a word before it sends
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk = message.get("body", b"")
                size += len(chunk)
                if size <= most:
                    chunks.append(chunk)
                else:
                    chunks.clear()
                more = message.get("more_body", False)
    except TimeoutError:
        raise SlowBodyError from None
    return b"".join(chunks) if size <= most else None
