"""The commands' output, passed through to ours."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import IO, Final

__all__ = ["Lines", "Terminal"]

#: Bytes after which an unfinished line is passed on as it is.
_LONG: Final = 64 * 1024


class Terminal:
    """Writes what several threads hand it; when nobody reads any more, the jobs go on in silence.

    Args:
        streams: where standard output (1) and standard error (2) go.
        several: pass on only whole lines that say whose they are, because several commands write at once.
    """

    def __init__(self, streams: Mapping[int, IO[bytes]], *, several: bool) -> None:
        self.several = several
        self._streams = dict(streams)
        self._lock = threading.Lock()

    def write(self, stream: int, data: bytes) -> None:
        """Write bytes to a stream at once."""
        with self._lock:
            file = self._streams.get(stream)
            if file is None or not data:
                return
            try:
                file.write(data)
                file.flush()
            except (OSError, ValueError):  # closed by the reader, or at our own end
                del self._streams[stream]


class Lines:
    """Cuts one command's stream behind its last line break.

    Args:
        prefix: stands before each line.
    """

    def __init__(self, prefix: bytes = b"") -> None:
        self._prefix = prefix
        self._pending = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return those that may be written: whole lines, or a very long part of one."""
        data = self._pending + data
        end = data.rfind(b"\n") + 1
        if len(data) - end > _LONG:
            end = len(data)
        self._pending = data[end:]
        return self._prefixed(data[:end])

    def rest(self) -> bytes:
        """Return the unfinished last line, ended."""
        pending, self._pending = self._pending, b""
        return self._prefixed(pending + b"\n") if pending else b""

    def _prefixed(self, data: bytes) -> bytes:
        if not self._prefix:
            return data
        return b"".join(self._prefix + line for line in data.splitlines(keepends=True))
