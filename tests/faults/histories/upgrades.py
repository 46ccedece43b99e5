"""F20: a store of the first schema is upgraded under a client that knows no other."""

import threading
from contextlib import closing

import pytest

from sweepstake.domain.status import JobStatus
from sweepstake.errors import StoreRefusedError
from sweepstake.stores import open_upkeep
from tests.faults.fault import DIRECT, Fault, Figures, Place
from tests.kit.lab import Lab
from tests.kit.oldschema import OldClient, make_first
from tests.kit.stack import open_queue
from tests.kit.stores import open_store

__all__ = ["FAULT"]


def upgrade(place: Place, size: int) -> Figures:
    """Let an old client and a new one share `size` jobs; the new one upgrades the store when the old one is at work."""
    make_first(place.store)
    done = {"old": 0, "new": 0}
    running, upgraded = threading.Event(), threading.Event()
    with OldClient(place.store) as old:
        old.add("sweep", size)

        def work() -> None:
            while (claim := old.claim("sweep")) is not None:
                running.set()
                if done["old"] == size // 8:
                    upgraded.wait(60)  # this claim is of before the upgrade, and its report of after it
                old.finish(claim)
                done["old"] += 1

        worker = threading.Thread(target=work)
        worker.start()
        assert running.wait(60), "the old client has no job"
        assert open_upkeep(place.store).schema() == 1
        with closing(open_queue(place.store)) as queue:
            upgraded.set()
            lab = Lab(queue, "sweep")
            while done["new"] < size // 4 and (claim := lab.claimed_or_none()) is not None:
                lab.finish(claim)
                done["new"] += 1
            worker.join(300)
            assert not worker.is_alive(), "the old client stands still"
            statuses = [job.status for job in lab.jobs()]
            late = Lab.new(queue, name="after")
            late.add_many(1)
            claim_after = old.claim("after")
            assert claim_after is not None, "the old client has no job of a new experiment"
            old.finish(claim_after)
    assert statuses == [JobStatus.DONE] * size, statuses
    assert sum(done.values()) == size, done
    _refuse_newer(place.store)
    return {"jobs done by the old client": done["old"], "by the new one": done["new"], "lost or double": 0}


def _refuse_newer(url: str) -> None:
    """Let the store say that it has a schema of the future: it is refused, with the way out."""
    known = open_upkeep(url).known
    with OldClient(url) as old:
        old.set_schema(known + 1)
        with pytest.raises(StoreRefusedError, match="newer Sweepstake"):
            open_store(url)
        old.set_schema(known)


FAULT = Fault(
    number="F20",
    words="a store of the first schema, upgraded while a client that knows no other is at work",
    holds="both go on working, and no job is lost or done twice; a schema of the future is refused",
    run=upgrade,
    unit="jobs",
    small=80,
    full=4000,
    small_kinds=DIRECT,
    full_kinds=DIRECT,
)
