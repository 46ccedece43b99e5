"""Users, their passwords and their API tokens."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sweepstake.domain.access import Account, Role, TokenRecord
from sweepstake.domain.names import check_name, check_text
from sweepstake.errors import InvalidInputError
from sweepstake.queue.accounts import Accounts

__all__ = [
    "MIN_PASSWORD",
    "add_user",
    "change_password",
    "check_password",
    "create_token",
    "digest_of",
    "may_be_a_user",
    "replace_token",
]

#: The shortest password, in characters.
MIN_PASSWORD: Final = 8
_MAX_PASSWORD: Final = 4096
#: How a token begins that is limited in what it allows or how long.
_LIMITED: Final = "swr_"
_FULL: Final = "sws_"
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
    return create_token(accounts, email)[0]


def change_password(accounts: Accounts, email: str, password: str) -> None:
    """Give a user another password; whatever the old one brought is refused from now on.

    Raises:
        InvalidInputError: the password is not acceptable.
        NotFoundError: there is no such user.
    """
    accounts.set_password(email, _hash(password))


def create_token(
    accounts: Accounts,
    email: str,
    *,
    role: Role = Role.ADMIN,
    name: str = "",
    expires_at: float | None = None,
    made_with: str | None = None,
    only: bool = False,
) -> tuple[str, TokenRecord]:
    """Make an API token, and return it with what is kept of it.

    Args:
        accounts: where tokens are kept.
        email: whose it is.
        role: the most that it allows.
        name: what the user calls it; may be empty.
        expires_at: Unix time in seconds from which it is refused.
        made_with: the credential that asks for it, and with which it ends, as `TokenRecord.made_with` names it.
        only: forget all other tokens of the user.

    Raises:
        AuthenticationError: the credential has ended.
    """
    full = role is Role.ADMIN and expires_at is None
    token = (_FULL if full else _LIMITED) + secrets.token_urlsafe(32)
    record = TokenRecord(
        digest=digest_of(token),
        email=email,
        name=check_name(name, "name") if name else "",
        role=role,
        expires_at=expires_at,
        made_with=made_with,
    )
    accounts.add_token(record, only=only)
    return token, record


def replace_token(accounts: Accounts, email: str, expires_at: float | None = None, made_with: str | None = None) -> str:
    """Make a new API token the user's only one, and return it; it takes the place of the one that asks for it."""
    return create_token(accounts, email, expires_at=expires_at, made_with=made_with, only=True)[0]


def check_password(account: Account | None, password: str) -> bool:
    """Tell whether the password is that user's; it takes as long when there is no such user, or no password."""
    known = account.password_hash if account is not None else None
    try:
        _hasher.verify(known or _NOBODY, password.encode(errors="surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
    return known is not None


def may_be_a_user(email: str) -> bool:
    """Tell whether the text could be a user's email, so that a store can be asked."""
    try:
        check_name(email, "email")
    except InvalidInputError:
        return False
    return True


def digest_of(token: str) -> str:
    """Return what is kept of an API token; it is random, so a plain digest is enough.

    That of a limited token is made in another way, so that a server of a version which knows no limits knows no such
    token either.
    """
    marked = f"limited {token}" if token.startswith(_LIMITED) else token
    return hashlib.sha256(marked.encode(errors="replace")).hexdigest()


def _hash(password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= _MAX_PASSWORD:
        raise InvalidInputError.at("password", f"must have {MIN_PASSWORD} to {_MAX_PASSWORD:,} characters")
    check_text(password, "password")
    return _hasher.hash(password)
