import base64
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.domain.keys import check_key, item_key, uuid7
from sweepstake.errors import InvalidInputError

_times = st.integers(0, 2**48 - 1)
_entropy = st.binary(min_size=10, max_size=10)


def _uuid(key: str) -> uuid.UUID:
    return uuid.UUID(bytes=base64.b32hexdecode(key.upper() + "=" * 6))


@given(_times, _entropy)
def test_has_the_layout_of_rfc_9562(milliseconds: int, entropy: bytes) -> None:
    """48 bits of time, version 7, variant 10, and 74 bits of entropy in their places."""
    found = _uuid(uuid7(milliseconds, entropy))
    assert found.version == 7
    assert found.variant == uuid.RFC_4122
    assert found.int >> 80 == milliseconds
    random_bits = int.from_bytes(entropy)
    assert found.int & (2**62 - 1) == random_bits & (2**62 - 1)
    assert (found.int >> 64) & 0xFFF == (random_bits >> 64) & 0xFFF


def test_agrees_with_the_example_of_the_rfc() -> None:
    """The test vector of RFC 9562, appendix A.6."""
    key = uuid7(0x017F22E279B0, bytes.fromhex("0cc318c4dc0c0c07398f"))
    assert _uuid(key) == uuid.UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


@given(_times, _times, _entropy, _entropy)
def test_sorts_by_time(first: int, second: int, entropy: bytes, other: bytes) -> None:
    """The text of an earlier key sorts before that of a later one."""
    if first != second:
        assert (uuid7(first, entropy) < uuid7(second, other)) is (first < second)
    assert uuid7(first, entropy) == uuid7(first, entropy)


@given(_times, _entropy, st.integers(0, 999_999))
def test_is_a_key(milliseconds: int, entropy: bytes, index: int) -> None:
    """What is made is accepted, and so is the key of an item."""
    key = uuid7(milliseconds, entropy)
    assert check_key(key) == key
    assert check_key(item_key(key, index)) == f"{key}.{index}"


@pytest.mark.parametrize(
    "text", ["", "a" * 25, "a" * 27, "A" * 26, "w" * 26, "a" * 26 + "\n", "a" * 26 + ".", "a" * 26 + ".1.2", "é" * 26]
)
def test_anything_else_is_refused(text: str) -> None:
    """Other text is no key; the error names the header unless told otherwise."""
    with pytest.raises(InvalidInputError, match=r"^Idempotency-Key: must be a UUIDv7"):
        check_key(text)
    with pytest.raises(InvalidInputError, match=r"^key: "):
        check_key(text, "key")
