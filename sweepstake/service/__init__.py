"""The queue over a store: what holds whichever database keeps it."""

from sweepstake.service.pruning import LEAST_AGE, prune_events
from sweepstake.service.queue import QueueService
from sweepstake.service.verifying import CLOCK_ERROR, Verification, verify

__all__ = ["CLOCK_ERROR", "LEAST_AGE", "QueueService", "Verification", "prune_events", "verify"]
