"""Checking passwords: so often, so many at once, and no more."""

from __future__ import annotations

import hmac
import ipaddress
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sweepstake.errors import AuthenticationError, TooManyTriesError
from sweepstake.ports import Account, Accounts, TryLimit
from sweepstake.server.accounts import check_password, may_be_a_user

__all__ = ["LIMITS", "PasswordDoor"]

#: How often passwords may be tried in vain: of an account from one address, from one address, and of an account from
#: everywhere. The last is generous and short, so that a stranger cannot lock a user out.
LIMITS: Final = (TryLimit(free=5, longest=60), TryLimit(free=20, longest=60), TryLimit(free=100, longest=10))
#: How many checks may be under way in one process, each of which takes 64 MiB, and how many may wait for their turn.
_AT_ONCE: Final = 4
_WAITING: Final = 8

Check = Callable[[Account | None, str], bool]


class PasswordDoor:
    """Lets users in by password. What was tried is counted in the store, for all servers together.

    Args:
        accounts: where users and tries are kept.
        key: returns the secret by which subjects are made unreadable: people type passwords where emails belong.
        check: tells whether a password is a user's; it is meant to be slow.
    """

    def __init__(self, accounts: Accounts, key: Callable[[], str], check: Check = check_password) -> None:
        self._accounts = accounts
        self._key = key
        self._check = check
        self._places = threading.BoundedSemaphore(_AT_ONCE + _WAITING)
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def enter(self, email: str, password: str, address: str) -> Account:
        """Return the user whose password this is.

        A try is counted before it is checked, so that many at once gain nothing; one that was not in vain is forgotten
        again. Whoever must wait is told so whatever the password is.

        Raises:
            AuthenticationError: it is nobody's.
            TooManyTriesError: it was not looked at.
        """
        network = _network(address)
        pair, place, account = (
            self._subject(*words) for words in (("pair", email, network), ("address", network), ("account", email))
        )
        with self._turn():
            wait = self._accounts.take_try(dict(zip((pair, place, account), LIMITS, strict=True)))
            if wait > 0:
                raise TooManyTriesError("too many passwords were tried; wait before the next", wait)
            found = self._accounts.find_account(email) if may_be_a_user(email) else None
            if not self._check(found, password) or found is None:
                raise AuthenticationError("the email or the password is wrong")
        self._accounts.forget_tries([pair], [place, account])
        return found

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise TooManyTriesError("too many passwords are being checked; try again in a moment", 1.0)
        try:
            with self._turns:
                yield
        finally:
            self._places.release()

    def _subject(self, *words: str) -> str:
        text = "\0".join(words).encode(errors="surrogatepass")
        return hmac.digest(self._key().encode(), text, "sha256").hex()


def _network(address: str) -> str:
    """Return what one person can hold of addresses: an IPv6 host has 2**64 of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed.ipv4_mapped if parsed.version == 6 else parsed)
