"""A client that is stopped in the middle of a transaction, as by a suspended machine, holds nobody else up for long."""

import time

import pytest

from sweepstake.errors import StoreUnavailableError
from sweepstake.stores.postgres.engine import PostgresEngine
from sweepstake.stores.urls import PostgresUrl, parse_store_url
from tests.kit.lab import GRACE_SECONDS, Lab
from tests.kit.stack import open_queue


def test_a_stalled_transaction_lets_go_of_its_locks(postgres_url: str) -> None:
    """Others get the lock within 5 seconds; who stalled learns that nothing of its transaction was kept."""
    lab = Lab.new(open_queue(postgres_url), max_running=1)
    lab.add_many(1)
    url = parse_store_url(postgres_url)
    assert isinstance(url, PostgresUrl)
    engine = PostgresEngine(url)

    def stall_while_others_claim() -> None:
        with engine.write() as stalled:
            stalled.row("lock_experiment", name=lab.name)
            started = time.monotonic()
            assert lab.claim().job.attempt == 1
            assert 1.0 < time.monotonic() - started < GRACE_SECONDS + 3.0

    with pytest.raises(StoreUnavailableError):
        stall_while_others_claim()
    engine.close()
    lab.queue.close()
