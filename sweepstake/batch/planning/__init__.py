"""Planning: which jobs run together in one allocation, and in which order.

Pure: no I/O, no clock, no randomness and no threads. The same jobs give the same plan everywhere.
"""

from sweepstake.batch.planning.estimates.runtimes import Estimate, Runtimes, learn_runtimes
from sweepstake.batch.planning.limits import padded
from sweepstake.batch.planning.planning import DURATION, plan
from sweepstake.batch.planning.records import BatchJob, BatchSpec, Capacity
from sweepstake.batch.planning.schedules import Placement, schedule

__all__ = [
    "DURATION",
    "BatchJob",
    "BatchSpec",
    "Capacity",
    "Estimate",
    "Placement",
    "Runtimes",
    "learn_runtimes",
    "padded",
    "plan",
    "schedule",
]
