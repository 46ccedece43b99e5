"""A TCP proxy that loses answers: the request arrives and is carried out, and its sender never hears of it."""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

__all__ = ["LossyProxy"]

_CHUNK = 65536


class LossyProxy:
    """Forwards connections on loopback to the host and port of a URL, and cuts some of them.

    Each piece of an answer is lost with the given chance, and with it the connection, while `losing` is true.

    Attributes:
        url: the URL of the other side, through the proxy.
        cuts: how many answers were lost so far.
        losing: whether answers are lost; at first they are not.
    """

    def __init__(self, url: str, chance: float, seed: int) -> None:
        self.losing = False
        self._chance = chance
        self.cuts = 0
        self._random = random.Random(seed)
        self._target = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        user = f"{urlsplit(url).username}@" if urlsplit(url).username else ""
        self.url = urlunsplit(urlsplit(url)._replace(netloc=f"{user}127.0.0.1:{self._listener.getsockname()[1]}"))

    def __enter__(self) -> Self:
        """Forward connections for the length of a block."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut all connections and take no more."""
        # Closing alone would not wake the thread that accepts.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()

    def cut_all(self) -> None:
        """Cut every connection there is."""
        for one in list(self._open):
            _cut(one)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            try:
                server = socket.create_connection(self._target, timeout=10)
            except OSError:  # the other side is away: so is the proxy
                client.close()
                continue
            server.settimeout(None)
            self._open |= {client, server}
            for source, sink, is_answer in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._forward, args=(source, sink, is_answer), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with self._ending(source, sink), suppress(OSError):
            while piece := source.recv(_CHUNK):
                if is_answer and self.losing and self._random.random() < self._chance:
                    self.cuts += 1
                    return
                sink.sendall(piece)

    @contextmanager
    def _ending(self, source: socket.socket, sink: socket.socket) -> Iterator[None]:
        try:
            yield
        finally:
            _cut(source)
            _cut(sink)
            source.close()
            self._open.discard(source)


def _cut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
