"""Who may do what: users, the credentials that they show, their roles, and the shares of an experiment."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final

from attrs import field, frozen

__all__ = [
    "NOBODY",
    "TOKEN_ID",
    "Access",
    "Caller",
    "Role",
    "Share",
    "Standing",
    "TokenRecord",
    "TryLimit",
    "User",
    "Wait",
    "made_with_password",
]

#: How many characters of a token's digest are its id.
TOKEN_ID: Final = 12
_OF_LOGIN: Final = "password:"


class Role(StrEnum):
    """What a token, or a share of an experiment, allows; each role allows all that those before it allow."""

    #: Look at everything, change nothing.
    READ = "read"
    #: Add jobs, claim, report, and whatever else running jobs takes.
    WORK = "work"
    #: Make, change, share and delete experiments, delete jobs, make and revoke tokens.
    ADMIN = "admin"

    def covers(self, needed: Role) -> bool:
        """Tell whether who has this role may do what needs that one."""
        return _ORDER.index(self) >= _ORDER.index(needed)


_ORDER: Final = tuple(Role)


@frozen(kw_only=True)
class TokenRecord:
    """What is kept of an API token.

    Attributes:
        digest: of the token, in hex; the token itself is not kept.
        name: what its user calls it; may be empty.
        role: the most that it allows, in any experiment.
        created_at: Unix time in seconds.
        expires_at: Unix time in seconds from which it is refused; None: never.
        made_with: what it ends with: the digest of the API token with which it was made, or what `made_with_password`
            returns; None: the operator made it, or it is from before this was kept.
    """

    digest: str
    email: str
    name: str = ""
    role: Role = Role.ADMIN
    created_at: float = 0.0
    expires_at: float | None = None
    made_with: str | None = None

    @property
    def id(self) -> str:
        """The name by which it is revoked."""
        return self.digest[:TOKEN_ID]

    @property
    def maker(self) -> str | None:
        """What it was made with, in a word: `password`, or the id of another token."""
        if self.made_with is None:
            return None
        return "password" if self.made_with.startswith(_OF_LOGIN) else self.made_with[:TOKEN_ID]


def made_with_password(password_print: str) -> str:
    """Return what a token was made with, if that was a password of this print."""
    return _OF_LOGIN + password_print


@frozen(kw_only=True)
class Caller:
    """Who makes a call, as the credential that came with it says.

    Attributes:
        email: the user's; None for nobody in particular.
        role: the most that the credential allows.
        expires_at: Unix time in seconds at which the credential ends; None: never.
        made_with: what ends with the credential, as `TokenRecord.made_with` names it; None for nobody.
        password_at: Unix time in seconds at which the password was given; None: the credential is an API token.
    """

    email: str | None
    role: Role
    expires_at: float | None = None
    made_with: str | None = None
    password_at: float | None = None


#: Who calls what needs no credential, or a server that asks for none.
NOBODY: Final = Caller(email=None, role=Role.ADMIN)


@frozen
class Share:
    """What somebody other than the owner may do with an experiment."""

    email: str
    role: Role


@frozen(kw_only=True)
class Access:
    """Whose an experiment is.

    Attributes:
        owner: email of the user who made it; None: it is everybody's.
        shares: by email.
    """

    owner: str | None
    shares: tuple[Share, ...] = ()


@frozen(kw_only=True)
class Standing:
    """An experiment as one user stands to it.

    Attributes:
        address: under which the store keeps it; see `sweepstake.domain.addresses`.
        name: what people call it.
        owner: email of the user whose it is; None: it is everybody's.
        etag: of the definition.
        role: the most that the user may do; None: nothing, it is somebody else's.
    """

    address: str
    name: str
    owner: str | None
    etag: str
    role: Role | None


@frozen(kw_only=True)
class User:
    """Somebody who may use a server, by an email and perhaps a password."""

    email: str
    password_hash: str | None = field(repr=False)

    @property
    def password_print(self) -> str:
        """A short digest that changes with the password and does not reveal it."""
        return hashlib.sha256((self.password_hash or "").encode()).hexdigest()[:16]


@frozen(kw_only=True)
class TryLimit:
    """How often something may be tried in vain.

    After `free` tries the next must wait 1 s, the one after it 2 s, and so on, doubled up to `longest` seconds; with
    a `longest` of 0 they are counted, and nobody waits.

    Attributes:
        crowded: how many are free while another subject of the same call was tried more often than is free to it;
            None: as many as otherwise.
    """

    free: int
    longest: int
    crowded: int | None = None

    def delay(self, tries: int, *, crowd: bool = False) -> float:
        """Return the seconds to wait after so many tries."""
        free = self.crowded if crowd and self.crowded is not None else self.free
        over = tries - free
        return float(min(self.longest, 2 ** min(over, 30))) if over >= 0 else 0.0


@frozen
class Wait:
    """A subject that may not be tried before so many seconds have passed."""

    subject: str
    seconds: float
