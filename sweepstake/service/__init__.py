"""The queue over a store: what holds whichever database keeps it."""

from sweepstake.service.queue import QueueService

__all__ = ["QueueService"]
