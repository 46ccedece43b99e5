"""Keeping people from guessing passwords: so many tries, so many at once, and no more."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from sweepstake.clock import Clock
from sweepstake.domain.access import TryLimit, User
from sweepstake.domain.names import check_name
from sweepstake.errors import AuthenticationError, InvalidInputError, TooManyTriesError
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.access.tries import forget_tries, take_try
from sweepstake.queue.verbs.access.users import find_user
from sweepstake.server.line import Line
from sweepstake.server.passwords import check_password
from sweepstake.values import parse_json

__all__ = ["ADDRESS", "PAIR", "USER", "PasswordCheck"]

#: How often passwords may be tried in vain: from one address, of a user from one address, and of a user from
#: everywhere. The last makes nobody wait who has not failed, or a stranger could lock a user out: while it is exceeded,
#: an address that failed once has to wait.
ADDRESS: Final = TryLimit(free=20, longest=60)
PAIR: Final = TryLimit(free=5, longest=60, crowded=1)
USER: Final = TryLimit(free=100, longest=0)
#: How many addresses are remembered that failed, and how many that have to wait; and for how long the first.
_MOST: Final = 65_536
_MEMORY: Final = 900.0
#: How many passwords are checked at once in a process; each takes a thread and 64 MiB.
_AT_ONCE: Final = 4
#: Seconds after which somebody who tries too early is told so: who tries without a pause keeps the server less busy.
_PAUSE: Final = 0.5

K = TypeVar("K")
Matches = Callable[[User | None, str], bool]


class PasswordCheck:
    """Checks passwords. What was tried is counted in the store, for all servers together.

    Args:
        store: where users and tries are kept.
        key: returns the secret by which subjects are made unreadable: people type passwords where emails belong.
        clock: for how long somebody is known to have to wait.
        matches: tells whether a password is a user's; it is meant to be slow.
    """

    def __init__(self, store: Store, key: Callable[[], str], clock: Clock, matches: Matches = check_password) -> None:
        self._store = store
        self._key = key
        self._clock = clock
        self._matches = matches
        self._line = Line(_AT_ONCE, self.has_failed)
        #: Until when an address, or an email from there, has to wait, as the store has said.
        self._waits: dict[bytes, float] = {}
        #: Until when it counts that an address has failed.
        self._failed: dict[str, float] = {}
        self._lock = threading.Lock()

    @asynccontextmanager
    async def turn(self, address: str, body: bytes) -> AsyncIterator[None]:
        """Wait for one's turn to have a password checked, before a thread works for it; it ends with the block.

        Args:
            address: of the caller.
            body: of the request, which may be anything.

        Raises:
            TooManyTriesError: the try is too early, or too many wait.
        """
        seconds = self.known_wait(_email(body), address)
        if seconds > 0:
            await asyncio.sleep(min(seconds, _PAUSE))
            raise _too_early(seconds)
        async with self._line.turn(_network_of(address)):
            yield

    def check(self, email: str, password: str, address: str) -> User:
        """Return the user whose password this is.

        A try is counted before it is checked, so that many at once gain nothing; one that was not in vain is forgotten
        again. Whoever must wait is told so whatever the password is. Who calls waited for a `turn`, so that few are
        here at once: each check takes 64 MiB.

        Raises:
            AuthenticationError: it is nobody's.
            TooManyTriesError: it was not looked at.
        """
        network = _network_of(address)
        # The words are in what is stored, and servers of before count on under them.
        place, pair, user = (
            self._subject(*words) for words in (("address", network), ("pair", email, network), ("account", email))
        )
        self._count({place: ADDRESS, pair: PAIR, user: USER}, email, network)
        found = find_user(self._store, email) if _may_be_a_user(email) else None
        if not self._matches(found, password) or found is None:
            self._remember(self._failed, network, self._clock.monotonic() + _MEMORY)
            raise AuthenticationError("the email or the password is wrong")
        forget_tries(self._store, [pair], [place, user])
        return found

    def known_wait(self, email: str, address: str) -> float:
        """Return the seconds for which it is known, without a look at the store, that a try would be too early."""
        network, now = _network_of(address), self._clock.monotonic()
        return max(self._waits.get(each, now) for each in (_memo(network), _memo(network, email))) - now

    def has_failed(self, network: str) -> bool:
        """Tell whether somebody at an address gave a wrong password lately; known of this process alone."""
        return self._failed.get(network, 0.0) > self._clock.monotonic()

    def _count(self, limits: Mapping[str, TryLimit], email: str, network: str) -> None:
        """Count a try of all subjects, or raise TooManyTriesError if any has to wait."""
        seconds = self.known_wait(email, network)
        if seconds <= 0:
            wait = take_try(self._store, limits)
            if wait is None:
                return
            seconds = wait.seconds
            memo = _memo(network) if limits[wait.subject] is ADDRESS else _memo(network, email)
            self._remember(self._waits, memo, self._clock.monotonic() + seconds)
        raise _too_early(seconds)

    def _remember(self, known: dict[K, float], key: K, until: float) -> None:
        with self._lock:
            if len(known) >= _MOST:
                known.clear()
            known[key] = until

    def _subject(self, *words: str) -> str:
        text = "\0".join(words).encode(errors="surrogatepass")
        return hmac.digest(self._key().encode(), text, "sha256").hex()


def _too_early(seconds: float) -> TooManyTriesError:
    """Return the error for whoever has to wait so long."""
    return TooManyTriesError("too many passwords were tried; wait before the next", seconds)


def _memo(*words: str) -> bytes:
    """Return what is remembered of an address, or of an email from there, which may be long."""
    return hashlib.sha256("\0".join(words).encode(errors="surrogatepass")).digest()


def _network_of(address: str) -> str:
    """Return what one person can hold of addresses: an IPv6 host has 2**64 of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed.ipv4_mapped if parsed.version == 6 else parsed)


def _email(body: bytes) -> str:
    """Return the email in a body; what has none is refused later."""
    try:
        tree = parse_json(body)
    except InvalidInputError:
        return ""
    email = tree.get("email") if isinstance(tree, dict) else None
    return email if isinstance(email, str) else ""


def _may_be_a_user(email: str) -> bool:
    """Tell whether the text could be a user's email, so that a store can be asked."""
    try:
        check_name(email, "email")
    except InvalidInputError:
        return False
    return True
