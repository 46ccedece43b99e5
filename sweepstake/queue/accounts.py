"""What is kept of the server's users, and of whose experiments are whose."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from sweepstake.domain.access import (
    Access,
    Account,
    Role,
    Share,
    Standing,
    TokenRecord,
    TryLimit,
    Wait,
    made_with_password,
)
from sweepstake.domain.addresses import called, no_experiment
from sweepstake.domain.keys import is_name, name_of
from sweepstake.errors import AuthenticationError, InvalidInputError, NotFoundError, ResourceExistsError
from sweepstake.queue.addresses import own_address, standing_of, standings
from sweepstake.stores.engine import DuplicateError, Engine, Row, Transaction

__all__ = ["Accounts"]

#: Seconds after which tries count no more.
_MEMORY: Final = 900.0
#: Seconds by which a try may seem to be of the future, because the clock was set back, before it is forgotten.
_AHEAD: Final = 5.0
#: The name of what the key that signs is salted with.
_SALT: Final = "signing_salt"


class Accounts:
    """`Accounts` in a SQL database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # Users

    def add_account(self, account: Account) -> None:
        """Create a user. Raises ResourceExistsError when the email is taken."""
        with self._engine.write() as transaction:
            if not transaction.run("add_account", email=account.email, password_hash=account.password_hash):
                raise ResourceExistsError(f"There is a user {account.email!r} already.")

    def set_password(self, email: str, password_hash: str) -> None:
        """Replace a user's password hash, and forget the tokens that were made with the one before."""
        with self._engine.write() as transaction:
            if not transaction.run("set_password", email=email, password_hash=password_hash):
                raise _no_user(email)
            if transaction.run("delete_password_tokens", email=email):
                _delete_orphans(transaction)

    def find_account(self, email: str) -> Account | None:
        """Return a user."""
        with self._engine.read() as transaction:
            row = transaction.row("account", email=email)
        return None if row is None else Account(email=row[0], password_hash=row[1])

    def list_accounts(self) -> Sequence[Account]:
        """Return all users by email."""
        with self._engine.read() as transaction:
            return [Account(email=row[0], password_hash=row[1]) for row in transaction.rows("accounts")]

    def remove_account(self, email: str, heir: str | None) -> None:
        """Delete a user with tokens and shares; the user's experiments become those of `heir`, who is a user too.

        Raises:
            InvalidInputError: there are experiments, but no heir, or one who has an experiment of the same name.
        """
        with self._engine.write() as transaction:
            _check_user(transaction, email)
            if heir is not None:
                if heir == email or transaction.row("account", email=heir) is None:
                    raise InvalidInputError.at("heir", "must be another user of this server")
                both = transaction.row("owned_by_both", email=email, heir=heir)
                if both is not None:
                    raise InvalidInputError.at("heir", f"has an experiment {both[0]!r} too: give one away first")
                transaction.run("bequeath", email=email, heir=heir)
            owned = transaction.row("owned", email=email)
            if owned is not None:
                raise InvalidInputError.at("heir", f"{email} has experiments, such as {owned[0]!r}: say who gets them")
            for statement in ("delete_account", "delete_tokens", "unshare_user"):  # locks as `add_token` takes them
                transaction.run(statement, email=email)

    # Tokens

    def add_token(self, token: TokenRecord, *, only: bool = False) -> None:
        """Keep an API token of a user's; `created_at` is the store's to say.

        Args:
            token: what to keep.
            only: forget all others of the user; it takes the place of the one with which it was made, and ends with
                what that was made with.

        Raises:
            AuthenticationError: what it is made with has ended.
        """
        with self._engine.write() as transaction:
            _check_user(transaction, token.email)
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

    def find_token(self, digest: str) -> TokenRecord | None:
        """Return the token of this digest, also one that has expired."""
        with self._engine.read() as transaction:
            row = transaction.row("token", digest=digest)
        return None if row is None else _token(row)

    def list_tokens(self, email: str | None = None) -> Sequence[TokenRecord]:
        """Return the tokens of a user, or of all, by email and age."""
        with self._engine.read() as transaction:
            return [_token(row) for row in transaction.rows("tokens", email=email)]

    def revoke_token(self, token_id: str, email: str | None = None) -> TokenRecord:
        """Forget the token with this id, of this user or of anybody, and return what it was.

        All that were made with it, and with those, are forgotten as well.

        Raises:
            NotFoundError: there is none.
        """
        with self._engine.write() as transaction:
            for row in transaction.rows("tokens", email=email):
                token = _token(row)
                if token.id == token_id:
                    transaction.run("delete_token", digest=token.digest)
                    _delete_orphans(transaction)
                    return token
        raise NotFoundError(f"There is no token {token_id!r}. See which there are: sweepstake token list")

    def signing_salt(self, candidate: str) -> str:
        """Return what the key that signs is salted with: the stored one, else `candidate`, which is stored first.

        It is no secret. Safe to race.
        """
        with self._engine.read() as reading:
            row = reading.row("meta", name=_SALT)
        if row is None:
            with self._engine.write() as transaction:
                transaction.run("keep_meta", name=_SALT, value=candidate)
                row = transaction.row("meta", name=_SALT)
        assert row is not None, "it was stored above"
        salt: str = row[0]
        return salt

    def set_signing_salt(self, salt: str) -> None:
        """Store another salt: whatever was signed before is not signed any more."""
        with self._engine.write() as transaction:
            transaction.run("set_meta", name=_SALT, value=salt)
            transaction.run("forget_meta", name="signing_key")  # of a server of before that ran on beside an upgrade

    # Experiments

    def standing(self, email: str, address: str) -> Standing | None:
        """Tell what a user may do with an experiment; None when there is no such experiment."""
        with self._engine.read() as transaction:
            row = transaction.row("standing", email=email, name=address)
        return None if row is None else standing_of(row, email)

    def standings(self, names: Sequence[str], viewer: str | None) -> Sequence[Standing]:
        """Return the experiments with one of these names that the user `viewer` may see; None: all of them."""
        with self._engine.read() as transaction:
            return standings(transaction, names, viewer)

    def experiments_of(self, attempts: Sequence[str]) -> Mapping[str, str]:
        """Return the address of the experiment for each of these attempts that is there."""
        if not attempts:
            return {}
        names = {key: name_of(key) for key in attempts if not is_name(key)}  # everybody may know a name
        with self._engine.read() as transaction:
            keys = json.dumps([*names, *names.values()])
            found: dict[str, str] = dict(transaction.rows("experiments_of", keys=keys))
        experiments = {key: found.get(name, found.get(key)) for key, name in names.items()}
        return {key: experiment for key, experiment in experiments.items() if experiment is not None}

    def get_access(self, address: str) -> Access:
        """Return whose an experiment is. Raises NotFoundError."""
        with self._engine.read() as transaction:
            number, owner, _ = _whose(transaction, address)
            shares = transaction.rows("shares", experiment_id=number)
        return Access(owner=owner, shares=tuple(Share(row[0], Role(row[1])) for row in shares))

    def share(self, address: str, email: str, role: Role | None) -> None:
        """Let a user do with an experiment what the role allows; None: no more.

        Raises:
            NotFoundError: no such experiment.
            InvalidInputError: no such user, or nothing to share because the experiment is everybody's or the user's.
        """
        with self._engine.write() as transaction:
            number, owner, _ = _whose(transaction, address)
            if role is None:
                transaction.run("unshare", experiment_id=number, email=email)
            elif owner is None:
                raise InvalidInputError.at(
                    "name", "is everybody's, so there is nothing to share; the operator can give it to a user first"
                )
            elif owner == email:
                raise InvalidInputError.at("email", "owns the experiment already")
            elif not transaction.run("share", experiment_id=number, email=email, role=str(role)):
                raise _unknown()

    def give(self, address: str, email: str | None) -> None:
        """Make an experiment this user's, or everybody's; its shares stay.

        Raises:
            NotFoundError: no such experiment.
            InvalidInputError: no such user, or one who has an experiment of that name.
        """
        try:
            with self._engine.write() as transaction:
                number, _, name = _whose(transaction, address)
                if email is not None and transaction.row("account", email=email) is None:
                    raise _unknown()
                if own_address(transaction, name, email) not in (None, address):
                    raise _has_one(name)
                transaction.run("give_experiment", experiment_id=number, owner=email)
        except DuplicateError as error:  # made a moment ago
            raise _has_one(called(address)) from error

    # Tries

    def take_try(self, limits: Mapping[str, TryLimit]) -> Wait | None:
        """Count one more try for each subject; if any must wait, count none and return which, and how long.

        Nothing is stored of a subject that was not counted. Tries are forgotten 15 minutes after the last one, and
        when the clock was set back behind it. Exact, whoever races.

        Args:
            limits: of each subject, in the order in which they are looked at.
        """
        with self._engine.write() as transaction:
            now = transaction.now()
            transaction.run("forget_old_tries", before=now - _MEMORY, after=now + _AHEAD)
            for subject, limit in limits.items():  # most who have to wait are told so without a lock
                row = transaction.row("tries_of", subject=subject)
                wait = None if row is None else _wait(subject, row[1] - now, limit)
                if wait is not None:
                    return wait
            found = {subject: _lock_tries(transaction, subject) for subject in sorted(limits)}
            for subject, (_, free_at) in found.items():
                wait = _wait(subject, free_at - now, limits[subject])
                if wait is not None:
                    _forget_untried(transaction, found)
                    return wait
            over = {subject for subject, (tries, _) in found.items() if tries >= limits[subject].free}
            for subject, (tries, _) in found.items():
                free_at = now + limits[subject].delay(tries + 1, crowd=bool(over - {subject}))
                transaction.run("count_try", subject=subject, tries=tries + 1, free_at=free_at)
        return None

    def forget_tries(self, cleared: Sequence[str], eased: Sequence[str]) -> None:
        """Forget the tries of the `cleared` subjects, and one of each of the `eased`: it was not in vain."""
        with self._engine.write() as transaction:
            for subject in sorted({*cleared, *eased}):
                transaction.run("forget_tries" if subject in cleared else "ease_tries", subject=subject)


