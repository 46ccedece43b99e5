"""`Held`: a job as this process knows it, and the attempt at it that the process holds."""

from __future__ import annotations

from functools import partial

from attrs import define

from sweepstake.client.attempt.claiming import give_back
from sweepstake.client.attempt.heartbeat import Lease
from sweepstake.client.attempt.process import PROCESS
from sweepstake.client.session import Session
from sweepstake.domain.records import Claim, JobRecord
from sweepstake.domain.status import JobStatus, Signal

__all__ = ["Held"]


@define(eq=False)
class Held:
    """What a `Job`, its values and its block share.

    Attributes:
        record: the job as it was when last read or written.
        status: as its user last set it, which a put states.
        etag: version of the document as the user knows it.
        pid: number of the process that made the object; in any other it holds nothing.
        key: of the attempt that is held; None while none is.
        lease: the attempt's, if it has one.
        prune_asked: somebody pruned the job while it runs here.
    """

    session: Session
    record: JobRecord
    status: JobStatus | str
    etag: str | None
    pid: int
    key: str | None = None
    lease: Lease | None = None
    prune_asked: bool = False

    def take(self, record: JobRecord) -> None:
        """Take a newer record for what is known of the job."""
        self.record = record
        self.status = record.status
        self.etag = record.etag

    def hold(self, claim: Claim) -> None:
        """Hold the attempt of a claim; its lease is renewed from now on."""
        self.key = claim.key
        back = partial(give_back, self.session, claim.job, claim.key)
        self.lease = self.session.heartbeat.add(claim.key, claim.lease, self, back)

    def attempt(self) -> str | None:
        """Return the key of the attempt held here; a forked child holds none."""
        return self.key if self.pid == PROCESS.pid else None

    def begun(self) -> str | None:
        """Return the key of the attempt held here, which has begun by now; None when it was given back before."""
        if self.pid != PROCESS.pid:
            return None
        if self.lease is not None and not self.lease.begin():
            self.let_go()
        return self.key

    def is_idle(self) -> bool:
        """Tell whether the job was claimed, and has not begun."""
        return self.lease is not None and self.pid == PROCESS.pid and self.lease.is_idle()

    def let_go(self) -> None:
        """Hold no attempt any more."""
        if self.key is not None:
            self.session.heartbeat.remove(self.key)
            self.key = self.lease = None

    def receive(self, signal: Signal) -> None:
        """Take the answer of a heartbeat; called by the heartbeat's thread."""
        if signal is Signal.PRUNE:
            self.prune_asked = True
