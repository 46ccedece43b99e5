"""Checking passwords: so often, so many at once, and no more."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import threading
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from sweepstake.clock import Clock
from sweepstake.domain.access import Account, TryLimit
from sweepstake.errors import AuthenticationError, TooManyTriesError
from sweepstake.queue.accounts import Accounts
from sweepstake.server.accounts import check_password, may_be_a_user

__all__ = ["ACCOUNT", "ADDRESS", "PAIR", "PasswordDoor", "network_of", "too_early"]

#: How often passwords may be tried in vain: from one address, of an account from one address, and of an account from
#: everywhere. The last makes nobody wait who has not failed, or a stranger could lock a user out: while it is exceeded,
#: an address that failed once has to wait.
ADDRESS: Final = TryLimit(free=20, longest=60)
PAIR: Final = TryLimit(free=5, longest=60, crowded=1)
ACCOUNT: Final = TryLimit(free=100, longest=0)
#: How many addresses are remembered that failed, and how many that have to wait; and for how long the first.
_MOST: Final = 65_536
_MEMORY: Final = 900.0

K = TypeVar("K")
Check = Callable[[Account | None, str], bool]


class PasswordDoor:
    """Lets users in by password. What was tried is counted in the store, for all servers together.

    Who calls has come through the `Entrance`, so that few are here at once: each check takes 64 MiB.

    Args:
        accounts: where users and tries are kept.
        key: returns the secret by which subjects are made unreadable: people type passwords where emails belong.
        clock: for how long somebody is known to have to wait.
        check: tells whether a password is a user's; it is meant to be slow.
    """

    def __init__(self, accounts: Accounts, key: Callable[[], str], clock: Clock, check: Check = check_password) -> None:
        self._accounts = accounts
        self._key = key
        self._clock = clock
        self._check = check
        #: Until when an address, or an email from there, has to wait, as the store has said.
        self._waits: dict[bytes, float] = {}
        #: Until when it counts that an address has failed.
        self._failed: dict[str, float] = {}
        self._lock = threading.Lock()

    def enter(self, email: str, password: str, address: str) -> Account:
        """Return the user whose password this is.

        A try is counted before it is checked, so that many at once gain nothing; one that was not in vain is forgotten
        again. Whoever must wait is told so whatever the password is.

        Raises:
            AuthenticationError: it is nobody's.
            TooManyTriesError: it was not looked at.
        """
        network = network_of(address)
        place, pair, account = (
            self._subject(*words) for words in (("address", network), ("pair", email, network), ("account", email))
        )
        self._count({place: ADDRESS, pair: PAIR, account: ACCOUNT}, email, network)
        found = self._accounts.find_account(email) if may_be_a_user(email) else None
        if not self._check(found, password) or found is None:
            self._remember(self._failed, network, self._clock.monotonic() + _MEMORY)
            raise AuthenticationError("the email or the password is wrong")
        self._accounts.forget_tries([pair], [place, account])
        return found

    def known_wait(self, email: str, address: str) -> float:
        """Return the seconds for which it is known, without a look at the store, that a try would be too early."""
        network, now = network_of(address), self._clock.monotonic()
        return max(self._waits.get(each, now) for each in (_memo(network), _memo(network, email))) - now

    def has_failed(self, network: str) -> bool:
        """Tell whether somebody at an address gave a wrong password lately; known of this process alone."""
        return self._failed.get(network, 0.0) > self._clock.monotonic()

    def _count(self, limits: Mapping[str, TryLimit], email: str, network: str) -> None:
        """Count a try of all subjects, or raise TooManyTriesError if any has to wait."""
        seconds = self.known_wait(email, network)
        if seconds <= 0:
            wait = self._accounts.take_try(limits)
            if wait is None:
                return
            seconds = wait.seconds
            memo = _memo(network) if limits[wait.subject] is ADDRESS else _memo(network, email)
            self._remember(self._waits, memo, self._clock.monotonic() + seconds)
        raise too_early(seconds)

    def _remember(self, known: dict[K, float], key: K, until: float) -> None:
        with self._lock:
            if len(known) >= _MOST:
                known.clear()
            known[key] = until

    def _subject(self, *words: str) -> str:
        text = "\0".join(words).encode(errors="surrogatepass")
        return hmac.digest(self._key().encode(), text, "sha256").hex()


def too_early(seconds: float) -> TooManyTriesError:
    """Return the error for whoever has to wait so long."""
    return TooManyTriesError("too many passwords were tried; wait before the next", seconds)


def _memo(*words: str) -> bytes:
    """Return what is remembered of an address, or of an email from there, which may be long."""
    return hashlib.sha256("\0".join(words).encode(errors="surrogatepass")).digest()


def network_of(address: str) -> str:
    """Return what one person can hold of addresses: an IPv6 host has 2**64 of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed.ipv4_mapped if parsed.version == 6 else parsed)
