"""What is kept of the server's users."""

from __future__ import annotations

from collections.abc import Sequence

from sweepstake.errors import NotFoundError, ResourceExistsError
from sweepstake.ports import Account
from sweepstake.stores import rows
from sweepstake.stores.engine import Transaction

__all__ = ["add_account", "add_token", "find_account", "list_accounts", "set_password", "signing_key", "token_owner"]


def add_account(transaction: Transaction, account: Account) -> None:
    """Create a user."""
    if not transaction.run("add_account", email=account.email, password_hash=account.password_hash):
        raise ResourceExistsError(f"There is a user {account.email!r} already.")


def set_password(transaction: Transaction, email: str, password_hash: str) -> None:
    """Replace a user's password hash."""
    if not transaction.run("set_password", email=email, password_hash=password_hash):
        raise _no_user(email)


def find_account(transaction: Transaction, email: str) -> Account | None:
    """Return a user."""
    row = transaction.row("account", email=email)
    return None if row is None else rows.account(row)


def list_accounts(transaction: Transaction) -> Sequence[Account]:
    """Return all users by email."""
    return [rows.account(row) for row in transaction.rows("accounts")]


def add_token(transaction: Transaction, email: str, digest: str, *, only: bool) -> None:
    """Keep the digest of a user's API token, as the only one if asked."""
    if transaction.row("account", email=email) is None:
        raise _no_user(email)
    if only:
        transaction.run("delete_tokens", email=email)
    transaction.run("add_token", email=email, digest=digest)


def token_owner(transaction: Transaction, digest: str) -> str | None:
    """Return whose API token it is."""
    row = transaction.row("token_owner", digest=digest)
    return None if row is None else row[0]


def signing_key(transaction: Transaction, candidate: str) -> str:
    """Return the secret that signs JWTs, which is `candidate` if there was none."""
    transaction.run("keep_meta", name="signing_key", value=candidate)
    row = transaction.row("meta", name="signing_key")
    assert row is not None, "it was stored above"
    key: str = row[0]
    return key


def _no_user(email: str) -> NotFoundError:
    return NotFoundError(f"There is no user {email!r}. Add it first: sweepstake user add {email}")
