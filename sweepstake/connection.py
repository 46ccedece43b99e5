"""`connect`: from a URL to a database, putting the layers together."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from attrs import evolve

from sweepstake.client import Database, Heartbeat, LateSession, Places, Session
from sweepstake.client.attempt.terminating import TERM_WATCH
from sweepstake.clock import Clock, SystemClock
from sweepstake.config import Config, read_config
from sweepstake.errors import ConfigurationError, shown
from sweepstake.plaintext import without_password
from sweepstake.queue.queue import Queue, Sender
from sweepstake.queue.retrying import outlast, patient_queue
from sweepstake.snapshot import take_snapshot
from sweepstake.spool import Deliverer, Spool, address_of
from sweepstake.values import JsonObject

__all__ = ["connect", "connect_with", "open_sender"]


def connect(
    url: str | None = None, token: str | None = None, *, config: str | os.PathLike[str] | None = None
) -> Database:
    """Connect to a store.

    Args:
        url: ``sqlite:///path``, ``postgresql://...``, or ``http(s)://...`` of a server. By default that of
            SWEEPSTAKE_URL, of the configuration file, or a file in the user's data folder.
        token: API token for a server; by default that of SWEEPSTAKE_TOKEN or of the configuration file.
        config: a configuration file of your own; by default SWEEPSTAKE_CONFIG, or the user's `config.toml`.

    Raises:
        ConfigurationError: the URL or the configuration file is wrong.
        StoreRefusedError: the store must not be used as it is.
        StoreUnavailableError: the store did not answer within two minutes.
        MissingExtraError: the store needs an optional package; the message says how to install it.
    """
    return connect_with(read_config(url, token, config), SystemClock(), time.sleep)


def connect_with(config: Config, clock: Clock, sleep: Callable[[float], None]) -> Database:
    """Connect to the store that settings name, with a clock of one's own.

    Args:
        config: the settings.
        clock: for everything on this side of the connection; a store has its own.
        sleep: waits that many seconds of the clock.
    """
    sender = outlast(lambda: open_sender(config), clock, sleep)
    spool = Spool.of(config.spool, address_of(config.url))
    deliverer = Deliverer(spool, Queue(sender), clock)
    queue = patient_queue(sender, clock, os.urandom, partial(TERM_WATCH.nap, sleep), deliverer.take_turn)
    number = secrets.token_hex(16)
    file = None if config.file is None else str(config.file)
    session = Session(
        queue=queue,
        heartbeat=Heartbeat(queue, clock),
        places=_places(config, sender),
        spool=spool,
        clock=clock,
        config=config,
        copied=(copied_session, (spool.store, file, number)),
        snapshot=_snapshot,
    )
    _SETTINGS[number] = config
    return Database(session, without_password(config.url))


#: The settings of the connections of this process, and of the one that it was forked from: so no secret needs to leave
#: the memory for a copy that stays in it.
_SETTINGS: Final[WeakValueDictionary[str, Config]] = WeakValueDictionary()
#: The copies in this process, which share one connection for each that they are copies of.
_COPIES: Final[WeakValueDictionary[str, Session]] = WeakValueDictionary()
_COPYING: Final = threading.RLock()


def copied_session(address: str, file: str | None, number: str) -> Session:
    """Return the session of a copy; it is opened when it is first used, as `connect` would open it here.

    Args:
        address: the store, without password and token.
        file: the configuration file that was used where the copy was made; another machine may not have it.
        number: finds the settings of the original, if that is or was in this process.
    """
    with _COPYING:
        found = _COPIES.get(number)
        if found is None:
            known = _SETTINGS.get(number)

            def open_here() -> Session:
                config = known or _settings_for(address, file)
                return connect_with(config, SystemClock(), time.sleep).session

            found = LateSession(open_here, (copied_session, (address, file, number)))
            _COPIES[number] = found
        return found


def _settings_for(address: str, file: str | None) -> Config:
    """Return the settings of this place for a store; a token goes only to the server that is configured beside it."""
    named = file if file is not None and Path(file).exists() else None
    here = read_config(config=named)
    if address_of(here.url) == address:
        return here
    there = read_config(address, config=named)
    return evolve(there, token=None) if here.url.startswith(("http://", "https://")) else there


def open_sender(config: Config) -> Sender:
    """Open what is behind a URL: a server, or a store of one's own. Only what it needs is imported."""
    scheme = config.url.partition("://")[0]
    if scheme in ("http", "https"):
        from sweepstake.http import HttpSender

        return HttpSender(config.url, config.token)
    if scheme in ("sqlite", "postgresql", "postgres"):
        from sweepstake.files import open_shelf
        from sweepstake.queue.here import Here
        from sweepstake.stores import open_engine

        engine = open_engine(config.url)
        return Here(engine, SystemClock(), files=open_shelf(config.url, engine.identity, config.files))
    kind = f"of the kind {shown(scheme)}" if "://" in config.url else "without ://"  # what follows may be a password
    raise ConfigurationError(f"a URL {kind} names no store; use sqlite:///path, postgresql://... or http(s)://...")


def _snapshot() -> JsonObject | None:
    """Return what the code in the working directory is; None if that is gone."""
    try:
        return take_snapshot(Path.cwd()).document
    except FileNotFoundError:
        return None


def _places(config: Config, sender: Sender) -> Places:
    shared = config.checkpoints != config.state / "checkpoints"
    return Places(state=config.state, checkpoints=config.checkpoints, shared=shared, store=lambda: sender.identity)
