"""A TCP proxy that loses answers: the request arrives and is carried out, and its sender never hears of it."""

import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

__all__ = ["LossyProxy"]

_CHUNK = 65536


#: How PostgreSQL ends an answer after which no transaction is open: what it was asked for is committed.
_READY = b"Z\x00\x00\x00\x05I"


class LossyProxy:
    """Forwards connections on loopback to the host and port of a URL, and cuts some of them.

    While `losing` is true, each answer is lost with the given chance, and with it the connection: over HTTP the whole
    of it, from PostgreSQL the end, which says that the work is committed.

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
        self._is_http = url.startswith("http")
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
            exchange = _Answers() if self._is_http else _Commits()
            for source, sink, passes in ((client, server, exchange.ask), (server, client, self._may_answer(exchange))):
                threading.Thread(target=self._forward, args=(source, sink, passes), daemon=True).start()

    def _may_answer(self, exchange: "_Answers | _Commits") -> Callable[[bytes], bool]:
        """Return what decides whether a piece of an answer passes."""

        def passes(piece: bytes) -> bool:
            if exchange.begins(piece) and self.losing and self._random.random() < self._chance:
                self.cuts += 1
                return False
            return True

        return passes

    def _forward(self, source: socket.socket, sink: socket.socket, passes: Callable[[bytes], bool]) -> None:
        with self._ending(source, sink), suppress(OSError):
            while (piece := source.recv(_CHUNK)) and passes(piece):
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


class _Answers:
    """The talk on one connection over HTTP."""

    def __init__(self) -> None:
        self._asked = False

    def ask(self, _: bytes) -> bool:
        """Note that a request is under way, and let it pass."""
        self._asked = True
        return True

    def begins(self, _: bytes) -> bool:
        """Tell whether this is the first piece of an answer."""
        first, self._asked = self._asked, False
        return first


class _Commits:
    """The talk on one connection to PostgreSQL."""

    def __init__(self) -> None:
        self._greeted = False

    def ask(self, _: bytes) -> bool:
        """Let a request pass."""
        return True

    def begins(self, piece: bytes) -> bool:
        """Tell whether this piece says that something was done; the greeting says so, too, before anything was."""
        if not piece.endswith(_READY):
            return False
        greeted, self._greeted = self._greeted, True
        return greeted


def _cut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
