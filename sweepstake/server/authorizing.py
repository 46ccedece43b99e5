"""Who may do what: the credentials on requests, and what they allow in which experiment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from sweepstake.clock import Clock
from sweepstake.domain.access import NOBODY, Caller, Role, Standing, TokenRecord, made_with_password
from sweepstake.domain.addresses import (
    by_owner,
    called,
    choose,
    exact,
    known_address,
    names_to_look_for,
    no_experiment,
    owner_and_name,
)
from sweepstake.domain.records import Claim, Guard, GuardKind
from sweepstake.errors import (
    AuthenticationError,
    NotFoundError,
    ReauthenticateError,
    ResourceExistsError,
    StoreUnavailableError,
    UnsafeUpdateError,
)
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.access.shares import experiments_of, standing, standings
from sweepstake.queue.verbs.access.tokens import digest_of, find_token
from sweepstake.queue.verbs.access.users import find_user
from sweepstake.server.signing import Login, Signer
from sweepstake.server.trust import Trusted

__all__ = ["Authorizer", "OpenAuthorizer", "UserAuthorizer", "check_role"]

T = TypeVar("T")

#: How often a definition may change between a look at it and an unguarded write.
_MOST_TRIES: Final = 100
_HINT: Final = "make a new one with `sweepstake token create` or `sweepstake gen-token`"
#: The experiment of an attempt never changes; it is forgotten to keep the memory small.
_LONG: Final = 3600.0
_MOST_ATTEMPTS: Final = 65_536


def check_role(caller: Caller, needed: Role) -> None:
    """Raise AuthenticationError unless the credential of a caller allows what needs that role."""
    if not caller.role.covers(needed):
        raise AuthenticationError(f"the API token has the role {caller.role}, and this needs {needed}; {_HINT}")


class Authorizer(Protocol):
    """Decides whose requests are answered, and in which experiments."""

    def authenticate(self, authorization: str | None) -> Caller:
        """Return who sent this Authorization header.

        Raises:
            ReauthenticateError: there are no credentials, or they have expired.
            AuthenticationError: they are wrong, or were revoked.
        """

    def find(self, caller: Caller, needed: Role, reference: str) -> str:
        """Return the reference to the very experiment that the caller means, and in which the caller has that role.

        Args:
            caller: who asks; see `sweepstake.domain.addresses.choose` for what it makes of a name.
            needed: the role.
            reference: what the caller wrote.

        Raises:
            AuthenticationError: the experiment's owner does not allow it.
            NotFoundError: there is no such experiment, or it is somebody else's.
            AmbiguousNameError: there are several.
        """

    def fence(self, caller: Caller, reference: str, guard: Guard, absent: Guard, write: Callable[[str, Guard], T]) -> T:
        """Make a write of an experiment's definition that can hit none but the one the caller may change.

        Args:
            caller: who writes.
            reference: the experiment; a guard that asks for none means the caller's own alone.
            guard: what the caller asks for.
            absent: the guard for a caller for whom there is no such experiment, though others may have one.
            write: makes the write of the experiment, with the guard that it is given.

        Raises:
            AuthenticationError: the experiment is shared with the caller, but not for this.
            AmbiguousNameError: there are several.
        """

    def held(self, caller: Caller, attempts: Sequence[str]) -> Mapping[str, str | None]:
        """Return those of the attempts that are of experiments in which the caller may work.

        Each comes with the reference to its experiment; None where it makes no difference which that is.
        """

    def began(self, claim: Claim) -> None:
        """Remember whose a claim is that was answered here, as its heartbeats may come here too."""

    def changed(self) -> None:
        """Forget what was looked up, because tokens, shares or experiments were changed here."""


class OpenAuthorizer:
    """Lets everybody do everything: for a server that only this machine can reach."""

    def authenticate(self, authorization: str | None) -> Caller:  # noqa: ARG002 -- nobody is asked
        """Return nobody in particular."""
        return NOBODY

    def find(self, caller: Caller, needed: Role, reference: str) -> str:  # noqa: ARG002 -- nobody is asked
        """Return what was written: the queue reads it as the operator does, who sees everything."""
        return reference

    def fence(
        self,
        caller: Caller,  # noqa: ARG002 -- nobody is asked
        reference: str,
        guard: Guard,
        absent: Guard,  # noqa: ARG002 -- nobody is asked
        write: Callable[[str, Guard], T],
    ) -> T:
        """Write."""
        return write(reference, guard)

    def held(self, caller: Caller, attempts: Sequence[str]) -> Mapping[str, str | None]:  # noqa: ARG002 -- nobody is asked
        """Return all of them: there are no users here whose experiments could overtake each other."""
        return dict.fromkeys(attempts)

    def began(self, claim: Claim) -> None:
        """Remember nothing: it makes no difference whose a claim is."""

    def changed(self) -> None:
        """Forget nothing: nothing was looked up."""


class UserAuthorizer:
    """Knows the users of a store, by API token or by signed token, and what they may do.

    What was looked up counts for five seconds, so that most requests cost no look-up: those of clients that name an
    experiment by its address.
    """

    def __init__(self, store: Store, clock: Clock, signer: Signer) -> None:
        self._store = store
        self._clock = clock
        self._signer = signer
        self._tokens: Trusted[str, TokenRecord] = Trusted(clock)
        self._logins: Trusted[tuple[str, str], bool] = Trusted(clock)
        self._found: Trusted[tuple[str, str], Standing] = Trusted(clock)
        self._attempts: Trusted[str, str] = Trusted(clock, _LONG, _MOST_ATTEMPTS)

    def authenticate(self, authorization: str | None) -> Caller:
        """See `Authorizer.authenticate`. A signed token is worth no more than what it was made for, and ends too."""
        scheme, _, text = (authorization or "").partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise ReauthenticateError("send the API token as `Authorization: Bearer TOKEN`")
        login = self._signer.read(text) if text.count(".") == 2 else None
        if login is not None and login.digest is None:
            return self._by_password(login)
        digest = digest_of(text) if login is None or login.digest is None else login.digest
        token = self._tokens.get(digest) or self._find_token(digest)
        if token is None or (login is not None and token.email != login.email):
            raise AuthenticationError(f"the API token is unknown, or was revoked or replaced; {_HINT}")
        if token.expires_at is not None and token.expires_at <= self._clock.wall():
            raise ReauthenticateError(f"the API token has expired; {_HINT}")
        end = token.expires_at if login is None else login.expires_at
        return Caller(email=token.email, role=token.role, expires_at=end, made_with=digest)

    def find(self, caller: Caller, needed: Role, reference: str) -> str:
        """See `Authorizer.find`."""
        assert caller.email is not None, "whoever passed has credentials"
        standing = None if needed is Role.ADMIN else self._found.get((caller.email, reference))
        if standing is None:
            standing = self._look_up(caller.email, reference)
        if standing is None or standing.role is None:
            raise no_experiment(reference)
        if not standing.role.covers(needed):
            raise _shared_for_less(standing, needed)
        return exact(standing.address)

    def fence(self, caller: Caller, reference: str, guard: Guard, absent: Guard, write: Callable[[str, Guard], T]) -> T:
        """See `Authorizer.fence`: an unguarded write is made under the etag that the caller's experiment has now."""
        assert caller.email is not None, "whoever passed has credentials"
        own = by_owner(caller.email, called(reference))
        creates = guard.kind is GuardKind.ABSENT and known_address(reference) is None
        for _ in range(_MOST_TRIES):
            standing = self._standing(caller.email, own if creates else reference)
            if standing is not None and standing.role is None:
                standing = None
            if standing is not None and standing.role is not Role.ADMIN:
                raise _shared_for_less(standing, Role.ADMIN)
            if standing is None and owner_and_name(reference) not in (None, (caller.email, called(reference))):
                raise no_experiment(reference)
            chosen = absent if standing is None else _exact(guard, standing)
            try:
                return write(own if standing is None else exact(standing.address), chosen)
            except (UnsafeUpdateError, ResourceExistsError):
                if chosen == guard or (standing is None and chosen.kind is not GuardKind.ABSENT):
                    raise
            finally:
                self._found.clear()
        raise StoreUnavailableError(f"the experiment {called(reference)!r} changes all the time; try again")

    def held(self, caller: Caller, attempts: Sequence[str]) -> Mapping[str, str | None]:
        """See `Authorizer.held`."""
        assert caller.email is not None, "whoever passed has credentials"
        found = {attempt: self._attempts.get(attempt) for attempt in attempts}
        unknown = [attempt for attempt, address in found.items() if address is None]
        for attempt, address in experiments_of(self._store, unknown).items():
            self._attempts.put(attempt, address)
            found[attempt] = address
        references = {exact(address) for address in found.values() if address is not None}
        working = {reference for reference in references if self._may_work(caller.email, reference)}
        return {
            attempt: exact(address)
            for attempt, address in found.items()
            if address is not None and exact(address) in working
        }

    def began(self, claim: Claim) -> None:
        """See `Authorizer.began`."""
        self._attempts.put(claim.key, claim.job.address)

    def changed(self) -> None:
        """See `Authorizer.changed`."""
        for each in (self._tokens, self._logins, self._found):
            each.clear()

    def _may_work(self, email: str, reference: str) -> bool:
        standing = self._found.get((email, reference)) or self._look_up(email, reference)
        return standing is not None and standing.role is not None and standing.role.covers(Role.WORK)

    def _look_up(self, email: str, reference: str) -> Standing | None:
        """Return the experiment that a user means, and remember the role of one that is meant by its address.

        What a name means changes with each experiment that is made or shared, and must never be an old answer.
        """
        standing = self._standing(email, reference)
        if standing is not None and standing.role is not None and known_address(reference) is not None:
            self._found.put((email, reference), standing)
        return standing

    def _standing(self, email: str, reference: str) -> Standing | None:
        """Return the experiment that a user means, as it is now. Raises AmbiguousNameError."""
        address = known_address(reference)
        if address is not None:
            return standing(self._store, email, address)
        found = standings(self._store, names_to_look_for(reference), email)
        try:
            return choose(reference, found, email)
        except NotFoundError:
            return None

    def _find_token(self, digest: str) -> TokenRecord | None:
        """Look up the API token of this digest, and remember it."""
        token = find_token(self._store, digest)
        if token is not None:
            self._tokens.put(digest, token)
        return token

    def _by_password(self, login: Login) -> Caller:
        """Return who holds a signed token that was made for a password, and that ends when the password is changed."""
        assert login.password is not None, "it was made for an API token or a password"
        known = (login.email, login.password)
        if self._logins.get(known) is None:
            user = find_user(self._store, login.email)
            if user is None or login.password != user.password_print:
                raise AuthenticationError("the user is gone, or the password was changed; log in again")
            self._logins.put(known, True)
        return Caller(
            email=login.email,
            role=Role.ADMIN,
            expires_at=login.expires_at,
            made_with=made_with_password(login.password),
            password_at=login.made_at,
        )


def _exact(guard: Guard, standing: Standing) -> Guard:
    """Return a guard that holds for this very experiment, and not for another that takes its name."""
    return guard if guard.kind in (GuardKind.MATCH, GuardKind.ABSENT) else Guard.match(standing.etag)


def _shared_for_less(standing: Standing, needed: Role) -> AuthenticationError:
    return AuthenticationError(
        f"the experiment {standing.name!r} is shared with you in the role {standing.role}, and this needs {needed}; "
        "ask its owner"
    )
