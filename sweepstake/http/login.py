"""Trading a password for an API token."""

from __future__ import annotations

import json
from typing import Final

from attrs import asdict

from sweepstake.http.operations import OPERATIONS
from sweepstake.http.session import HttpSession
from sweepstake.wire.bodies import ClientConfig, Credentials, Token

__all__ = ["reset_token"]

_PASSAUTH: Final = OPERATIONS["passauth"]
_RESETTOKEN: Final = OPERATIONS["resettoken"]


def reset_token(url: str, email: str, password: str) -> str:
    """Log in to a server by password, and return a new API token, which replaces all that the user had.

    Raises:
        AuthenticationError: the email or the password is wrong.
        StoreUnavailableError: the server does not answer.
    """
    credentials = json.dumps(asdict(Credentials(email=email, token=password)))
    login = HttpSession(url)
    signed = login.request(_PASSAUTH.method, _PASSAUTH.path, {}, credentials, answers=_PASSAUTH.answers).read(Token)
    session = HttpSession(url, signed.token)
    reply = session.request(_RESETTOKEN.method, _RESETTOKEN.path, {}, answers=_RESETTOKEN.answers)
    return reply.read(ClientConfig).token
