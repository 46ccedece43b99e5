"""Ids of jobs and op keys of writes: UUIDv7s in lower-case base32; and the names under which a store knows keys.

A store never keeps an op key. It keeps the key's name, which is made of it one-way and which everybody may read: as the
etag of what was written, and as the key of an attempt. Only who made a key can say it again. What the store derives of
a name (`NAME.3`, `NAME.lost`) begins as a name does, and as no key can.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from sweepstake.errors import InvalidInputError, shown

__all__ = [
    "ATTEMPT_PATTERN",
    "KEY_PATTERN",
    "check_attempt",
    "check_etag",
    "check_key",
    "is_name",
    "item_key",
    "name_of",
    "new_key",
    "proposal_id",
    "proposed_by",
    "report_name",
    "shown_etag",
    "uuid7",
]

#: What an op key looks like: 26 digits of base32hex, then the number of the item in a call on many.
KEY_PATTERN: Final = r"[0-9a-v]{26}(\.[0-9]{1,6})?"
#: What an attempt is called in a call: by the key of its claim or, if it has no lease, by the name of the PUT's key.
ATTEMPT_PATTERN: Final = f"w?{KEY_PATTERN}"
_KEY: Final = re.compile(KEY_PATTERN)
_ATTEMPT: Final = re.compile(ATTEMPT_PATTERN)
#: What a store of before there were names may have kept: a key, and perhaps something behind it.
_KEPT: Final = re.compile(r"[0-9a-v]{26}(?![0-9a-v])")
#: How names begin: with a letter that base32hex has not.
_NAME: Final = "w"
_ETAG: Final = re.compile(r"[!#-~]{1,255}")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"
_PAIRS: Final = tuple(high + low for high in _DIGITS for low in _DIGITS)
#: The bits of a UUIDv7 that are free, and those that say what it is: version 7 of variant 2.
_FREE: Final = ~(0xF << 76 | 0x3 << 62)
_FIXED: Final = 0x7 << 76 | 0x2 << 62
_LOW: Final = (1 << 70) - 1


def new_key(wall: Callable[[], float], entropy: Callable[[int], bytes]) -> str:
    """Make an op key, or an id: a UUIDv7 (RFC 9562, section 5.7) as 26 characters that sort by time.

    The digits are RFC 4648's base32hex in lower case: of the base32 alphabets the one
    whose order is that of the bytes.

    Args:
        wall: returns Unix time in seconds.
        entropy: returns that many random bytes.
    """
    number = (int(wall() * 1000) & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(entropy(10))
    return _digits(number & _FREE | _FIXED)


def uuid7(milliseconds: int, entropy: bytes) -> str:
    """Make the key of this moment, in Unix time, and with these 10 bytes."""
    return new_key(lambda: (milliseconds + 0.5) / 1000, lambda count: entropy[:count])


def _digits(number: int) -> str:
    # 130 bits are 13 pairs of digits. Written out, as a loop takes twice as long and each job has five keys and names.
    high, low, pairs = number >> 68, number << 2 & _LOW, _PAIRS
    return (
        f"{pairs[high >> 50]}{pairs[high >> 40 & 0x3FF]}{pairs[high >> 30 & 0x3FF]}{pairs[high >> 20 & 0x3FF]}"
        f"{pairs[high >> 10 & 0x3FF]}{pairs[high & 0x3FF]}{pairs[low >> 60]}{pairs[low >> 50 & 0x3FF]}"
        f"{pairs[low >> 40 & 0x3FF]}{pairs[low >> 30 & 0x3FF]}{pairs[low >> 20 & 0x3FF]}{pairs[low >> 10 & 0x3FF]}"
        f"{pairs[low & 0x3FF]}"
    )


@lru_cache(maxsize=10_000)  # that of a claim's key is wanted again when its attempt ends
def name_of(key: str) -> str:
    """Return the name under which a store keeps an op key; nobody can tell the key from it."""
    return _NAME + _digits(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=16).digest()))


def report_name(key: str, attempt: str) -> str:
    """Return the name of the report on an attempt: no other write has it, whatever else its key is used for."""
    return name_of(f"{key} {attempt}")


def is_name(text: str) -> bool:
    """Tell names from op keys."""
    return text.startswith(_NAME)


def shown_etag(kept: str) -> str:
    """Return an etag, or the key of an attempt or event, as it may be told: those of older stores are keys yet."""
    if kept.startswith(_NAME) or not _KEPT.match(kept):
        return kept
    return name_of(kept[:26]) + kept[26:]


def proposal_id(key: str) -> str:
    """Return the id of the job that a search proposes in the call with this key: a repeat of the call finds it."""
    milliseconds = int(key[:10], 32) >> 2 if _KEY.fullmatch(key) else 0
    return uuid7(milliseconds, _entropy(name_of(key)))


def proposed_by(job_id: str, etag: str) -> bool:
    """Tell whether the job was proposed, and is as the call left it whose name is its etag."""
    return job_id == etag or job_id[11:] == uuid7(0, _entropy(etag))[11:]


def _entropy(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=10).digest()


def item_key(key: str, index: int) -> str:
    """Return the key of item `index` of a call on many whose key is `key`."""
    return f"{key}.{index}"


def check_key(key: str, path: str = "Idempotency-Key") -> str:
    """Return `key` if it is an op key in the layout of a UUIDv7."""
    if not _KEY.fullmatch(key):
        raise InvalidInputError.at(path, "must be a UUIDv7 in lower-case base32hex (26 characters)")
    return key


def check_attempt(key: str, path: str) -> str:
    """Return `key` if an attempt may be called so."""
    if not _ATTEMPT.fullmatch(key):
        raise InvalidInputError.at(path, "must be the key that its claim was answered with (26 characters)")
    return key


def check_etag(etag: object, path: str = "etag") -> str:
    """Return `etag` if it may have come from a store."""
    if not isinstance(etag, str) or not _ETAG.fullmatch(etag):
        raise InvalidInputError.at(path, f"must be as it was read from the store, is {shown(etag)}")
    return etag
