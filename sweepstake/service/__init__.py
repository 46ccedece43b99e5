"""The queue over a store: what holds whichever database keeps it."""

from sweepstake.service.queue import QueueService
from sweepstake.service.verifying import CLOCK_ERROR, Verification, verify

__all__ = ["CLOCK_ERROR", "QueueService", "Verification", "verify"]
