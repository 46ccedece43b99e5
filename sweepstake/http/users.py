"""The calls about users: logging in, tokens, and who shares an experiment."""

from __future__ import annotations

from typing import Final

from sweepstake.domain.access import Role
from sweepstake.wire.operation import BASE, Operation

__all__ = ["OF_USERS"]

#: How many values bodies hold at most; a password may hold 4,096 commas.
_SECRETS: Final = 10_000
_FEW: Final = 1000

_SHARES: Final = f"{BASE}experiments/{{name}}/shares/"

#: Operations about users, as rows of the table in `sweepstake.http.operations`.
OF_USERS: Final = (
    Operation(
        name="token",
        method="POST",
        path=f"{BASE}token/",
        summary="Exchange an API token for a signed one",
        request="Credentials",
        values=_SECRETS,
        answers={200: "Token"},
        problems=(403, 503),
        role=None,
    ),
    Operation(
        name="passauth",
        method="POST",
        path=f"{BASE}passauth/",
        summary="Exchange a password, sent as `token`, for a signed token",
        request="Credentials",
        values=_SECRETS,
        answers={200: "Token"},
        problems=(403, 429, 503),
        role=None,
    ),
    Operation(
        name="resettoken",
        method="POST",
        path=f"{BASE}resettoken/",
        role=Role.ADMIN,
        summary="Replace all API tokens of the caller by a new one",
        answers={200: "ClientConfig"},
        problems=(400,),
    ),
    Operation(
        name="list_tokens",
        method="GET",
        path=f"{BASE}tokens/",
        role=Role.ADMIN,
        summary="List the caller's API tokens",
        answers={200: "Tokens"},
        problems=(400,),
    ),
    Operation(
        name="create_token",
        method="POST",
        path=f"{BASE}tokens/",
        role=Role.ADMIN,
        summary="Make an API token for the caller, which is told only now",
        request="NewToken",
        values=_FEW,
        answers={201: "MadeToken"},
    ),
    Operation(
        name="revoke_token",
        method="DELETE",
        path=f"{BASE}tokens/{{id}}/",
        of="token's id",
        role=Role.ADMIN,
        summary="Revoke one of the caller's API tokens",
        answers={204: None},
    ),
    Operation(
        name="get_access",
        method="GET",
        path=_SHARES,
        role=Role.ADMIN,
        summary="Tell whose an experiment is, and with whom it is shared",
        answers={200: "Access"},
    ),
    Operation(
        name="share",
        makes="id",
        method="PUT",
        path=f"{_SHARES}{{id}}/",
        of="user's email",
        role=Role.ADMIN,
        summary="Share an experiment with a user",
        request="NewShare",
        values=_FEW,
        answers={204: None},
    ),
    Operation(
        name="unshare",
        method="DELETE",
        path=f"{_SHARES}{{id}}/",
        of="user's email",
        role=Role.ADMIN,
        summary="Share an experiment with a user no more",
        answers={204: None},
    ),
)
