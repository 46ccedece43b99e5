"""An application of its own for the tests of a module."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from sweepstake.clock import SystemClock
from sweepstake.server.app import create_app
from sweepstake.service import QueueService
from sweepstake.stores import open_store
from tests.lab import draft, new_key
from tests.unit.server.asking import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The application over a file that holds an experiment with a job, both named `e`."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('fuzz')}/store.db")
    queue = QueueService(store, SystemClock())
    with asyncio.Runner() as runner, closing(queue):
        made = Server(create_app(queue, None, SystemClock()), runner)
        body = json.dumps({"scheduler": {"Manual": None}}).encode()
        assert made.ask("PUT", b"/api/v1/experiments/e/", body=body)[0] == 200
        queue.add_jobs("e", [draft("e")], key=new_key())
        yield made
