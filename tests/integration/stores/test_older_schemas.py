"""Stores of an older schema: what they lack is there once a newer version has opened them."""

from contextlib import closing

from sweepstake.domain.batches.records import BatchDraft, BatchStatus
from sweepstake.domain.query.queries import JobQuery
from sweepstake.queue.verify import verify
from sweepstake.queue.verify.facts import Check
from tests.kit.oldschema import OldClient, make_before
from tests.kit.stores import open_store


def test_a_store_of_before_there_were_batches_takes_them(store: str) -> None:
    """Its jobs go on, may be put into batches, and who works there with statements of before is not in the way."""
    make_before(store, "batches")
    with OldClient(store) as old:
        old.add("sweep", 3)
        held = old.claim("sweep")
        assert held is not None
        with closing(open_store(store)) as opened:
            jobs = tuple(job.id for job in opened.list_jobs("sweep", JobQuery()).items)
            assert opened.intend_batches("sweep", [BatchDraft(id="b", jobs=jobs, backend="slurm")]) == (1,)
            assert opened.begin_batch("sweep", "b", 1, "7").status is BatchStatus.BEGUN
            old.finish(held)
            [claim] = opened.claim_jobs("sweep", "w", 1, ids=jobs[::-1]).claims
            assert claim.job.id == jobs[2]
            counts = opened.get_batch("sweep", "b").counts
            assert (counts.ready, counts.running, counts.done) == (1, 1, 1)
            found = {violation.check for violation in verify(opened.ledger).violations}
            assert found.isdisjoint({Check.BATCHES, Check.STRAYS, Check.COUNTS})
