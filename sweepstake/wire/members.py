"""Bodies of the calls about tokens and shares."""

from __future__ import annotations

from typing import Any, Final

from attrs import field, frozen

from sweepstake.domain import vocabulary as words
from sweepstake.domain.access import Role, TokenRecord
from sweepstake.domain.schema import narrowed, nullable
from sweepstake.errors import InvalidInputError

__all__ = ["MAX_LIFETIME", "MadeToken", "NewShare", "NewToken", "TokenInfo", "Tokens"]

#: The longest life of a token that ends, in seconds.
MAX_LIFETIME: Final = 10**9
_LIFETIME: Final = nullable({"type": "number", "minimum": 1, "maximum": MAX_LIFETIME})


def _is_lifetime(_: object, attribute: Any, value: float | None) -> None:
    if value is not None and not 1 <= value <= MAX_LIFETIME:
        raise InvalidInputError.at(attribute.name, f"must be 1 to {MAX_LIFETIME:,} seconds, is {value!r}")


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
