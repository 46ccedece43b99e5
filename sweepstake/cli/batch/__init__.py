"""Queued jobs in the allocations of a cluster: `sweepstake batch`."""
