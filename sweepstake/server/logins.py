"""Signed tokens (JWTs), as Schedy's clients use them: made for credentials, and worth no more than those."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, Final

import jwt
from attrs import frozen

from sweepstake.domain.access import TokenRecord
from sweepstake.errors import AuthenticationError, ReauthenticateError
from sweepstake.ports import Account, Accounts, Clock
from sweepstake.wire.bodies import Token

__all__ = ["MARGIN", "VALID", "Login", "Signer", "print_of"]

#: Seconds a signed token is valid.
VALID: Final = 24 * 3600
#: Seconds by which a client is told to stop earlier, for the sake of clocks that differ.
MARGIN: Final = 600
_ALGORITHM: Final = "HS256"


@frozen(kw_only=True)
class Login:
    """What a signed token says.

    Attributes:
        digest: of the API token that it was made for; None: it was made for a password.
        password: print of the password's hash, if it was made for one; None in those of an older version.
    """

    email: str
    digest: str | None
    password: str | None


class Signer:
    """Makes and reads signed tokens. The key is kept in the store, so that a restart logs nobody out."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._key: str | None = None

    def for_token(self, token: TokenRecord) -> Token:
        """Sign for the holder of an API token; what is signed ends with it."""
        end = self._clock.wall() + VALID
        return self._sign(token.email, min(end, token.expires_at or end), tok=token.digest)

    def for_password(self, account: Account) -> Token:
        """Sign for a user who knows the password; what is signed ends when the password is changed."""
        return self._sign(account.email, self._clock.wall() + VALID, pwd=print_of(account))

    def read(self, token: str) -> Login:
        """Return what a signed token says.

        Raises:
            AuthenticationError: it is not one of ours.
            ReauthenticateError: it has expired.
        """
        try:
            claims = jwt.decode(
                token, self.key(), algorithms=[_ALGORITHM], options={"require": ["sub", "exp"], "verify_exp": False}
            )
        except (jwt.InvalidTokenError, RecursionError):  # releases of PyJWT before 2.14 choke on deep nesting
            raise AuthenticationError("the signed token is not one of this server's; log in again") from None
        if float(claims["exp"]) <= self._clock.wall():
            raise ReauthenticateError("the signed token has expired; log in again")
        return Login(email=str(claims["sub"]), digest=claims.get("tok"), password=claims.get("pwd"))

    def key(self) -> str:
        """Return the secret that signs."""
        if self._key is None:
            self._key = self._accounts.signing_key(secrets.token_hex(32))
        return self._key

    def _sign(self, email: str, end: float, **made_for: Any) -> Token:
        claims = {"sub": email, "exp": int(end), **made_for}
        return Token(jwt.encode(claims, self.key(), algorithm=_ALGORITHM), end - MARGIN)


def print_of(account: Account) -> str:
    """Return what tells a user's password from the one before, without telling anything of either."""
    return hashlib.sha256((account.password_hash or "").encode()).hexdigest()[:16]
