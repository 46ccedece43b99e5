"""A way to a store that can be shut and made slow, as a network is."""

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

__all__ = ["Gate"]

_CHUNK = 65536


class Gate:
    """Forwards connections on loopback to the host and port of a URL, while it is open.

    Attributes:
        url: the URL of the other side, through the gate.
        delay: seconds by which each piece of an answer is held up.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        user = f"{parts.username}@" if parts.username else ""
        self.url = urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{self._listener.getsockname()[1]}"))
        self.delay = 0.0
        self._shut = False
        self._through: set[socket.socket] = set()

    def shut(self) -> None:
        """Cut all connections, and every new one at once."""
        self._shut = True
        for one in list(self._through):
            _cut(one)

    def open(self) -> None:
        """Let connections through again."""
        self._shut = False

    def __enter__(self) -> Self:
        """Forward connections for the length of a block."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut all connections and take no more."""
        _cut(self._listener)  # closing alone would not wake the thread that accepts
        self._listener.close()
        self.shut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            if self._shut:
                client.close()
                continue
            server = socket.create_connection(self._target)
            self._through |= {client, server}
            threading.Thread(target=self._forward, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._forward, args=(server, client, True), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while not self._shut and (piece := source.recv(_CHUNK)):
                if answers and self.delay:
                    time.sleep(self.delay)  # what a slow network does
                sink.sendall(piece)
        _cut(sink)
        _cut(source)
        source.close()
        self._through.discard(source)


def _cut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
