"""Secrets in output."""

import re
import time

import pytest
from hypothesis import example, given
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
        (["hunter2", "hunter2-prod-key"], [b"x hunter2", b"-prod-key y"], b"x *** y"),
        (["hunter2", "hunter2-prod-key"], [b"x hunter2", b"-prod y hunter2"], b"x ***-prod y ***"),
        (["pässwört"], ["ein pässwört".encode()], b"ein ***"),
        ([], [b"a", b"b"], b"ab"),
    ],
)
def test_secrets_are_not_seen(secrets: list[str], pieces: list[bytes], seen: bytes) -> None:
    """However output is cut; one too short to be told from other text is left."""
    assert masked(secrets, *pieces) == seen


@given(
    st.lists(st.text("abx", min_size=4, max_size=6), min_size=1, max_size=4),
    st.lists(st.text("abx", min_size=1, max_size=5), max_size=20),
)
@example(["abab", "ababx"], ["abab", "x"])
@example(["abab", "abxaba"], ["abx", "abab"])
def test_no_cut_lets_a_secret_through(secrets: list[str], pieces: list[str]) -> None:
    """Nor a part of one, and nothing but secrets is changed: what is seen is the same as of the whole."""
    whole = re.compile("|".join(sorted(secrets, key=len, reverse=True))).sub("***", "".join(pieces))
    assert masked(secrets, *(piece.encode() for piece in pieces)) == whole.encode()


def test_much_output_full_of_secrets_is_masked_in_one_pass() -> None:
    """Its time grows with its length: that of ten times as much is about ten times as long."""

    def seconds(count: int) -> float:
        mask, data = Mask(words_of(["hidden"])), b"hidden" * count
        began = time.process_time()
        assert mask.feed(data) == b"***" * count
        return time.process_time() - began

    assert seconds(100_000) < 40 * max(seconds(10_000), 0.001)


@pytest.mark.parametrize("secrets", [["hidden"], ["hidden", "another-longer"], ["hidden", "dennis"]])
def test_a_secret_that_cannot_go_on_is_not_held_back(secrets: list[str]) -> None:
    """Nobody waits for the next output to see that it was there."""
    assert Mask(words_of(secrets)).feed(b"a hidden") == b"a ***"


def test_what_cannot_be_a_secret_is_seen_at_once() -> None:
    """A line is not held back until the next one comes."""
    assert Mask(words_of(["hidden"])).feed(b"a line\n") == b"a line\n"
