"""Users, their passwords and their API tokens."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sweepstake.domain.names import check_name, check_text
from sweepstake.errors import InvalidInputError
from sweepstake.ports import Account, Accounts

__all__ = ["MIN_PASSWORD", "add_user", "check_password", "digest_of", "replace_token", "token_owner"]

#: The shortest password, in characters.
MIN_PASSWORD: Final = 8
_MAX_PASSWORD: Final = 4096
_hasher: Final = PasswordHasher()
#: Checked when there is no such user, so that the time taken does not tell.
_NOBODY: Final = _hasher.hash(secrets.token_hex())


def add_user(accounts: Accounts, email: str, password: str | None = None) -> str:
    """Create a user and return the user's API token, which is kept only as a digest.

    Args:
        accounts: where users are kept.
        email: the user's name.
        password: lets the user log in by password as well.

    Raises:
        InvalidInputError: the email or the password is not acceptable.
        ResourceExistsError: there is such a user.
    """
    if "@" not in check_name(email, "email").strip("@") or email != email.strip():
        raise InvalidInputError.at("email", "must look like name@host")
    accounts.add_account(Account(email=email, password_hash=None if password is None else _hash(password)))
    token = _new_token()
    accounts.add_token(email, digest_of(token))
    return token


def replace_token(accounts: Accounts, email: str) -> str:
    """Make a new API token the user's only one, and return it."""
    token = _new_token()
    accounts.replace_tokens(email, digest_of(token))
    return token


def check_password(accounts: Accounts, email: str, password: str) -> bool:
    """Tell whether the password is that user's."""
    account = accounts.find_account(email) if _may_be_a_user(email) else None
    known = account.password_hash if account is not None else None
    try:
        _hasher.verify(known or _NOBODY, password.encode(errors="surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
    return known is not None


def _may_be_a_user(email: str) -> bool:
    try:
        check_name(email, "email")
    except InvalidInputError:
        return False
    return True


def token_owner(accounts: Accounts, token: str) -> str | None:
    """Return the email of the user whose API token this is."""
    return accounts.token_owner(digest_of(token))


def digest_of(token: str) -> str:
    """Return what is kept of an API token; it is random, so a plain digest is enough."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _new_token() -> str:
    return f"sws_{secrets.token_urlsafe(32)}"


def _hash(password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= _MAX_PASSWORD:
        raise InvalidInputError.at("password", f"must have {MIN_PASSWORD} to {_MAX_PASSWORD:,} characters")
    check_text(password, "password")
    return _hasher.hash(password)
