"""The seam to what is kept of a server's users: passwords, tokens, and whose experiments are whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import field, frozen

from sweepstake.domain.access import Access, Role, Standing, TokenRecord

__all__ = ["Account", "Accounts", "TryLimit"]


@frozen(kw_only=True)
class Account:
    """A user of the server."""

    email: str
    password_hash: str | None = field(repr=False)


@frozen(kw_only=True)
class TryLimit:
    """How often something may be tried in vain.

    After `free` tries the next must wait 1 s, the one after it 2 s, and so on, doubled up to `longest` seconds.
    """

    free: int
    longest: int

    def delay(self, tries: int) -> float:
        """Return the seconds to wait after so many tries."""
        over = tries - self.free
        return float(min(self.longest, 2 ** min(over, 30))) if over >= 0 else 0.0


class Accounts(Protocol):
    """Who may use the server: kept beside the jobs, in the same store.

    All methods may raise `StoreUnavailableError`; those that change a user raise `NotFoundError` when there is none.
    """

    def add_account(self, account: Account) -> None:
        """Create a user. Raises ResourceExistsError when the email is taken."""

    def set_password(self, email: str, password_hash: str) -> None:
        """Replace a user's password hash."""

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
        """Keep an API token of a user's, if asked as the only one; `created_at` is the store's to say."""

    def find_token(self, digest: str) -> TokenRecord | None:
        """Return the token of this digest, also one that has expired."""

    def list_tokens(self, email: str | None = None) -> Sequence[TokenRecord]:
        """Return the tokens of a user, or of all, by email and age."""

    def revoke_token(self, token_id: str, email: str | None = None) -> TokenRecord:
        """Forget the token with this id, of this user or of anybody, and return what it was.

        Raises:
            NotFoundError: there is none.
        """

    def signing_key(self, candidate: str) -> str:
        """Return the secret that signs JWTs: the stored one, else `candidate`, which is stored first. Safe to race."""

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

    def take_try(self, limits: Mapping[str, TryLimit]) -> float:
        """Count one more try for each subject and return 0; if any must wait, count none and return the seconds.

        Tries are forgotten 15 minutes after the last one. Exact, whoever races.
        """

    def forget_tries(self, cleared: Sequence[str], eased: Sequence[str]) -> None:
        """Forget the tries of the `cleared` subjects, and one of each of the `eased`: it was not in vain."""
