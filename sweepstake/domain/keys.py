"""Ids of jobs and op keys of writes: UUIDv7s in lower-case base32."""

from __future__ import annotations

import re
from typing import Final

from sweepstake.errors import InvalidInputError, shown

__all__ = ["KEY_PATTERN", "check_etag", "check_key", "item_key", "uuid7"]

#: What an op key looks like: 26 digits of base32hex, then the number of the item in a call on many.
KEY_PATTERN: Final = r"[0-9a-v]{26}(\.[0-9]{1,6})?"
_KEY: Final = re.compile(KEY_PATTERN)
_ETAG: Final = re.compile(r"[!#-~]{1,255}")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"
_PAIRS: Final = tuple(high + low for high in _DIGITS for low in _DIGITS)
#: The bits of a UUIDv7 that are free, and those that say what it is: version 7 of variant 2.
_FREE: Final = ~(0xF << 76 | 0x3 << 62)
_FIXED: Final = 0x7 << 76 | 0x2 << 62
_SHIFTS: Final = tuple(range(120, -1, -10))


def uuid7(milliseconds: int, entropy: bytes) -> str:
    """Make a UUIDv7 (RFC 9562, section 5.7) as 26 characters that sort by time.

    The digits are RFC 4648's base32hex in lower case: of the base32 alphabets the one
    whose order is that of the bytes.

    Args:
        milliseconds: Unix time.
        entropy: 10 random bytes.
    """
    number = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(entropy[:10])
    padded = (number & _FREE | _FIXED) << 2  # 130 bits are 13 pairs of digits
    return "".join([_PAIRS[padded >> shift & 0x3FF] for shift in _SHIFTS])


def item_key(key: str, index: int) -> str:
    """Return the key of item `index` of a call on many whose key is `key`."""
    return f"{key}.{index}"


def check_key(key: str, path: str = "Idempotency-Key") -> str:
    """Return `key` if it is an op key in the layout of a UUIDv7."""
    if not _KEY.fullmatch(key):
        raise InvalidInputError.at(path, "must be a UUIDv7 in lower-case base32hex (26 characters)")
    return key


def check_etag(etag: object, path: str = "etag") -> str:
    """Return `etag` if it may have come from a store."""
    if not isinstance(etag, str) or not _ETAG.fullmatch(etag):
        raise InvalidInputError.at(path, f"must be as it was read from the store, is {shown(etag)}")
    return etag
