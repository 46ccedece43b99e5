"""The seam to what is kept of a server's users: passwords, tokens, and whose experiments are whose."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import field, frozen

from sweepstake.domain.access import Access, Role, Standing, TokenRecord

__all__ = ["Account", "Accounts", "TryLimit", "Wait"]


@frozen(kw_only=True)
class Account:
    """A user of the server."""

    email: str
    password_hash: str | None = field(repr=False)

    @property
    def password_print(self) -> str:
        """What tells the password from the one before, without telling anything of either."""
        return hashlib.sha256((self.password_hash or "").encode()).hexdigest()[:16]


@frozen(kw_only=True)
class TryLimit:
    """How often something may be tried in vain.

    After `free` tries the next must wait 1 s, the one after it 2 s, and so on, doubled up to `longest` seconds; with
    a `longest` of 0 they are counted, and nobody waits.

    Attributes:
        crowded: how many are free while another subject of the same call was tried more often than is free to it;
            None: as many as otherwise.
    """

    free: int
    longest: int
    crowded: int | None = None

    def delay(self, tries: int, *, crowd: bool = False) -> float:
        """Return the seconds to wait after so many tries."""
        free = self.crowded if crowd and self.crowded is not None else self.free
        over = tries - free
        return float(min(self.longest, 2 ** min(over, 30))) if over >= 0 else 0.0


@frozen
class Wait:
    """A subject that may not be tried before so many seconds have passed."""

    subject: str
    seconds: float


class Accounts(Protocol):
    """Who may use the server: kept beside the jobs, in the same store.

    All methods may raise `StoreUnavailableError`; those that change a user raise `NotFoundError` when there is none.
    """

    def add_account(self, account: Account) -> None:
        """Create a user. Raises ResourceExistsError when the email is taken."""

    def set_password(self, email: str, password_hash: str) -> None:
        """Replace a user's password hash, and forget the tokens that were made with the one before."""

    def find_account(self, email: str) -> Account | None:
        """Return a user."""

    def list_accounts(self) -> Sequence[Account]:
        """Return all users by email."""

    def remove_account(self, email: str, heir: str | None) -> None:
        """Delete a user with tokens and shares; the user's experiments become those of `heir`, who is a user too.

        Raises:
            InvalidInputError: there are experiments, but no heir, or one who has an experiment of the same name.
        """

    def add_token(self, token: TokenRecord, *, only: bool = False) -> None:
        """Keep an API token of a user's; `created_at` is the store's to say.

        Args:
            token: what to keep.
            only: forget all others of the user; it takes the place of the one with which it was made, and ends with
                what that was made with.

        Raises:
            AuthenticationError: what it is made with has ended.
        """

    def find_token(self, digest: str) -> TokenRecord | None:
        """Return the token of this digest, also one that has expired."""

    def list_tokens(self, email: str | None = None) -> Sequence[TokenRecord]:
        """Return the tokens of a user, or of all, by email and age."""

    def revoke_token(self, token_id: str, email: str | None = None) -> TokenRecord:
        """Forget the token with this id, of this user or of anybody, and return what it was.

        All that were made with it, and with those, are forgotten as well.

        Raises:
            NotFoundError: there is none.
        """

    def signing_salt(self, candidate: str) -> str:
        """Return what the key that signs is salted with: the stored one, else `candidate`, which is stored first.

        It is no secret. Safe to race.
        """

    def set_signing_salt(self, salt: str) -> None:
        """Store another salt: whatever was signed before is not signed any more."""

    def standing(self, email: str, address: str) -> Standing | None:
        """Tell what a user may do with an experiment; None when there is no such experiment."""

    def standings(self, names: Sequence[str], viewer: str | None) -> Sequence[Standing]:
        """Return the experiments with one of these names that the user `viewer` may see; None: all of them."""

    def experiments_of(self, attempts: Sequence[str]) -> Mapping[str, str]:
        """Return the address of the experiment for each of these attempts that is there."""

    def get_access(self, address: str) -> Access:
        """Return whose an experiment is. Raises NotFoundError."""

    def share(self, address: str, email: str, role: Role | None) -> None:
        """Let a user do with an experiment what the role allows; None: no more.

        Raises:
            NotFoundError: no such experiment.
            InvalidInputError: no such user, or nothing to share because the experiment is everybody's or the user's.
        """

    def give(self, address: str, email: str | None) -> None:
        """Make an experiment this user's, or everybody's; its shares stay.

        Raises:
            NotFoundError: no such experiment.
            InvalidInputError: no such user, or one who has an experiment of that name.
        """

    def take_try(self, limits: Mapping[str, TryLimit]) -> Wait | None:
        """Count one more try for each subject; if any must wait, count none and return which, and how long.

        Nothing is stored of a subject that was not counted. Tries are forgotten 15 minutes after the last one, and
        when the clock was set back behind it. Exact, whoever races.

        Args:
            limits: of each subject, in the order in which they are looked at.
        """

    def forget_tries(self, cleared: Sequence[str], eased: Sequence[str]) -> None:
        """Forget the tries of the `cleared` subjects, and one of each of the `eased`: it was not in vain."""
