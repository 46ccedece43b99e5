"""Reading the heads and bodies of requests, so that nobody fills the memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from attrs import frozen
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from sweepstake.errors import InvalidInputError
from sweepstake.slices import count_marks
from sweepstake.wire.operation import BASE

__all__ = [
    "MAX_BODY",
    "MOST_HEAD",
    "MOST_HEADERS",
    "SMALL_BODY",
    "Head",
    "SlowBodyError",
    "check_size",
    "read_body",
    "read_head",
]

#: The most bytes of an address with its headers, and the most headers.
MOST_HEAD: Final = 64 * 1024
MOST_HEADERS: Final = 100

#: The largest body of a request, in bytes.
MAX_BODY: Final = 64 * 1024 * 1024
#: The largest body that is read before it is known who sends it.
SMALL_BODY: Final = 64 * 1024
#: Seconds a client may take to send its body.
BODY_SECONDS: Final = 60.0
#: How many lists and objects any body may hold; a long one may hold as many as it has times so many bytes. An object
#: takes up to 200 bytes of memory, and as little as 5 of the text.
_LISTS: Final = 250_000
_BYTES_OF_LIST: Final = 12
#: The longest body that the loop puts together itself.
_SHORT: Final = 1024 * 1024


class SlowBodyError(Exception):
    """The body did not arrive in time."""


@frozen(kw_only=True)
class Head:
    """What a request says before its body.

    Attributes:
        path: what stands in the path for `name` and `id`, percent-encoded.
        headers: by name in lower case.
        address: the network address of the caller, or of a proxy.
        root: the URL of the API as the caller sees it.
        small: the headers say that the body is small, or that there is none.
        schedys: it carries a signed token, for which only clients of Schedy ask.
    """

    path: Mapping[str, str]
    query: bytes
    headers: Mapping[str, str]
    address: str
    root: str
    small: bool
    schedys: bool


def read_head(scope: Scope) -> Head | None:
    """Return the head of a request; None if it is longer than any that makes sense."""
    sent = scope["headers"]
    size = len(scope["query_string"]) + len(scope["path"]) + sum(len(name) + len(value) for name, value in sent)
    if size > MOST_HEAD or len(sent) > MOST_HEADERS:
        return None
    headers: dict[str, str] = {}
    for raw_name, raw_value in sent:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    length = headers.get("content-length", "0")
    return Head(
        path=scope["path_params"],
        query=scope["query_string"],
        headers=headers,
        address=(scope.get("client") or ("unknown",))[0],
        root=f"{scope['scheme']}://{headers.get('host', 'localhost')}{scope.get('root_path', '')}{BASE}",
        small="transfer-encoding" not in headers and length.isdigit() and int(length[:20]) <= SMALL_BODY,
        schedys=headers.get("authorization", "").count(".") == 2,
    )


async def read_body(receive: Receive, headers: Mapping[str, str], most: int) -> bytes | None:
    """Return the body, or None if it has more than `most` bytes.

    What is too large is read to its end but not kept: a connection that is closed before would lose the answer.

    Raises:
        ClientDisconnect: the client is gone.
        SlowBodyError: it took too long.
    """
    announced = headers.get("content-length", "0")
    if "expect" in headers and announced.isdigit() and int(announced[:20]) > most:
        return None  # the client waits for `100 Continue` before it sends the body
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

    Marks within texts are counted as well, since nothing is parsed yet; a body of fewer bytes holds fewer of them.
    """
    if len(body) <= min(most, _LISTS):
        return
    lists = count_marks(body, "[{")
    if lists + count_marks(body, ",") > most:
        raise InvalidInputError.at("", f"holds more than {most:,} values, which are more than this call takes")
    if lists > max(_LISTS, len(body) // _BYTES_OF_LIST):
        raise InvalidInputError.at("", f"holds {lists:,} lists and objects, which are too many; send less at once")
