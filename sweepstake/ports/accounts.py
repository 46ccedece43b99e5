"""`Accounts`: who may use the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

__all__ = ["Account", "Accounts"]


@frozen(kw_only=True)
class Account:
    """A user of the server."""

    email: str
    password_hash: str | None


class Accounts(Protocol):
    """Who may use the server: kept beside the jobs, in the same store."""

    def add_account(self, account: Account) -> None:
        """Create a user. Raises ResourceExistsError when the email is taken."""

    def set_password(self, email: str, password_hash: str) -> None:
        """Replace a user's password hash. Raises NotFoundError."""

    def find_account(self, email: str) -> Account | None:
        """Return a user."""

    def list_accounts(self) -> Sequence[Account]:
        """Return all users by email."""

    def add_token(self, email: str, digest: str) -> None:
        """Keep the SHA-256 digest (hex) of an API token of the user's."""

    def replace_tokens(self, email: str, digest: str) -> None:
        """Keep this token as the user's only one."""

    def token_owner(self, digest: str) -> str | None:
        """Return the email of the user whose token has this digest."""

    def signing_key(self, candidate: str) -> str:
        """Return the secret that signs JWTs: the stored one, else `candidate`, which is stored first. Safe to race."""
