"""The queue behind a server, as seen by its client."""

from sweepstake.remote.access import RemoteAccess
from sweepstake.remote.login import reset_token
from sweepstake.remote.queue import RemoteQueue

__all__ = ["RemoteAccess", "RemoteQueue", "reset_token"]
