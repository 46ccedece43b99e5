"""The output of a command, kept in a file."""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from typing import IO, Final

__all__ = ["LIMIT", "Capture", "Trim"]

#: The most bytes of one attempt's output that are kept.
LIMIT: Final = 10 * 1024 * 1024
_MARK: Final = "\n... {:,} bytes left out ...\n"
_MARK_ROOM: Final = 64

_logger = logging.getLogger(__name__)


class Trim:
    """Keeps the beginning and the end of a stream: no I/O, just which bytes to write.

    Args:
        limit: the most bytes that are kept, the line that marks the gap included; at least 128.
    """

    def __init__(self, limit: int) -> None:
        self._head_room = limit // 2
        self._tail_room = limit - self._head_room - _MARK_ROOM
        self._room = limit - self._head_room
        self._tail: deque[bytes] = deque()
        self._held = 0
        self._dropped = 0

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return those to write now; the others may be wanted at the end."""
        now, later = data[: self._head_room], data[self._head_room :]
        self._head_room -= len(now)
        if later:
            self._tail.append(later)
            self._held += len(later)
            self._drop()
        return now

    def rest(self) -> bytes:
        """Return what to write at the end: the tail, behind a line that counts what was left out between."""
        tail = b"".join(self._tail)
        self._tail.clear()
        self._held = 0
        return tail if not self._dropped else _MARK.format(self._dropped).encode() + tail

    def _drop(self) -> None:
        """Let go of the oldest bytes beyond the room; before the first gap the mark needs none."""
        room = self._room if not self._dropped else self._tail_room
        if self._held <= room:
            return
        excess = self._held - self._tail_room
        self._dropped += excess
        self._held -= excess
        while excess:
            first = self._tail.popleft()
            if len(first) > excess:
                self._tail.appendleft(first[excess:])
                return
            excess -= len(first)


class Capture:
    """A file that takes output as it comes and never grows beyond the limit.

    The beginning is on disk at once; of longer output the end is written when the file is closed. When the disk is
    full, the rest is dropped: the command goes on without this copy of what it says.

    Args:
        file: an empty one, opened without a buffer; it is closed at the end.
        limit: the most bytes; None: all is kept, and on disk at once.

    Attributes:
        problem: why it is kept no longer; empty as long as it is.
    """

    def __init__(self, file: IO[bytes], limit: int | None = LIMIT) -> None:
        self._file = file
        self._trim = None if limit is None else Trim(limit)
        self.problem = ""

    def write(self, data: bytes) -> None:
        """Take the next bytes of output; what comes after the end is dropped."""
        now = data if self._trim is None else self._trim.feed(data)
        if now and not self._file.closed:
            self._write(now)

    def close(self) -> None:
        """Write the end and close the file."""
        if self._trim is not None:
            self._write(self._trim.rest())
        with suppress(OSError):  # a network file system tells here that it is full
            self._file.close()

    def _write(self, data: bytes) -> None:
        if self.problem:
            return
        try:
            self._file.write(data)
        except OSError as error:
            self.problem = f"the output is kept no longer: {error.strerror}"
            _logger.warning("%s: %s", self._file.name, self.problem)
