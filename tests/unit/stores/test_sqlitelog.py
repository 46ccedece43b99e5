"""What was acknowledged is on the disk: a file as it was when its log was last synced has all of it."""

import errno
import math
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sweepstake.domain.records import UNGUARDED, Finish, SearchDefinition
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import StoreUnavailableError
from sweepstake.ports import ExperimentDraft
from sweepstake.stores import SqlStore, open_store, sqlitelog
from sweepstake.values import JsonObject
from tests.lab import document, draft, new_key
from tests.unit.stores.conftest import HandClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path, clock: HandClock) -> Iterator[SqlStore]:
    """A new store with an experiment `sweep`."""
    with closing(open_store(f"sqlite:///{path}", clock)) as opened:
        search = SearchDefinition("Manual")
        opened.put_experiment("sweep", ExperimentDraft(search=search), seed=1, guard=UNGUARDED, key=new_key())
        yield opened


class Disk:
    """What a power cut leaves of a store: its files as they were whenever the log was synced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = path.parent / "kept"
        self._kept.mkdir()
        self.syncs = 0

    def sync(self, descriptor: int) -> None:
        """Sync a file, and keep what is safe then."""
        log = Path(f"{self._path}-wal")
        assert os.path.samestat(os.fstat(descriptor), log.stat())
        os.fdatasync(descriptor)
        self.syncs += 1
        for file in (self._path, log):
            shutil.copy(file, self._kept / file.name)

    def job(self) -> tuple[str, str]:
        """Return status and results of the only job that is left, and turn the power on and off again."""
        with closing(sqlite3.connect(self._kept / self._path.name)) as connection:
            assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
            status, results = connection.execute("select status, results from jobs").fetchone()
        return status, results


@pytest.fixture
def disk(path: Path, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk of a store that is open already."""
    assert store.count_jobs("sweep").ready == 0
    made = Disk(path)
    monkeypatch.setattr(sqlitelog, "_sync", made.sync)
    return made


def test_each_acknowledged_write_is_on_the_disk(store: SqlStore, disk: Disk) -> None:
    """A job that was added, claimed and finished stays so after a power cut, at each step."""
    store.add_jobs("sweep", [draft("job")], key=new_key())
    assert disk.job() == ("QUEUED", "{}")
    claim = store.claim("sweep", worker="w", key=new_key(), repeat=False, uptime=math.inf)
    assert claim is not None
    assert disk.job() == ("RUNNING", "{}")
    finish = Finish(attempt=claim.key, outcome=Outcome.DONE, results=JsonObject.of({"loss": 1}))
    store.finish("sweep", "job", finish, key=new_key(), claim=None, worker="w", repeat=False, uptime=math.inf)
    assert disk.job() == ("DONE", '{"loss":1}')


def test_an_answer_that_is_given_again_is_on_the_disk(store: SqlStore, disk: Disk) -> None:
    """A repeated call finds what the first one wrote, which may have ended before its sync: it syncs itself."""
    store.add_jobs("sweep", [draft("job")], key=new_key())
    key = new_key()
    first = store.claim("sweep", worker="w", key=key, repeat=False, uptime=math.inf)
    syncs = disk.syncs
    assert store.claim("sweep", worker="w", key=key, repeat=True, uptime=math.inf) == first
    assert disk.syncs == syncs + 1
    key = new_key()
    for _ in range(2):
        store.put_job("sweep", "job", document(JobStatus.DONE), guard=UNGUARDED, key=key, attempt=None)
    assert disk.syncs == syncs + 3


def test_a_claim_that_finds_nothing_does_not_touch_the_disk(store: SqlStore, disk: Disk) -> None:
    """Workers that wait for jobs ask again and again."""
    syncs = disk.syncs
    assert store.claim("sweep", worker="w", key=new_key(), repeat=False, uptime=math.inf) is None
    assert disk.syncs == syncs


def failing(times: int) -> Callable[[int], None]:
    """Return a sync that fails this often, and then says that all is well."""
    left = [errno.EIO] * times

    def sync(descriptor: int) -> None:
        if left:
            raise OSError(left.pop(), "the disk failed")
        os.fdatasync(descriptor)

    return sync


def test_a_log_that_was_not_synced_is_copied(store: SqlStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After one failure nothing is believed of the log: all of it is in the file before the call returns."""
    monkeypatch.setattr(sqlitelog, "_sync", failing(1))
    store.add_jobs("sweep", [draft("job")], key=new_key())
    shutil.copy(path, path.with_name("alone.db"))
    with closing(sqlite3.connect(path.with_name("alone.db"))) as connection:
        assert connection.execute("select id from jobs").fetchall() == [("job",)]


def test_a_log_that_can_be_neither_synced_nor_copied_is_an_error(
    store: SqlStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody reads an old state, so the file cannot be brought up to date: the call fails, and is repeated."""
    store.add_jobs("sweep", [draft("early")], key=new_key())
    key = new_key()
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("begin")
        assert reader.execute("select count(*) from jobs").fetchone() == (1,)
        monkeypatch.setattr(sqlitelog, "_sync", failing(1))
        for _ in range(2):  # the system knows nothing of its failure the second time, but we do
            with pytest.raises(StoreUnavailableError, match="cannot be synced"):
                store.add_jobs("sweep", [draft("job")], key=key)
    store.add_jobs("sweep", [draft("job")], key=key)
    assert store.count_jobs("sweep").ready == 2
