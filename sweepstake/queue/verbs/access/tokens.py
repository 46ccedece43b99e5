"""API tokens, and the salt of the key that signs the tokens of logins."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from sweepstake.domain.access import Role, TokenRecord, User, made_with_password
from sweepstake.domain.names import check_name
from sweepstake.errors import AuthenticationError, InvalidInputError, NotFoundError, ReauthenticateError
from sweepstake.queue.calls import CreateToken, ListTokens, ResetTokens, RevokeToken
from sweepstake.queue.store import Store, performs
from sweepstake.stores.engine import Row, Transaction
from sweepstake.wire.credentials import ClientConfig, MadeToken, TokenInfo

__all__ = [
    "add_token",
    "check_user",
    "create_token",
    "digest_of",
    "find_token",
    "forget_orphans",
    "list_tokens",
    "no_user",
    "revoke_token",
    "set_signing_salt",
    "signing_salt",
]

#: How a token begins that is limited in what it allows or how long, and any other.
_LIMITED: Final = "swr_"
_FULL: Final = "sws_"
#: Seconds for which a login by password may ask for an API token that has no end of its own.
_JUST_NOW: Final = 600.0
#: The name under which the salt of the signing key is kept.
_SALT: Final = "signing_salt"


@performs(ListTokens)
def listing(store: Store, call: ListTokens) -> tuple[TokenInfo, ...]:
    """Return what is shown of API tokens."""
    return tuple(map(TokenInfo.of, list_tokens(store, call.email)))


@performs(CreateToken)
def create(store: Store, call: CreateToken) -> MadeToken:
    """Make an API token for a user."""
    wanted, caller = call.wanted, call.caller
    longest = caller.expires_at
    expires_at = longest if wanted.lifetime is None else store.wall() + wanted.lifetime
    if longest is not None and expires_at is not None and expires_at > longest:
        raise InvalidInputError.at("lifetime", "is longer than that of the token which asks for it")
    assert caller.email is not None, "a server lets nobody in without credentials"
    token, record = create_token(
        store, caller.email, role=wanted.role, name=wanted.name, expires_at=expires_at, made_with=caller.made_with
    )
    return MadeToken(token, record.id)


@performs(ResetTokens)
def reset(store: Store, call: ResetTokens) -> ClientConfig:
    """Make an API token that takes the place of all that its user had."""
    caller = call.caller
    assert caller.email is not None, "a server lets nobody in without credentials"
    expires_at = caller.expires_at
    if caller.password_at is not None:
        if abs(store.wall() - caller.password_at) > _JUST_NOW:
            raise ReauthenticateError("the login by password was a while ago; log in again to replace the tokens")
        expires_at = None
    token, _ = create_token(store, caller.email, expires_at=expires_at, made_with=caller.made_with, only=True)
    return ClientConfig(root=call.root, email=caller.email, token=token)


@performs(RevokeToken)
def revoke(store: Store, call: RevokeToken) -> None:
    """Forget an API token."""
    revoke_token(store, call.id, call.email)


def create_token(
    store: Store,
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
        store: where tokens are kept.
        email: whose it is.
        role: the most that it allows.
        name: what the user calls it; may be empty.
        expires_at: Unix time in seconds from which it is refused.
        made_with: the credential that asks for it, and with which it ends, as `TokenRecord.made_with` names it.
        only: see `add_token`.

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
    add_token(store, record, only=only)
    return token, record


def digest_of(token: str) -> str:
    """Return what is kept of an API token; it is random, so a plain digest is enough.

    That of a limited token is made in another way, so that a server of a version which knows no limits knows no such
    token either.
    """
    marked = f"limited {token}" if token.startswith(_LIMITED) else token
    return hashlib.sha256(marked.encode(errors="replace")).hexdigest()


def add_token(store: Store, token: TokenRecord, *, only: bool = False) -> None:
    """Keep an API token of a user's; `created_at` is the store's to say.

    Args:
        store: where tokens are kept.
        token: what to keep.
        only: forget all others of the user; it takes the place of the one with which it was made, and ends with
            what that was made with.

    Raises:
        AuthenticationError: what it is made with has ended.
    """
    with store.write() as transaction:
        check_user(transaction, token.email)
        before = _hold_maker(transaction, token)
        if only:
            transaction.run("delete_tokens", email=token.email)
        transaction.run(
            "add_token",
            digest=token.digest,
            email=token.email,
            role=str(token.role),
            name=token.name,
            expires_at=token.expires_at,
            made_with=before if only else token.made_with,
        )


def find_token(store: Store, digest: str) -> TokenRecord | None:
    """Return the token of this digest, also one that has expired."""
    with store.read() as transaction:
        row = transaction.row("token", digest=digest)
    return None if row is None else _token(row)


def list_tokens(store: Store, email: str | None = None) -> list[TokenRecord]:
    """Return the tokens of a user, or of all, by email and age."""
    with store.read() as transaction:
        return [_token(row) for row in transaction.rows("tokens", email=email)]


def revoke_token(store: Store, token_id: str, email: str | None = None) -> TokenRecord:
    """Forget the token with this id, of this user or of anybody, and return what it was; see `RevokeToken`."""
    with store.write() as transaction:
        for row in transaction.rows("tokens", email=email):
            token = _token(row)
            if token.id == token_id:
                transaction.run("delete_token", digest=token.digest)
                forget_orphans(transaction)
                return token
    raise NotFoundError(f"There is no token {token_id!r}. See which there are: sweepstake token list")


def forget_orphans(transaction: Transaction) -> None:
    """Forget the tokens that were made with one that is gone, and those that were made with them."""
    while transaction.run("delete_orphans"):
        pass


def check_user(transaction: Transaction, email: str) -> None:
    """Raise NotFoundError unless there is such a user."""
    if transaction.row("user", email=email) is None:
        raise no_user(email)


def no_user(email: str) -> NotFoundError:
    """Return the error for a user who is not there."""
    return NotFoundError(f"There is no user {email!r}. Add it first: sweepstake user add {email}")


def signing_salt(store: Store, candidate: str) -> str:
    """Return the salt of the signing key: the stored one, else `candidate`, which is stored first.

    It is no secret. Safe to race.
    """
    with store.read() as reading:
        row = reading.row("meta", name=_SALT)
    if row is None:
        with store.write() as transaction:
            transaction.run("keep_meta", name=_SALT, value=candidate)
            row = transaction.row("meta", name=_SALT)
    assert row is not None, "it was stored above"
    salt: str = row[0]
    return salt


def set_signing_salt(store: Store, salt: str) -> None:
    """Store another salt: whatever was signed before is not signed any more."""
    with store.write() as transaction:
        transaction.run("set_meta", name=_SALT, value=salt)
        transaction.run("forget_meta", name="signing_key")  # of a server of before that ran on beside an upgrade


def _hold_maker(transaction: Transaction, token: TokenRecord) -> str | None:
    """Make sure that what a token is made with is there, and stays until it is; return what that ends with."""
    if token.made_with is None:
        return None
    row = transaction.row("hold_user", email=token.email)
    if row is not None and token.made_with == made_with_password(
        User(email=row[0], password_hash=row[1]).password_print
    ):
        return token.made_with
    maker = transaction.row("hold_token", digest=token.made_with)
    if maker is None:
        raise AuthenticationError("what the token would be made with was revoked or changed meanwhile; log in again")
    before: str | None = maker[0]
    return before


def _token(row: Row) -> TokenRecord:
    digest, email, name, role, created_at, expires_at, made_with = row
    return TokenRecord(
        digest=digest,
        email=email,
        name=name,
        role=Role(role),
        created_at=created_at,
        expires_at=expires_at,
        made_with=made_with,
    )
