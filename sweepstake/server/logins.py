"""Logging in: an API token or a password is exchanged for a signed token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sweepstake.clock import Clock
from sweepstake.errors import AuthenticationError, ClientRequestError
from sweepstake.queue import calls
from sweepstake.queue.call import Call
from sweepstake.queue.calls.users import AboutUsers
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.access.tokens import digest_of, find_token
from sweepstake.server.authorizing import UserAuthorizer
from sweepstake.server.calls import Answer, Handler, Received, ok
from sweepstake.server.guessing import PasswordCheck
from sweepstake.server.keys import SigningKey
from sweepstake.server.signing import MARGIN, VALID, Signer
from sweepstake.wire.credentials import ClientConfig, Token

__all__ = ["Logins", "without_users"]

#: A token without meaning, of the form that signed tokens have.
_OPEN: Final = "open.to.all"


class Logins:
    """How the users of a store get in.

    Args:
        store: where they are kept.
        clock: tells the time.
        secret: returns what the signing key is made of.

    Attributes:
        signer: makes signed tokens.
        authorizer: knows what credentials allow.
        passwords: checks passwords.
        performers: what performs the verbs that a store alone cannot, by the verb's class.
    """

    def __init__(self, store: Store, clock: Clock, secret: Callable[[], str]) -> None:
        key = SigningKey(store, secret, clock)
        self._store = store
        self._clock = clock
        self.signer = Signer(key, clock)
        self.authorizer = UserAuthorizer(store, clock, self.signer)
        self.passwords = PasswordCheck(store, key, clock)
        self.performers: Mapping[type[Call[Any]], Callable[[Any], Any]] = {
            calls.ExchangeToken: self._exchange,
            calls.LogIn: self._log_in,
        }

    def _exchange(self, call: calls.ExchangeToken) -> Token:
        shown = call.credentials
        token = find_token(self._store, digest_of(shown.token))
        expired = token is not None and token.expires_at is not None and token.expires_at <= self._clock.wall()
        if token is None or token.email != shown.email or expired:
            raise AuthenticationError("the email and the API token do not belong together, or it has expired")
        return self.signer.for_token(token)

    def _log_in(self, call: calls.LogIn) -> Token:
        return self.signer.for_password(
            self.passwords.check(call.credentials.email, call.credentials.token, call.address)
        )


def without_users(clock: Clock) -> Mapping[str, Handler]:
    """Return what answers the calls about users on a server that asks for no credentials, by their operations.

    Clients that insist on a token get one without meaning, whatever they sent; the rest is refused.
    """

    def log_in(_received: Received) -> Answer:
        return ok(Token(_OPEN, clock.wall() + VALID - MARGIN))

    def reset(received: Received) -> Answer:
        return ok(ClientConfig(root=received.asked.root, email="anonymous", token=_OPEN))

    def refuse(_received: Received) -> Answer:
        raise ClientRequestError("this server asks for no credentials: it has neither users nor tokens nor shares")

    refused = (kind.operation.name for kind in calls.CALLS.values() if issubclass(kind, AboutUsers))
    return {**dict.fromkeys(refused, refuse), "token": log_in, "passauth": log_in, "resettoken": reset}
