"""Running the server: a socket, one or more processes, and an end without lost answers."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final
from urllib.parse import quote

import uvicorn
from attrs import evolve, frozen
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from sweepstake.clock import SystemClock
from sweepstake.errors import ConfigurationError, ResourceExistsError, ServerError, shown
from sweepstake.files import open_shelf
from sweepstake.queue.here import Here
from sweepstake.queue.retrying import outlast
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.access.users import list_users
from sweepstake.server.app import create_app
from sweepstake.server.garbage import set_aside
from sweepstake.server.keys import SecretPlace, prepare
from sweepstake.server.logins import Logins
from sweepstake.server.metrics import counting_together
from sweepstake.server.ownmachine import is_loopback
from sweepstake.server.passwords import add_user
from sweepstake.stores import open_engine
from sweepstake.stores.engine import Engine

__all__ = ["FIRST_USER", "ServeOptions", "serve"]

#: The user that is made when there is none.
FIRST_USER: Final = "admin@localhost"
_GRACE: Final = 30
_IDLE: Final = 75
_START: Final = 60.0
#: What may stand in the path of a URL beside letters and digits.
_OF_PATHS: Final = "/%!$&'()*+,;=:@~"
#: Seconds for which one thread runs Python while another waits. With Python's own 5 ms, a short call beside two long
#: ones would wait for its turn again and again.
_TURN: Final = 0.0005


@frozen(kw_only=True)
class ServeOptions:
    """How to serve.

    Attributes:
        store: URL of the store.
        port: 0 takes a free one.
        workers: processes that answer.
        root_path: the path below which a proxy shows the server.
        auth: ask for credentials; without it only this machine may be served.
        secret: where the secret of the signing key is kept; needed with `auth`.
        files: where files of attempts are kept; None: beside the file of the store.
    """

    store: str
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    root_path: str = ""
    auth: bool = True
    secret: SecretPlace | None = None
    files: str | None = None


def serve(options: ServeOptions, tell: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; calls under way are answered first.

    Args:
        options: how to serve.
        tell: takes each line that people and scripts shall see; the last one of the start holds the URL.

    Raises:
        ConfigurationError: the options contradict each other, or nothing can listen on the address.
        StoreRefusedError, StoreUnavailableError: the store cannot be used, or not now.
        ServerError: a worker process did not start.
    """
    options = evolve(options, root_path=_root_path(options.root_path))
    if options.workers < 1:
        raise ConfigurationError("--workers must be 1 or more")
    _log()
    with _bind(options) as listener:
        if not options.auth and not is_loopback(listener.getsockname()[0]):
            raise ConfigurationError(
                f"--no-auth would let everybody in who reaches {options.host}; use it with 127.0.0.1"
            )
        url = _url(options, listener)
        _prepare(options, tell)
        if not options.auth:
            tell("It asks for no credentials: programs on this machine may do everything, and web pages nothing.")
        config = _config(options)
        ready = partial(tell, f"Sweepstake listens on {url}")
        if options.workers == 1:
            _Server(config, ready).run(sockets=[listener])
        else:
            fleet = _Fleet(config, listener, ready)
            with counting_together():
                fleet.run()
            if not fleet.answered:
                raise ServerError("a worker process did not start; the log says why")


def _prepare(options: ServeOptions, tell: Callable[[str], None]) -> None:
    """Bring the store's schema up to date before anybody asks, and make the first user."""
    engine = _open(options)
    store = Store(engine, SystemClock())
    try:
        if options.secret is not None and options.auth and prepare(store, options.secret):
            tell(f"A new signing key was made in {options.secret.path}, because the one before is not here.")
            tell("Clients of Schedy have to log in again. Keep the file, or set SWEEPSTAKE_SIGNING_KEY.")
        token = _first_user(store) if options.auth else None
    finally:
        engine.close()
    if token is not None:
        tell(f"There was no user yet, so {FIRST_USER} was made. Its API token is shown only now:")
        tell(f"    SWEEPSTAKE_TOKEN={token}")


def _open(options: ServeOptions) -> Engine:
    """Open the store; one that is away may be back soon, as when both are started at once."""
    return outlast(lambda: open_engine(options.store), SystemClock(), time.sleep)


def _first_user(store: Store) -> str | None:
    if list_users(store):
        return None
    try:
        return add_user(store, FIRST_USER)
    except ResourceExistsError:  # another server made it at the same moment
        return None


def _make_app(options: ServeOptions) -> ASGIApp:
    """Make the application in the process that runs it."""
    _log()
    _follow_parent()
    sys.setswitchinterval(_TURN)
    clock = SystemClock()
    engine = _open(options)
    here = Here(engine, clock, files=open_shelf(options.store, engine.identity, options.files), serving=True)
    logins = Logins(here.store, clock, _secret(options)) if options.auth else None
    app = create_app(here, logins, clock)
    set_aside()
    return app


def _secret(options: ServeOptions) -> Callable[[], str]:
    assert options.secret is not None, "a server that asks for credentials has a signing key"
    return options.secret.secret


def _config(options: ServeOptions) -> uvicorn.Config:
    return uvicorn.Config(
        partial(_make_app, options),
        factory=True,
        workers=options.workers,
        root_path=options.root_path,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=_GRACE,
    )


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


class _Fleet(Multiprocess):
    """Several processes on one socket, one of which is replaced when it dies; says when they answer."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, ready: Callable[[], None]) -> None:
        super().__init__(config, sockets=[listener])
        self._ready = ready
        self.answered = False

    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(_START, self.should_exit) for process in self.processes):
            self.answered = True
            self._ready()
        else:
            self.should_exit.set()


def _follow_parent() -> None:
    """End this process when the one that started it as a worker was killed, so that the port is free again."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="sweepstake-parent", daemon=True).start()


def _bind(options: ServeOptions) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"cannot listen on {options.host}:{options.port}: {error}; choose another --port"
        ) from None
    listener.set_inheritable(True)
    return listener


def _url(options: ServeOptions, listener: socket.socket) -> str:
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"http://{host}:{listener.getsockname()[1]}{options.root_path.rstrip('/')}"


def _root_path(path: str) -> str:
    """Return a path as it stands in URLs, without a slash at its end."""
    parts = path.rstrip("/").split("/")
    good = not parts[0] and not {".", ".."} & {*parts} and not any(mark in path for mark in "?#\\")
    if not good or not path.isprintable() or " " in path:
        raise ConfigurationError(f"--root-path must be the path of a URL, such as /sweeps, and is {shown(path)}")
    return quote("/".join(parts), safe=_OF_PATHS)


def _log() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
