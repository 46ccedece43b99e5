"""The verbs about users: logging in, API tokens, and who shares an experiment."""

from __future__ import annotations

from typing import Final, TypeVar

from attrs import frozen

from sweepstake.domain.access import NOBODY, Access, Caller, Role
from sweepstake.queue.answers import NOTHING, listed, one
from sweepstake.queue.call import Call, verb
from sweepstake.queue.calls.paths import EXPERIMENT
from sweepstake.queue.fields import asker, by_server, hidden, named, whole
from sweepstake.wire.credentials import (
    ClientConfig,
    Credentials,
    MadeToken,
    NewShare,
    NewToken,
    Token,
    TokenInfo,
    Tokens,
    WhoAsks,
)
from sweepstake.wire.operation import BASE, Operation

__all__ = [
    "AboutUsers",
    "CreateToken",
    "ExchangeToken",
    "GetAccess",
    "ListTokens",
    "LogIn",
    "ResetTokens",
    "RevokeToken",
    "ShareExperiment",
    "UnshareExperiment",
    "WhoAmI",
]

A = TypeVar("A")

#: How many values bodies hold at most; a password may hold 4,096 commas.
_SECRETS: Final = 10_000
_FEW: Final = 1000

_TOKENS: Final = f"{BASE}tokens/"
_SHARES: Final = f"{EXPERIMENT}shares/"
_SHARE: Final = f"{_SHARES}{{id}}/"


@frozen(kw_only=True)
class AboutUsers(Call[A]):
    """A call about users. It has no op key, so nobody repeats it; a server that asks for no credentials refuses it."""

    patience: None = hidden()


@verb(
    Operation(
        name="token",
        method="POST",
        path=f"{BASE}token/",
        summary="Exchange an API token for a signed one",
        values=_SECRETS,
        problems=(403, 503),
        role=None,
    ),
    one(Token, "Token"),
    request="Credentials",
)
@frozen(kw_only=True)
class ExchangeToken(AboutUsers[Token]):
    """Exchange an API token for a signed one. Only a server does it, because a store alone signs nothing."""

    credentials: Credentials = whole()


@verb(
    Operation(
        name="passauth",
        method="POST",
        path=f"{BASE}passauth/",
        summary="Exchange a password, sent as `token`, for a signed token",
        values=_SECRETS,
        problems=(403, 429, 503),
        role=None,
    ),
    one(Token, "Token"),
    request="Credentials",
)
@frozen(kw_only=True)
class LogIn(AboutUsers[Token]):
    """Exchange a password for a signed token. Only a server does it, because it alone knows how often somebody tried.

    Attributes:
        address: from which it is tried; who tries too often has to wait.
    """

    credentials: Credentials = whole()
    address: str = by_server(lambda asked: asked.address, "")


@verb(
    Operation(
        name="who_am_i",
        method="GET",
        path=f"{BASE}whoami/",
        role=Role.READ,
        summary="Tell whose credential the caller has",
    ),
    one(WhoAsks, "WhoAsks"),
)
@frozen(kw_only=True)
class WhoAmI(AboutUsers[WhoAsks]):
    """Who asks: the user of a server, or nobody in particular, for whom all experiments without an owner are.

    Attributes:
        email: of that user.
    """

    email: str | None = asker()


@verb(
    Operation(
        name="resettoken",
        method="POST",
        path=f"{BASE}resettoken/",
        role=Role.ADMIN,
        summary="Replace all API tokens of the caller by a new one",
        problems=(400,),
        changes_access=True,
    ),
    one(ClientConfig, "ClientConfig"),
)
@frozen(kw_only=True)
class ResetTokens(AboutUsers[ClientConfig]):
    """Replace all API tokens of the caller by a new one.

    It ends with the password, if that was given just now; else with the credential that asks for it.

    Attributes:
        root: URL of the server, to be told with the token.
    """

    caller: Caller = by_server(lambda asked: asked.caller, NOBODY)
    root: str = by_server(lambda asked: asked.root, "")


@verb(
    Operation(
        name="list_tokens",
        method="GET",
        path=_TOKENS,
        role=Role.ADMIN,
        summary="List the caller's API tokens",
        problems=(400,),
    ),
    listed(Tokens, "tokens"),
)
@frozen(kw_only=True)
class ListTokens(AboutUsers[tuple[TokenInfo, ...]]):
    """The API tokens of a user, or of all, by email and age.

    Attributes:
        email: of the user; None: those of all, for the operator of a store.
    """

    email: str | None = asker()


@verb(
    Operation(
        name="create_token",
        method="POST",
        path=_TOKENS,
        role=Role.ADMIN,
        summary="Make an API token for the caller, which is told only now",
        values=_FEW,
    ),
    one(MadeToken, "MadeToken", status=201),
    request="NewToken",
)
@frozen(kw_only=True)
class CreateToken(AboutUsers[MadeToken]):
    """Make an API token for a user, which never outlives the credential that asks for it.

    Raises:
        InvalidInputError: it would.
        AuthenticationError: that credential has ended meanwhile.
    """

    wanted: NewToken = whole()
    caller: Caller = by_server(lambda asked: asked.caller, NOBODY)


@verb(
    Operation(
        name="revoke_token",
        method="DELETE",
        path=f"{_TOKENS}{{id}}/",
        of="token's id",
        role=Role.ADMIN,
        summary="Revoke one of the caller's API tokens",
        changes_access=True,
    ),
    NOTHING,
)
@frozen(kw_only=True)
class RevokeToken(AboutUsers[None]):
    """Forget an API token, with all that were made with it.

    Attributes:
        email: of the user whose it must be; None: anybody's, for the operator of a store.

    Raises:
        NotFoundError: there is none.
    """

    id: str = named("id")
    email: str | None = asker()


@verb(
    Operation(
        name="get_access",
        method="GET",
        path=_SHARES,
        role=Role.ADMIN,
        summary="Tell whose an experiment is, and with whom it is shared",
    ),
    one(Access, "Access"),
)
@frozen(kw_only=True)
class GetAccess(AboutUsers[Access]):
    """Whose an experiment is, and with whom it is shared."""

    name: str = named("name")


@verb(
    Operation(
        name="share",
        makes="id",
        method="PUT",
        path=_SHARE,
        of="user's email",
        role=Role.ADMIN,
        summary="Share an experiment with a user",
        values=_FEW,
        changes_access=True,
    ),
    NOTHING,
    request="NewShare",
)
@frozen(kw_only=True)
class ShareExperiment(AboutUsers[None]):
    """Let a user do with an experiment what a role allows.

    Raises:
        InvalidInputError: no such user, or nothing to share because the experiment is everybody's or the user's.
    """

    name: str = named("name")
    email: str = named("id")
    share: NewShare = whole()


@verb(
    Operation(
        name="unshare",
        method="DELETE",
        path=_SHARE,
        of="user's email",
        role=Role.ADMIN,
        summary="Share an experiment with a user no more",
        changes_access=True,
    ),
    NOTHING,
)
@frozen(kw_only=True)
class UnshareExperiment(AboutUsers[None]):
    """Share an experiment with a user no more, whether it was shared or not."""

    name: str = named("name")
    email: str = named("id")
