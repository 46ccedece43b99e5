"""Strangers who try passwords without end lock nobody out, measured against a real server."""

import logging
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import requests
from requests.adapters import HTTPAdapter

from sweepstake.server.guessing import ADDRESS
from tests.kit.serving import EMAIL, PASSWORD, served

#: The longest that the right password may take to get in, in seconds, or as often the time that it takes without a
#: flood, whichever is more: other tests keep the machine busy.
LIMIT: Final = 10.0
FACTOR: Final = 20
CONNECTIONS: Final = 48
ATTACKERS: Final = tuple(f"127.0.0.{10 + i}" for i in range(8))

_logger = logging.getLogger(__name__)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="one loopback address is not enough")


class _From(HTTPAdapter):
    """Connects from an address of one's own."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Bind the connections."""
        super().init_poolmanager(*arguments, **options, source_address=(self._address, 0))


@attrs.define
class Knocker:
    """Somebody at an address, who tries passwords."""

    url: str
    address: str
    session: requests.Session = attrs.field(factory=requests.Session)

    def __attrs_post_init__(self) -> None:
        """Connect from the address."""
        self.session.mount("http://", _From(self.address))

    def knock(self, email: str, password: str) -> requests.Response:
        """Try a password."""
        body = {"email": email, "token": password}
        return self.session.post(f"{self.url}/api/v1/passauth/", json=body, timeout=60)

    def seconds_to_enter(self) -> float:
        """Try the right password as often as it takes, and return how long that was."""
        began = time.monotonic()
        while (answer := self.knock(EMAIL, PASSWORD)).status_code != 200:
            assert answer.status_code == 429, answer.text
            assert time.monotonic() - began < 60
            time.sleep(float(answer.headers["Retry-After"]))
        return time.monotonic() - began


@attrs.define
class Flood:
    """What strangers were answered."""

    answers: dict[int, int] = attrs.field(factory=dict)
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def count(self, status: int) -> None:
        """Take note of an answer."""
        with self.lock:
            self.answers[status] = self.answers.get(status, 0) + 1


@contextmanager
def _flood(url: str, addresses: list[str], emails: list[str]) -> Iterator[Flood]:
    """Try wrong passwords from all addresses at once, without a pause."""
    stop = threading.Event()
    flood = Flood()

    def pour(address: str, number: int) -> None:
        knocker = Knocker(url, address)
        for i in range(10**9):
            if stop.is_set():
                break
            flood.count(knocker.knock(emails[(number + i) % len(emails)], "a wrong password").status_code)
        knocker.session.close()

    threads = [threading.Thread(target=pour, args=(address, i)) for i, address in enumerate(addresses)]
    for thread in threads:
        thread.start()
    try:
        yield flood
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.full)])
@pytest.mark.parametrize("kind", ["one address", "one account"])
def test_the_right_password_gets_in_under_a_flood(tmp_path: Path, kind: str, seconds: int) -> None:
    """From an address that has not failed, within ten seconds; and the tries fill no table."""
    emails = [EMAIL, *(f"user-{i}@example.org" for i in range(200))]
    if kind == "one address":
        addresses, targets = [ATTACKERS[0]] * CONNECTIONS, emails
    else:
        addresses, targets = list(ATTACKERS) * (CONNECTIONS // len(ATTACKERS)), [EMAIL]
    with served(f"sqlite:///{tmp_path}/store.db") as server, ExitStack() as stack:
        limit = max(LIMIT, FACTOR * max(Knocker(server.url, f"127.0.2.{i}").seconds_to_enter() for i in (1, 2, 3)))
        flood = stack.enter_context(_flood(server.url, addresses, targets))
        end = time.monotonic() + seconds
        waits: list[float] = []
        while time.monotonic() < end or len(waits) < 3:
            waits.append(Knocker(server.url, f"127.0.1.{1 + len(waits) % 250}").seconds_to_enter())
    assert max(waits) < limit, (waits, flood.answers)
    _logger.info("%s: %d logins, the slowest %.2f s; strangers: %s", kind, len(waits), max(waits), flood.answers)
    assert set(flood.answers) <= {403, 429}
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        [(rows,)] = connection.execute("select count(*) from tries")
    checked = flood.answers[403]
    assert checked <= len(set(addresses)) * (ADDRESS.free + 8 + seconds)
    assert rows <= 3 * (checked + len(waits))
