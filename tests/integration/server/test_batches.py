"""Batches through a server, for users who may not do everything."""

from contextlib import closing
from pathlib import Path

import sweepstake
from sweepstake.batch.backends.scheduler import Scheduler
from sweepstake.batch.backends.slurm import SlurmDialect
from sweepstake.batch.settling import settle
from sweepstake.domain.access import Role
from sweepstake.queue.verbs.access.tokens import create_token
from sweepstake.server.passwords import add_user
from tests.kit.stack import ServerProcess
from tests.kit.stores import open_store

EMAIL = "ada@example.org"


def test_who_may_only_look_sees_how_batches_stand(tmp_path: Path) -> None:
    """Ending leases that ran out is left to others."""
    store = f"sqlite:///{tmp_path}/store.db"
    with closing(open_store(store)) as kept:
        token = add_user(kept, EMAIL, "a long enough password")
        limited, _ = create_token(kept, EMAIL, role=Role.READ)
    with ServerProcess(store, tmp_path, credentials=True) as server:
        with sweepstake.connect(server.url, token) as database:
            database.add_experiment(sweepstake.ManualSearch("e"))
        with sweepstake.connect(server.url, limited) as database:
            assert not settle(database.get_experiment("e"), lambda _: Scheduler(SlurmDialect()))
