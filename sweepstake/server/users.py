"""What the operations about users do: logging in, tokens, and shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sweepstake.clock import Clock
from sweepstake.codec import to_tree
from sweepstake.domain.addresses import known_address
from sweepstake.domain.names import check_name
from sweepstake.errors import AuthenticationError, ClientRequestError, InvalidInputError, ReauthenticateError
from sweepstake.queue.accounts import Accounts
from sweepstake.server.accounts import create_token, digest_of, replace_token
from sweepstake.server.calls import Answer, Handler, Received, empty, ok
from sweepstake.server.entrance import Entrance
from sweepstake.server.gates import AccountGate
from sweepstake.server.keys import SigningKey
from sweepstake.server.logins import MARGIN, VALID, Signer
from sweepstake.server.passwords import PasswordDoor
from sweepstake.wire.bodies import ClientConfig, Credentials, Token
from sweepstake.wire.members import MadeToken, NewShare, NewToken, TokenInfo, Tokens

__all__ = ["Members", "OpenUserHandlers", "UserHandlers"]

#: Seconds for which a login by password may ask for an API token that has no end of its own.
_JUST_NOW: Final = 600.0
#: A token without meaning, of the form that signed tokens have.
_OPEN: Final = "open.to.all"


class Members:
    """The users of a store, and the doors by which they come in.

    Args:
        accounts: where they are kept.
        clock: tells the time.
        secret: returns what the key that signs is made of.

    Attributes:
        accounts: where they are kept.
        gate: lets their requests pass.
        signer: makes tokens for Schedy's clients.
        door: checks passwords.
        entrance: where those wait who come with one.
    """

    def __init__(self, accounts: Accounts, clock: Clock, secret: Callable[[], str]) -> None:
        self.accounts = accounts
        key = SigningKey(accounts, secret, clock)
        self.signer = Signer(key, clock)
        self.gate = AccountGate(accounts, clock, self.signer)
        self.door = PasswordDoor(accounts, key, clock)
        self.entrance = Entrance(self.door)


class UserHandlers:
    """Answers the calls about users.

    Args:
        members: the users.
        clock: for the ends of tokens.
    """

    def __init__(self, members: Members, clock: Clock) -> None:
        self._members = members
        self._accounts = members.accounts
        self._clock = clock

    def by_name(self) -> Mapping[str, Handler]:
        """Return what answers each call, by the name of its operation."""
        return {
            "token": self.token,
            "passauth": self.passauth,
            "resettoken": self.resettoken,
            "list_tokens": self.list_tokens,
            "create_token": self.create_token,
            "revoke_token": self.revoke_token,
            "get_access": self.get_access,
            "share": self.share,
            "unshare": self.unshare,
        }

    def token(self, call: Received) -> Answer:
        """Exchange an API token for a signed one."""
        asked = call.read(Credentials)
        token = self._accounts.find_token(digest_of(asked.token))
        expired = token is not None and token.expires_at is not None and token.expires_at <= self._clock.wall()
        if token is None or token.email != asked.email or expired:
            raise AuthenticationError("the email and the API token do not belong together, or it has expired")
        return ok(to_tree(self._members.signer.for_token(token)))

    def passauth(self, call: Received) -> Answer:
        """Exchange a password for a signed token."""
        asked = call.read(Credentials)
        account = self._members.door.enter(asked.email, asked.token, call.address)
        return ok(to_tree(self._members.signer.for_password(account)))

    def resettoken(self, call: Received) -> Answer:
        """Replace the caller's API tokens.

        The new one ends with the password, if that was given just now; else with what the caller shows.
        """
        email, caller = _email(call), call.caller
        end = caller.expires_at
        if caller.password_at is not None:
            if abs(self._clock.wall() - caller.password_at) > _JUST_NOW:
                raise ReauthenticateError("the login by password was a while ago; log in again to replace the tokens")
            end = None
        token = replace_token(self._accounts, email, end, caller.made_with)
        self._members.gate.changed()
        return ok(to_tree(ClientConfig(root=call.root, email=email, token=token)))

    def list_tokens(self, call: Received) -> Answer:
        """List the caller's API tokens."""
        return ok(to_tree(Tokens(tuple(map(TokenInfo.of, self._accounts.list_tokens(_email(call)))))))

    def create_token(self, call: Received) -> Answer:
        """Make an API token, which never outlives what the caller shows."""
        asked = call.read(NewToken)
        longest = call.caller.expires_at
        expires_at = longest if asked.lifetime is None else self._clock.wall() + asked.lifetime
        if longest is not None and expires_at is not None and expires_at > longest:
            raise InvalidInputError.at("lifetime", "is longer than that of the token which asks for it")
        token, record = create_token(
            self._accounts,
            _email(call),
            role=asked.role,
            name=asked.name,
            expires_at=expires_at,
            made_with=call.caller.made_with,
        )
        return ok(to_tree(MadeToken(token, record.id)), 201)

    def revoke_token(self, call: Received) -> Answer:
        """Revoke one of the caller's API tokens."""
        [token_id] = call.names
        self._accounts.revoke_token(token_id, _email(call))
        self._members.gate.changed()
        return empty()

    def get_access(self, call: Received) -> Answer:
        """Tell whose an experiment is."""
        return ok(to_tree(self._accounts.get_access(_address(call))))

    def share(self, call: Received) -> Answer:
        """Share an experiment."""
        self._accounts.share(_address(call), check_name(call.names[1], "email"), call.read(NewShare).role)
        self._members.gate.changed()
        return empty()

    def unshare(self, call: Received) -> Answer:
        """Share an experiment no more."""
        self._accounts.share(_address(call), call.names[1], None)
        self._members.gate.changed()
        return empty()


def _email(call: Received) -> str:
    assert call.caller.email is not None, "the gate lets nobody pass without credentials"
    return call.caller.email


def _address(call: Received) -> str:
    address = known_address(call.names[0])
    assert address is not None, "the gate has found the experiment"
    return address


class OpenUserHandlers:
    """The same for a server that asks for no credentials: clients that insist on some get some without meaning."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def by_name(self) -> Mapping[str, Handler]:
        """Return what answers each call, by the name of its operation."""
        return {
            "token": self.token,
            "passauth": self.token,
            "resettoken": self.resettoken,
            "list_tokens": self.refuse,
            "create_token": self.refuse,
            "revoke_token": self.refuse,
            "get_access": self.refuse,
            "share": self.refuse,
            "unshare": self.refuse,
        }

    def token(self, call: Received) -> Answer:  # noqa: ARG002 -- whoever it is
        """Return a token without meaning."""
        return ok(to_tree(Token(_OPEN, self._clock.wall() + VALID - MARGIN)))

    def resettoken(self, call: Received) -> Answer:
        """Return a token without meaning."""
        return ok(to_tree(ClientConfig(root=call.root, email="anonymous", token=_OPEN)))

    def refuse(self, call: Received) -> Answer:  # noqa: ARG002 -- as above
        """Refuse: there are no users."""
        raise ClientRequestError("this server asks for no credentials: it has neither users nor tokens nor shares")
