"""Reports that could not be delivered, kept on this machine's disk until they are."""

from sweepstake.spool.address import address_of
from sweepstake.spool.deliverer import Deliverer
from sweepstake.spool.delivery import Delivery, Fate, deliver
from sweepstake.spool.entry import Entry
from sweepstake.spool.folder import Spool, every_spool

__all__ = ["Deliverer", "Delivery", "Entry", "Fate", "Spool", "address_of", "deliver", "every_spool"]
