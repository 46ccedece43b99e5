"""The queue behind a server, as seen by its client."""

from sweepstake.http.login import reset_token
from sweepstake.http.sender import HttpSender

__all__ = ["HttpSender", "reset_token"]
