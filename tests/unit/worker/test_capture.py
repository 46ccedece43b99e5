"""Output of limited size."""

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.worker.capture import Capture, Trim

LIMIT = 200


def kept(pieces: list[bytes]) -> bytes:
    """Return what a trim of 200 bytes keeps."""
    trim = Trim(LIMIT)
    return b"".join([*[trim.feed(piece) for piece in pieces], trim.rest()])


@given(st.lists(st.binary(max_size=90), max_size=12))
def test_output_within_the_limit_is_kept_whole_and_more_is_cut_in_the_middle(pieces: list[bytes]) -> None:
    """Beginning and end are the stream's own, and the limit is never exceeded, however the stream is cut."""
    stream = b"".join(pieces)
    result = kept(pieces)
    assert len(result) <= LIMIT
    if len(stream) <= LIMIT:
        assert result == stream
    else:
        head, _, tail = result.partition(b"\n... ")
        number, _, tail = tail.partition(b" bytes left out ...\n")
        assert stream.startswith(head)
        assert stream.endswith(tail)
        assert len(head) + int(number.replace(b",", b"")) + len(tail) == len(stream)


def test_the_beginning_is_on_disk_at_once(tmp_path: Path) -> None:
    """Whoever looks while the command runs sees what it has printed."""
    path = tmp_path / "1.log"
    with closing(Capture(path.open("wb", buffering=0), LIMIT)) as capture:
        capture.write(b"epoch 1\n")
        assert path.read_bytes() == b"epoch 1\n"
        capture.write(b"x" * 1000)
    assert len(path.read_bytes()) <= LIMIT
    assert path.read_bytes().startswith(b"epoch 1\nxxx")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_costs_the_copy_only(caplog: pytest.LogCaptureFixture) -> None:
    """The command is not held up by what cannot be written, and somebody is told once."""
    with closing(Capture(Path("/dev/full").open("wb", buffering=0), LIMIT)) as capture:
        for _ in range(3):
            capture.write(b"epoch\n" * 1000)
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        "the output is kept no longer: No space left on device"
    ]
