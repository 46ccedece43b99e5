"""Bodies of the calls by which users log in."""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

from sweepstake.domain.lengths import at_most
from sweepstake.domain.schema import Schema, narrowed

__all__ = ["MAX_SECRET", "ClientConfig", "Credentials", "Token"]

#: The longest email, password or token, in characters.
MAX_SECRET: Final = 4096
_SECRET: Final[Schema] = {"type": "string", "maxLength": MAX_SECRET}


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
