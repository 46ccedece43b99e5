"""Bodies of the calls by which users log in, make tokens and share experiments."""

from __future__ import annotations

from typing import Any, Final

from attrs import field, frozen

from sweepstake.domain import vocabulary as words
from sweepstake.domain.access import Role, TokenRecord
from sweepstake.domain.lengths import at_most
from sweepstake.domain.schema import Schema, narrowed, nullable
from sweepstake.errors import InvalidInputError

__all__ = [
    "MAX_LIFETIME",
    "MAX_SECRET",
    "ClientConfig",
    "Credentials",
    "MadeToken",
    "NewShare",
    "NewToken",
    "Token",
    "TokenInfo",
    "Tokens",
    "WhoAsks",
]

#: The longest email, password or token, in characters.
MAX_SECRET: Final = 4096
_SECRET: Final[Schema] = {"type": "string", "maxLength": MAX_SECRET}
#: The longest life of a token that ends, in seconds.
MAX_LIFETIME: Final = 10**9
_LIFETIME: Final = nullable({"type": "number", "minimum": 1, "maximum": MAX_LIFETIME})


def _is_lifetime(_: object, attribute: Any, value: float | None) -> None:
    if value is not None and not 1 <= value <= MAX_LIFETIME:
        raise InvalidInputError.at(attribute.name, f"must be 1 to {MAX_LIFETIME:,} seconds, is {value!r}")


@frozen
class Credentials:
    """An email, and the API token or password that belongs to it."""

    email: str = field(validator=at_most(MAX_SECRET), metadata=narrowed(_SECRET))
    token: str = field(validator=at_most(MAX_SECRET), repr=False, metadata=narrowed(_SECRET))


@frozen
class Token:
    """A signed token, and the Unix time until which it should be used."""

    token: str = field(repr=False)
    expiresAt: float  # noqa: N815 -- Schedy's word


@frozen
class ClientConfig:
    """What a client needs to talk to this server: Schedy's configuration file."""

    root: str
    email: str
    token: str = field(repr=False)


@frozen(kw_only=True)
class NewToken:
    """An API token to be made; without a lifetime, in seconds, it lives as long as the one that makes it."""

    role: Role
    name: str = words.label()
    lifetime: float | None = field(default=None, validator=_is_lifetime, metadata=narrowed(_LIFETIME))


@frozen(kw_only=True)
class TokenInfo:
    """An API token as it is listed: all but the token itself. Times are Unix times in seconds.

    `made_with` is what it ends with: the id of another token, `password`, or None.
    """

    id: str
    email: str
    name: str
    role: Role
    created_at: float
    expires_at: float | None
    made_with: str | None = None

    @classmethod
    def of(cls, record: TokenRecord) -> TokenInfo:
        """Make what is shown of a token."""
        return cls(
            id=record.id,
            email=record.email,
            name=record.name,
            role=record.role,
            created_at=record.created_at,
            expires_at=record.expires_at,
            made_with=record.maker,
        )


@frozen
class Tokens:
    """A user's API tokens, oldest first."""

    tokens: tuple[TokenInfo, ...]


@frozen
class MadeToken:
    """A new API token, which is told only once, and its id."""

    token: str = field(repr=False)
    id: str


@frozen
class NewShare:
    """What a user shall be allowed to do with an experiment."""

    role: Role


@frozen
class WhoAsks:
    """Whose credential came with a call: the email of a user, or None where nobody is asked for one."""

    email: str | None
