"""Users and their passwords, which are kept as slow hashes."""

from __future__ import annotations

import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sweepstake.domain.access import User
from sweepstake.domain.names import check_name, check_text
from sweepstake.errors import InvalidInputError
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.access.tokens import create_token
from sweepstake.queue.verbs.access.users import insert_user, set_password

__all__ = ["MIN_PASSWORD", "add_user", "change_password", "check_password"]

#: The shortest password, in characters.
MIN_PASSWORD: Final = 8
_MAX_PASSWORD: Final = 4096
_hasher: Final = PasswordHasher()
#: Checked when there is no such user, so that the time taken does not tell.
_NOBODY: Final = _hasher.hash(secrets.token_hex())


def add_user(store: Store, email: str, password: str | None = None) -> str:
    """Create a user and return the user's API token, which is kept only as a digest.

    Args:
        store: where users are kept.
        email: the user's name.
        password: lets the user log in by password as well.

    Raises:
        InvalidInputError: the email or the password is not acceptable.
        ResourceExistsError: there is such a user.
    """
    if "@" not in check_name(email, "email").strip("@") or email != email.strip():
        raise InvalidInputError.at("email", "must look like name@host")
    insert_user(store, User(email=email, password_hash=None if password is None else _hash(password)))
    return create_token(store, email)[0]


def change_password(store: Store, email: str, password: str) -> None:
    """Give a user another password; tokens that were made with the old one are refused from now on.

    Raises:
        InvalidInputError: the password is not acceptable.
        NotFoundError: there is no such user.
    """
    set_password(store, email, _hash(password))


def check_password(user: User | None, password: str) -> bool:
    """Tell whether the password is that user's; it takes as long when there is no such user, or no password."""
    known = user.password_hash if user is not None else None
    try:
        _hasher.verify(known or _NOBODY, password.encode(errors="surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
    return known is not None


def _hash(password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= _MAX_PASSWORD:
        raise InvalidInputError.at("password", f"must have {MIN_PASSWORD} to {_MAX_PASSWORD:,} characters")
    check_text(password, "password")
    return _hasher.hash(password)
