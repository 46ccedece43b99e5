"""The users of a server."""

from __future__ import annotations

from sweepstake.domain.access import User
from sweepstake.errors import InvalidInputError, ResourceExistsError
from sweepstake.queue.calls import WhoAmI
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.access.tokens import check_user, forget_orphans, no_user
from sweepstake.stores.engine import Transaction
from sweepstake.wire.credentials import WhoAsks

__all__ = ["find_user", "insert_user", "list_users", "remove_user", "set_password"]


@performs(WhoAmI)
def who_am_i(store: Store, call: WhoAmI) -> WhoAsks:
    """Tell who asks."""
    del store
    return WhoAsks(call.email)


def insert_user(store: Store, user: User) -> None:
    """Keep a new user. Raises ResourceExistsError when the email is taken."""
    with store.write() as transaction:
        if not transaction.run("add_user", email=user.email, password_hash=user.password_hash):
            raise ResourceExistsError(f"There is a user {user.email!r} already.")


def set_password(store: Store, email: str, password_hash: str) -> None:
    """Replace a user's password hash, and forget the tokens that were made with the one before."""
    with store.write() as transaction:
        if not transaction.run("set_password", email=email, password_hash=password_hash):
            raise no_user(email)
        if transaction.run("delete_password_tokens", email=email):
            forget_orphans(transaction)


def find_user(store: Store, email: str) -> User | None:
    """Return a user."""
    with store.read() as transaction:
        row = transaction.row("user", email=email)
    return None if row is None else User(email=row[0], password_hash=row[1])


def list_users(store: Store) -> list[User]:
    """Return all users by email."""
    with store.read() as transaction:
        return [User(email=row[0], password_hash=row[1]) for row in transaction.rows("users")]


def remove_user(store: Store, email: str, heir: str | None) -> None:
    """Delete a user with tokens and shares; the user's experiments become those of `heir`, who is a user too.

    Raises:
        InvalidInputError: there are experiments, but no heir, or one who has an experiment of the same name.
    """
    with store.write() as transaction:
        check_user(transaction, email)
        if heir is not None:
            _bequeath(transaction, email, heir)
        owned = transaction.row("owned", email=email)
        if owned is not None:
            raise InvalidInputError.at("heir", f"{email} has experiments, such as {owned[0]!r}: say who gets them")
        for statement in ("delete_user", "delete_tokens", "unshare_user"):  # locks as `add_token` takes them
            transaction.run(statement, email=email)


def _bequeath(transaction: Transaction, email: str, heir: str) -> None:
    if heir == email or transaction.row("user", email=heir) is None:
        raise InvalidInputError.at("heir", "must be another user of this server")
    both = transaction.row("owned_by_both", email=email, heir=heir)
    if both is not None:
        raise InvalidInputError.at("heir", f"has an experiment {both[0]!r} too: give one away first")
    transaction.run("bequeath", email=email, heir=heir)
