"""Signed tokens (JWTs), as Schedy's clients use them: made for credentials, and worth no more than those."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import jwt
from attrs import frozen

from sweepstake.clock import Clock
from sweepstake.domain.access import TokenRecord, User
from sweepstake.errors import AuthenticationError, ReauthenticateError
from sweepstake.wire.credentials import Token

__all__ = ["MARGIN", "VALID", "Login", "Signer"]

#: Seconds a signed token is valid.
VALID: Final = 24 * 3600
#: Seconds by which a client is told to stop earlier, for the sake of clocks that differ.
MARGIN: Final = 600
_ALGORITHM: Final = "HS256"
#: The times are compared with the server's clock, not the library's.
_OPTIONS: Final[Any] = {"require": ["sub", "iat", "exp"], "verify_exp": False, "verify_iat": False}


@frozen(kw_only=True)
class Login:
    """What a signed token says.

    Attributes:
        digest: of the API token that it was made for; None: it was made for a password.
        password: print of the password that it was made for; None: it was made for an API token.
        made_at: Unix time in seconds.
        expires_at: Unix time in seconds from which it is refused.
    """

    email: str
    digest: str | None
    password: str | None
    made_at: float
    expires_at: float


class Signer:
    """Makes and reads signed tokens.

    Args:
        key: returns the signing key; it outlives the process, so that a restart logs nobody out.
        clock: for the times at which they are made and end.
    """

    def __init__(self, key: Callable[[], str], clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def for_token(self, token: TokenRecord) -> Token:
        """Sign for the holder of an API token; what is signed ends with it."""
        end = self._clock.wall() + VALID
        return self._sign(token.email, min(end, token.expires_at or end), tok=token.digest)

    def for_password(self, user: User) -> Token:
        """Sign for a user who knows the password; what is signed ends when the password is changed."""
        return self._sign(user.email, self._clock.wall() + VALID, pwd=user.password_print)

    def read(self, token: str) -> Login:
        """Return what a signed token says.

        Raises:
            AuthenticationError: it is not one of ours.
            ReauthenticateError: it has expired.
        """
        key = self._key()
        try:
            claims = jwt.decode(token, key, algorithms=[_ALGORITHM], options=_OPTIONS)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):  # of what a stranger made up, anything is bad
            raise _not_ours() from None
        login = _login(claims)
        if login.expires_at <= self._clock.wall():
            raise ReauthenticateError("the signed token has expired; log in again")
        return login

    def _sign(self, email: str, end: float, **made_for: str) -> Token:
        claims = {"sub": email, "iat": math.floor(self._clock.wall()), "exp": math.floor(end), **made_for}
        return Token(jwt.encode(claims, self._key(), algorithm=_ALGORITHM), end - MARGIN)


def _login(claims: Any) -> Login:
    """Read the claims, all of which must be there, and either an API token or a password for which it was made."""
    email, made_at, end = (claims.get(name) for name in ("sub", "iat", "exp"))
    made_for = [claims.get(name) for name in ("tok", "pwd")]
    if not (isinstance(email, str) and type(made_at) is int and type(end) is int):
        raise _not_ours()
    if [type(each) for each in made_for] not in ([str, type(None)], [type(None), str]):
        raise _not_ours()
    return Login(email=email, digest=made_for[0], password=made_for[1], made_at=made_at, expires_at=end)


def _not_ours() -> AuthenticationError:
    return AuthenticationError(
        "the signed token is not one of this server's, or was made before its key was changed; log in again"
    )
