"""Who may pass: credentials on requests, and what they allow in which experiment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from attrs import frozen

from sweepstake.domain.access import Role, Standing, TokenRecord
from sweepstake.domain.records import Claim, Guard, GuardKind
from sweepstake.errors import (
    AuthenticationError,
    NotFoundError,
    ReauthenticateError,
    ResourceExistsError,
    StoreUnavailableError,
    UnsafeUpdateError,
)
from sweepstake.ports import Accounts, Clock
from sweepstake.server.accounts import digest_of
from sweepstake.server.logins import Login, Signer, print_of
from sweepstake.server.trust import Trusted

__all__ = ["NOBODY", "AccountGate", "Caller", "Gate", "OpenGate"]

T = TypeVar("T")

#: How often a definition may change between a look at it and an unguarded write.
_MOST_TRIES: Final = 100
_HINT: Final = "make a new one with `sweepstake token create` or `sweepstake gen-token`"
#: The experiment of an attempt never changes; it is forgotten to keep the memory small.
_LONG: Final = 3600.0
_MOST_ATTEMPTS: Final = 65_536


@frozen(kw_only=True)
class Caller:
    """Who sent a request.

    Attributes:
        email: None for nobody in particular.
        role: the most that the credentials allow.
        expires_at: Unix time in seconds at which the API token ends; None: never.
    """

    email: str | None
    role: Role
    expires_at: float | None = None


#: Who calls what needs no credentials, or a server that asks for none.
NOBODY: Final = Caller(email=None, role=Role.ADMIN)


class Gate(Protocol):
    """Decides whose requests are answered, and in which experiments."""

    def caller(self, authorization: str | None) -> Caller:
        """Return who sent this Authorization header.

        Raises:
            ReauthenticateError: there are no credentials, or they have expired.
            AuthenticationError: they are wrong, or were revoked.
        """

    def admit(self, caller: Caller, needed: Role, name: str | None) -> None:
        """Return if the caller may do what needs that role, in the experiment if one is named.

        Raises:
            AuthenticationError: the credentials, or the experiment's owner, do not allow it.
            NotFoundError: there is no such experiment, or it is somebody else's.
        """

    def fence(self, caller: Caller, name: str, guard: Guard, absent: Guard, write: Callable[[Guard], T]) -> T:
        """Make a write of an experiment's definition that can hit none but the one the caller may change.

        Args:
            guard: what the caller asks for.
            absent: the guard for a caller for whom there is no such experiment, though it may be somebody else's.
            write: makes the write with the guard that it is given.

        Raises:
            AuthenticationError: the experiment is shared with the caller, but not for this.
        """

    def held(self, caller: Caller, attempts: Sequence[str]) -> Sequence[str]:
        """Return those of the attempts that are of experiments in which the caller may work."""

    def began(self, claim: Claim, name: str) -> None:
        """Take note of a claim that was answered here, whose heartbeats may come here too."""

    def changed(self) -> None:
        """Look up everything anew, because tokens or shares were changed here."""


class OpenGate:
    """Lets everybody pass: for a server that only this machine can reach."""

    def caller(self, authorization: str | None) -> Caller:  # noqa: ARG002 -- whoever it is
        """Return nobody in particular."""
        return NOBODY

    def admit(self, caller: Caller, needed: Role, name: str | None) -> None:
        """Let pass."""

    def fence(self, caller: Caller, name: str, guard: Guard, absent: Guard, write: Callable[[Guard], T]) -> T:  # noqa: ARG002 -- as above
        """Write."""
        return write(guard)

    def held(self, caller: Caller, attempts: Sequence[str]) -> Sequence[str]:  # noqa: ARG002 -- as above
        """Return all of them."""
        return attempts

    def began(self, claim: Claim, name: str) -> None:
        """It makes no difference whose it is."""

    def changed(self) -> None:
        """Nothing was looked up."""


class AccountGate:
    """Lets the users of a store pass, by API token or by signed token.

    What was looked up counts for five seconds, so that most requests cost no look-up.
    """

    def __init__(self, accounts: Accounts, clock: Clock, signer: Signer) -> None:
        self._accounts = accounts
        self._clock = clock
        self._signer = signer
        self._tokens: Trusted[str, TokenRecord] = Trusted(clock)
        self._logins: Trusted[Login, bool] = Trusted(clock)
        self._roles: Trusted[tuple[str, str], Role] = Trusted(clock)
        self._attempts: Trusted[str, str] = Trusted(clock, _LONG, _MOST_ATTEMPTS)

    def caller(self, authorization: str | None) -> Caller:
        """See `Gate.caller`."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise ReauthenticateError("send the API token as `Authorization: Bearer TOKEN`")
        return self._signed(token) if token.count(".") == 2 else self._holder(digest_of(token))

    def admit(self, caller: Caller, needed: Role, name: str | None) -> None:
        """See `Gate.admit`."""
        if not caller.role.covers(needed):
            raise AuthenticationError(f"the API token has the role {caller.role}, and this needs {needed}; {_HINT}")
        if name is None or caller.email is None:
            return
        role = self._role(caller.email, name, fresh=needed is Role.ADMIN)
        if role is None:
            raise NotFoundError(f"There is no experiment {name!r}.")
        if not role.covers(needed):
            raise _shared_for_less(name, role, needed)

    def fence(self, caller: Caller, name: str, guard: Guard, absent: Guard, write: Callable[[Guard], T]) -> T:
        """See `Gate.fence`: an unguarded write is made under the etag that the caller's experiment has now."""
        assert caller.email is not None, "whoever passed has credentials"
        for _ in range(_MOST_TRIES):
            standing = self._accounts.standing(caller.email, name)
            role = None if standing is None else standing.role
            if role is not None and not role.covers(Role.ADMIN):
                raise _shared_for_less(name, role, Role.ADMIN)
            chosen = absent if standing is None or role is None else _exact(guard, standing)
            try:
                return write(chosen)
            except (UnsafeUpdateError, ResourceExistsError):
                unseen = role is None and (standing is not None or chosen.kind is not GuardKind.ABSENT)
                if chosen == guard or unseen:
                    raise
        raise StoreUnavailableError(f"the experiment {name!r} changes all the time; try again")

    def held(self, caller: Caller, attempts: Sequence[str]) -> Sequence[str]:
        """See `Gate.held`."""
        assert caller.email is not None, "as above"
        names = {attempt: self._attempts.get(attempt) for attempt in attempts}
        unknown = [attempt for attempt, name in names.items() if name is None]
        for attempt, name in self._accounts.experiments_of(unknown).items():
            self._attempts.put(attempt, name)
            names[attempt] = name
        roles = {name: self._role(caller.email, name) for name in set(names.values()) if name is not None}
        working = {name for name, role in roles.items() if role is not None and role.covers(Role.WORK)}
        return [attempt for attempt in attempts if names[attempt] in working]

    def began(self, claim: Claim, name: str) -> None:
        """See `Gate.began`."""
        self._attempts.put(claim.key, name)

    def changed(self) -> None:
        """See `Gate.changed`."""
        for each in (self._tokens, self._logins, self._roles):
            each.clear()

    def _role(self, email: str, name: str, *, fresh: bool = False) -> Role | None:
        """Return what a user may do with an experiment; None when it is not there, or somebody else's."""
        role = None if fresh else self._roles.get((email, name))
        if role is None:
            standing = self._accounts.standing(email, name)
            role = None if standing is None else standing.role
            if role is not None:
                self._roles.put((email, name), role)
        return role

    def _holder(self, digest: str, email: str | None = None) -> Caller:
        """Return who holds the API token of this digest, who must be the user with that email if one is named."""
        token = self._tokens.get(digest)
        if token is None:
            token = self._accounts.find_token(digest)
            if token is not None:
                self._tokens.put(digest, token)
        if token is None or email not in (None, token.email):
            raise AuthenticationError(f"the API token is unknown, or was revoked or replaced; {_HINT}")
        if token.expires_at is not None and token.expires_at <= self._clock.wall():
            raise ReauthenticateError(f"the API token has expired; {_HINT}")
        return Caller(email=token.email, role=token.role, expires_at=token.expires_at)

    def _signed(self, text: str) -> Caller:
        """Return who holds a signed token, which is worth no more than what it was made for."""
        login = self._signer.read(text)
        if login.digest is not None:
            return self._holder(login.digest, login.email)
        if self._logins.get(login) is None:
            account = self._accounts.find_account(login.email)
            if account is None or login.password not in (None, print_of(account)):
                raise AuthenticationError("the user is gone, or the password was changed; log in again")
            self._logins.put(login, True)
        return Caller(email=login.email, role=Role.ADMIN)


def _exact(guard: Guard, standing: Standing) -> Guard:
    """Return a guard that holds for this very experiment, and not for another that takes its name."""
    return guard if guard.kind in (GuardKind.MATCH, GuardKind.ABSENT) else Guard.match(standing.etag)


def _shared_for_less(name: str, role: Role, needed: Role) -> AuthenticationError:
    return AuthenticationError(
        f"the experiment {name!r} is shared with you in the role {role}, and this needs {needed}; ask its owner"
    )
