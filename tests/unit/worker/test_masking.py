"""Secrets in output."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.worker.masking import Mask, words_of


def masked(secrets: list[str], *pieces: bytes) -> bytes:
    """Return what is seen of output that comes in pieces."""
    mask = Mask(words_of(secrets))
    return b"".join(map(mask.feed, pieces)) + mask.rest()


@pytest.mark.parametrize(
    "secrets, pieces, seen",
    [
        (["hidden"], [b"a hidden b\n"], b"a *** b\n"),
        (["hidden"], [b"a hid", b"den b\n"], b"a *** b\n"),
        (["hidden"], [b"a hid", b"e b hidde"], b"a hide b hidde"),
        (["line one\nline two\n"], [b"x line two y\n", b"line one\nline two\n"], b"x *** y\n***\n"),
        (["abc", ""], [b"abc"], b"abc"),
        (["hidden", "hidden-longer"], [b"hidden-longer hidden"], b"*** ***"),
        (["pässwört"], ["ein pässwört".encode()], b"ein ***"),
        ([], [b"a", b"b"], b"ab"),
    ],
)
def test_secrets_are_not_seen(secrets: list[str], pieces: list[bytes], seen: bytes) -> None:
    """However output is cut; one too short to be told from other text is left."""
    assert masked(secrets, *pieces) == seen


@given(st.lists(st.text("abx", min_size=1, max_size=4), max_size=20))
def test_no_cut_lets_a_secret_through(pieces: list[str]) -> None:
    """And nothing but secrets is changed: what is seen is the same as of the whole."""
    cut = [piece.encode() for piece in pieces]
    seen = masked(["abab"], *cut)
    assert b"abab" not in seen
    assert seen == b"".join(cut).replace(b"abab", b"***")


def test_what_cannot_be_a_secret_is_seen_at_once() -> None:
    """A line is not held back until the next one comes."""
    assert Mask(words_of(["hidden"])).feed(b"a line\n") == b"a line\n"
