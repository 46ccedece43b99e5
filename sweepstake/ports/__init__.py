"""The seams: what a client may ask (`Queue`), what is kept (`Store`, `Accounts`, `Ledger`), and time (`Clock`)."""

from sweepstake.ports.accounts import Account, Accounts, TryLimit, Wait
from sweepstake.ports.archive import Archive
from sweepstake.ports.clock import Clock
from sweepstake.ports.ledger import Extent, Ledger
from sweepstake.ports.queue import HostedQueue, Queue
from sweepstake.ports.shapes import MAX_BULK, MAX_PAGE, Counts, ExperimentDraft, Outlook, PutAnswer
from sweepstake.ports.store import Store
from sweepstake.ports.upkeep import Upkeep

__all__ = [
    "MAX_BULK",
    "MAX_PAGE",
    "Account",
    "Accounts",
    "Archive",
    "Clock",
    "Counts",
    "ExperimentDraft",
    "Extent",
    "HostedQueue",
    "Ledger",
    "Outlook",
    "PutAnswer",
    "Queue",
    "Store",
    "TryLimit",
    "Upkeep",
    "Wait",
]
