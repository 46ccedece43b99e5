"""Output that is passed through."""

import io
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from sweepstake.worker.terminal import Lines, Terminal


class Closed(io.BytesIO):
    """A pipe whose reader has gone."""

    def write(self, data: object) -> int:
        """Fail as a broken pipe does."""
        raise BrokenPipeError


@given(st.lists(st.text("ab\n", max_size=5).map(str.encode)))
def test_lines_are_never_torn(pieces: list[bytes]) -> None:
    """Whatever the pieces, what is passed on ends behind a line, and in the end everything was."""
    lines = Lines()
    passed = [lines.feed(piece) for piece in pieces]
    rest = lines.rest()
    assert all(part.endswith(b"\n") for part in passed if part)
    whole = b"".join(pieces)
    assert b"".join([*passed, rest]) == whole + (b"\n" if rest else b"")


def test_lines_say_whose_they_are() -> None:
    """Each line of one of several commands has its prefix, the redrawn ones of a progress bar too."""
    lines = Lines(b"[j] ")
    assert lines.feed(b"one\n10%\r20") == b"[j] one\n"
    assert lines.feed(b"%\n") + lines.rest() == b"[j] 10%\r[j] 20%\n"


def test_a_very_long_line_is_passed_on_in_parts() -> None:
    """A line without end does not fill the memory."""
    lines = Lines()
    assert sum(len(lines.feed(b"x" * 10_000)) for _ in range(100)) > 900_000


def test_streams_stay_apart() -> None:
    """Standard output and standard error go where they belong."""
    out, err = io.BytesIO(), io.BytesIO()
    terminal = Terminal({1: out, 2: err}, several=False)
    for stream, data in _interleaved():
        terminal.write(stream, data)
    assert (out.getvalue(), err.getvalue()) == (b"ac", b"b")


def test_a_reader_that_has_gone_does_not_stop_the_jobs() -> None:
    """The rest of the output is dropped, without an error and without silencing the other stream."""
    err = io.BytesIO()
    terminal = Terminal({1: Closed(), 2: err}, several=False)
    for stream, data in _interleaved():
        terminal.write(stream, data)
    assert err.getvalue() == b"b"


def _interleaved() -> Iterable[tuple[int, bytes]]:
    return [(1, b"a"), (2, b"b"), (1, b"c")]