def _lock_tries(transaction: Transaction, subject: str) -> tuple[int, float]:
    """Return how often the subject was tried, and from when it may be tried again."""
    transaction.run("begin_tries", subject=subject)
    row = transaction.row("lock_tries", subject=subject)
    return (0, 0.0) if row is None else (row[0], row[1])


def _forget_untried(transaction: Transaction, found: Mapping[str, tuple[int, float]]) -> None:
    for subject, (tries, _) in found.items():
        if not tries:
            transaction.run("forget_tries", subject=subject)


def _wait(subject: str, seconds: float, limit: TryLimit) -> Wait | None:
    """Return how long to wait, which is never longer than the limit has, wherever the clock was set."""
    seconds = min(seconds, float(limit.longest))
    return Wait(subject, seconds) if seconds > 0 else None


def _hold_maker(transaction: Transaction, token: TokenRecord) -> str | None:
    """Make sure that what a token is made with is there, and stays until it is; return what that ends with."""
    if token.made_with is None:
        return None
    row = transaction.row("hold_account", email=token.email)
    if row is not None and token.made_with == made_with_password(
        Account(email=row[0], password_hash=row[1]).password_print
    ):
        return token.made_with
    maker = transaction.row("hold_token", digest=token.made_with)
    if maker is None:
        raise AuthenticationError("what the token would be made with was revoked or changed meanwhile; log in again")
    before: str | None = maker[0]
    return before


def _delete_orphans(transaction: Transaction) -> None:
    """Forget the tokens that were made with one that is gone, and those that were made with them."""
    while transaction.run("delete_orphans"):
        pass


def _whose(transaction: Transaction, address: str) -> tuple[int, str | None, str]:
    row = transaction.row("whose", name=address)
    if row is None:
        raise no_experiment(address)
    return row[0], row[1], row[2]


def _has_one(name: str) -> InvalidInputError:
    return InvalidInputError.at("email", f"has an experiment {name!r} already")


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


def _check_user(transaction: Transaction, email: str) -> None:
    if transaction.row("account", email=email) is None:
        raise _no_user(email)


def _no_user(email: str) -> NotFoundError:
    return NotFoundError(f"There is no user {email!r}. Add it first: sweepstake user add {email}")


def _unknown() -> InvalidInputError:
    return InvalidInputError.at("email", "is no user of this server")
