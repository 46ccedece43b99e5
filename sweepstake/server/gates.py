"""Who may pass: credentials on requests, and the signed tokens of Schedy's clients."""

from __future__ import annotations

import secrets
import threading
from typing import Final, Protocol

import jwt

from sweepstake.errors import AuthenticationError, ReauthenticateError
from sweepstake.ports import Accounts, Clock
from sweepstake.server.accounts import check_password, digest_of, replace_token, token_owner
from sweepstake.wire.bodies import Token

__all__ = ["AccountGate", "Gate", "OpenGate"]

#: Seconds a signed token is valid.
_VALID: Final = 24 * 3600
#: Seconds by which a client is told to stop earlier, for the sake of clocks that differ.
_MARGIN: Final = 600
#: Seconds for which a checked API token is not looked up again: the longest that a replaced one still works.
_TRUST: Final = 10.0
#: How many checked tokens are remembered.
_REMEMBERED: Final = 4096
_ALGORITHM: Final = "HS256"
#: A token without meaning, of the form that signed tokens have.
_OPEN: Final = "open.to.all"
_HINT: Final = "make a new token with `sweepstake gen-token`"


class Gate(Protocol):
    """Decides whose requests are answered."""

    def caller(self, authorization: str | None) -> str:
        """Return the email of the user who sent this Authorization header.

        Raises:
            ReauthenticateError: there are no credentials, or they have expired.
            AuthenticationError: they are wrong.
        """

    def by_token(self, email: str, token: str) -> Token:
        """Return a signed token for an API token, or raise AuthenticationError."""

    def by_password(self, email: str, password: str) -> Token:
        """Return a signed token for a password, or raise AuthenticationError."""

    def replace_token(self, email: str) -> str:
        """Make a new API token the user's only one, and return it."""


class OpenGate:
    """Lets everybody pass: for a server that only this machine can reach."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def caller(self, authorization: str | None) -> str:  # noqa: ARG002 -- whoever it is
        """Return nobody in particular."""
        return "anonymous"

    def by_token(self, email: str, token: str) -> Token:  # noqa: ARG002 -- as above
        """Return a token without meaning, so that clients which insist on one work."""
        return Token(_OPEN, self._clock.wall() + _VALID - _MARGIN)

    by_password = by_token

    def replace_token(self, email: str) -> str:  # noqa: ARG002 -- as above
        """Return a token without meaning."""
        return _OPEN


class AccountGate:
    """Lets the users of a store pass, by API token or by signed token.

    Checked API tokens are remembered for 10 seconds, so that most requests cost no look-up.
    """

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._checked: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self._key: str | None = None

    def caller(self, authorization: str | None) -> str:
        """See `Gate.caller`."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise ReauthenticateError("send the API token as `Authorization: Bearer TOKEN`")
        return self._signed(token) if token.count(".") == 2 else self._known(token)

    def by_token(self, email: str, token: str) -> Token:
        """See `Gate.by_token`."""
        if token_owner(self._accounts, token) != email:
            raise AuthenticationError(f"the email and the API token do not belong together; {_HINT}")
        return self._sign(email)

    def by_password(self, email: str, password: str) -> Token:
        """See `Gate.by_password`."""
        if not check_password(self._accounts, email, password):
            raise AuthenticationError("the email or the password is wrong")
        return self._sign(email)

    def replace_token(self, email: str) -> str:
        """See `Gate.replace_token`."""
        token = replace_token(self._accounts, email)
        with self._lock:
            self._checked.clear()
        return token

    def _known(self, token: str) -> str:
        digest = digest_of(token)
        now = self._clock.monotonic()
        checked = self._checked.get(digest)
        if checked is not None and checked[1] > now:
            return checked[0]
        owner = self._accounts.token_owner(digest)
        if owner is None:
            raise AuthenticationError(f"the API token is unknown or was replaced; {_HINT}")
        with self._lock:
            if len(self._checked) >= _REMEMBERED:
                self._checked.clear()
            self._checked[digest] = (owner, now + _TRUST)
        return owner

    def _sign(self, email: str) -> Token:
        end = self._clock.wall() + _VALID
        signed = jwt.encode({"sub": email, "exp": int(end)}, self._signing_key(), algorithm=_ALGORITHM)
        return Token(signed, end - _MARGIN)

    def _signed(self, token: str) -> str:
        try:
            claims = jwt.decode(
                token,
                self._signing_key(),
                algorithms=[_ALGORITHM],
                options={"require": ["sub", "exp"], "verify_exp": False},
            )
        except jwt.InvalidTokenError:
            raise AuthenticationError("the signed token is not one of this server's; log in again") from None
        if float(claims["exp"]) <= self._clock.wall():
            raise ReauthenticateError("the signed token has expired; log in again")
        return str(claims["sub"])

    def _signing_key(self) -> str:
        if self._key is None:
            self._key = self._accounts.signing_key(secrets.token_hex(32))
        return self._key
