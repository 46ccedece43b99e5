"""What the heartbeats of many running jobs cost."""

import os
import time
from pathlib import Path

from sweepstake.client import Heartbeat
from sweepstake.clock import SystemClock
from sweepstake.domain.status import Signal
from sweepstake.queue.retrying import patient_queue
from tests.faults.answers.repeating_proxy import RepeatingProxy
from tests.kit.lab import Lab, eventually
from tests.kit.stack import ServerProcess, open_queue

JOBS = 1_000
LEASE = 3.0
BEATS = 4
BEAT = "/api/v1/heartbeat/"


class Holder:
    """One who holds a lease and hears nothing but that it goes on."""

    def receive(self, signal: Signal) -> None:
        """Hear of the lease."""
        assert signal is Signal.CONTINUE


def test_a_thousand_running_jobs_of_a_process_cost_one_call_an_interval(tmp_path: Path) -> None:
    """A third of the lease apart, as the server sees it, and not one of the leases is lost."""
    store = f"sqlite:///{tmp_path}/store.db"
    direct = open_queue(store)
    lab = Lab.new(direct, lease=LEASE)
    lab.add_many(JOBS)
    with ServerProcess(store, tmp_path) as server, RepeatingProxy(server.url, 0.0, seed=1) as proxy:
        remote = open_queue(proxy.url)
        heartbeat = Heartbeat(patient_queue(remote.sender, SystemClock(), os.urandom, time.sleep), SystemClock())
        holders = [Holder() for _ in range(JOBS)]
        started = time.monotonic()
        for holder in holders:
            heartbeat.add(lab.claim().key, LEASE, holder)
        until = proxy.asked[BEAT] + BEATS
        eventually(lambda: proxy.asked[BEAT] >= until or None)
        took = time.monotonic() - started
        heartbeat.close()
        assert proxy.asked[BEAT] <= took / (LEASE / 3) + 1
        assert proxy.asked.keys() == {BEAT}
        remote.close()
    assert took > LEASE
    assert lab.claimed_or_none() is None
    assert direct.count_jobs(lab.name).running == JOBS
    direct.close()
