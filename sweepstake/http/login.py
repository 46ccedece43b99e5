"""Trading a password for an API token."""

from __future__ import annotations

from sweepstake.http.sender import HttpSender
from sweepstake.queue.calls import LogIn, ResetTokens
from sweepstake.wire.credentials import Credentials

__all__ = ["reset_token"]


def reset_token(url: str, email: str, password: str) -> str:
    """Log in to a server by password, and return a new API token, which replaces all that the user had.

    Raises:
        AuthenticationError: the email or the password is wrong.
        StoreUnavailableError: the server does not answer.
    """
    signed = HttpSender(url).send(LogIn(credentials=Credentials(email=email, token=password)))
    return HttpSender(url, signed.token).send(ResetTokens()).token
