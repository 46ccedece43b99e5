"""Reading the bodies of requests, so that nobody fills the memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from sweepstake.errors import InvalidInputError
from sweepstake.slices import count_marks

__all__ = ["MAX_BODY", "SMALL_BODY", "SlowBodyError", "check_size", "is_small", "read_body"]

#: The largest body of a request, in bytes.
MAX_BODY: Final = 64 * 1024 * 1024
#: The largest body that is read before it is known who sends it.
SMALL_BODY: Final = 64 * 1024
#: Seconds a client may take to send its body.
BODY_SECONDS: Final = 60.0
#: How many lists and objects any body may hold, and of how many of its bytes there may be one more. An object takes up
#: to 200 bytes of memory, and as little as 5 of the text.
_LISTS: Final = 250_000
_BYTES_OF_LIST: Final = 12
#: The longest body that the loop puts together itself.
_SHORT: Final = 1024 * 1024


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
    if size > most:
        return None
    return b"".join(chunks) if size <= _SHORT else await asyncio.to_thread(b"".join, chunks)


def check_size(body: bytes, most: int) -> None:
    """Raise InvalidInputError if a body can hold more than `most` values, or too many lists and objects for its length.

    Marks within texts are counted as well, since nothing is parsed yet.
    """
    lists = count_marks(body, "[{")
    if lists + count_marks(body, ",") > most:
        raise InvalidInputError.at("", f"holds more than {most:,} values, which are more than this call takes")
    if lists > max(_LISTS, len(body) // _BYTES_OF_LIST):
        raise InvalidInputError.at("", f"holds {lists:,} lists and objects, which are too many; send less at once")
