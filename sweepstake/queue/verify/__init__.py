"""A store's whole history against the promises, and how much of it is kept."""

from sweepstake.queue.verify.ledger import Ledger
from sweepstake.queue.verify.pruning import LEAST_AGE, prune_events
from sweepstake.queue.verify.verifying import CLOCK_ERROR, Verification, verify

__all__ = ["CLOCK_ERROR", "LEAST_AGE", "Ledger", "Verification", "prune_events", "verify"]
