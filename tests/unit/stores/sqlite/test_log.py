"""What was acknowledged is on the disk: a file as it was when its log was last synced has all of it."""

import errno
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import ABSENT, UNGUARDED, Claim, ExperimentDraft, NoJob, SearchDefinition
from sweepstake.domain.status import JobStatus, NoJobReason, Outcome
from sweepstake.errors import ResourceExistsError, StoreUnavailableError
from sweepstake.stores.sqlite.engine import SqliteEngine
from sweepstake.stores.sqlite.log import sync_file
from sweepstake.values import JsonObject
from tests.kit.clocks import HandClock
from tests.kit.lab import document, draft, new_key
from tests.kit.stores import Kept


class Disk:
    """A disk that keeps a store's files as they were whenever the log was synced, and may fail to sync."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.db"
        self._kept = folder / "kept"
        self._kept.mkdir()
        self.syncs = 0
        self.failures: list[int] = []

    def sync(self, descriptor: int) -> None:
        """Sync a file, and keep what is safe then."""
        log = Path(f"{self.path}-wal")
        assert os.path.samestat(os.fstat(descriptor), log.stat())
        self.syncs += 1
        if self.failures:
            number = self.failures.pop(0)
            raise OSError(number, os.strerror(number))
        sync_file(descriptor)
        subprocess.run(["cp", self.path, log, self._kept], check=True)  # to close them here would drop our locks

    def job(self) -> tuple[str, str]:
        """Turn the power off and on again, and return status and results of the only job."""
        with closing(sqlite3.connect(self._kept / self.path.name)) as connection:
            assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
            status, results = connection.execute("select status, results from jobs").fetchone()
        return status, results


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    """An empty disk."""
    return Disk(tmp_path)


@pytest.fixture
def opened(disk: Disk, clock: HandClock) -> Iterator[Callable[[], Kept]]:
    """Open the store on the disk, as another process would."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Kept(SqliteEngine(disk.path, clock, disk.sync), clock)))


@pytest.fixture
def store(opened: Callable[[], Kept]) -> Kept:
    """A new store with an experiment `sweep`."""
    made = opened()
    search = SearchDefinition("Manual")
    made.put_experiment("sweep", ExperimentDraft(search=search), guard=UNGUARDED, key=new_key())
    return made


def test_each_acknowledged_write_is_on_the_disk(store: Kept, disk: Disk) -> None:
    """A job that was added, claimed and finished stays so after a power cut, at each step."""
    store.add_jobs("sweep", [draft("job")], key=new_key())
    assert disk.job() == ("QUEUED", "{}")
    claim = store.claim("sweep", worker="w", key=new_key(), repeat=False)
    assert isinstance(claim, Claim)
    assert disk.job() == ("RUNNING", "{}")
    finish = Finish(attempt=claim.key, outcome=Outcome.DONE, results=JsonObject.of({"loss": 1}))
    store.finish("sweep", "job", finish, key=new_key(), claim=None, worker="w", repeat=False)
    assert disk.job() == ("DONE", '{"loss":1}')


def test_an_answer_that_is_given_again_is_on_the_disk(store: Kept, disk: Disk) -> None:
    """A repeated call finds what the first one wrote, which may have ended before its sync: it syncs itself."""
    store.add_jobs("sweep", [draft("job")], key=new_key())
    key = new_key()
    first = store.claim("sweep", worker="w", key=key, repeat=False)
    syncs = disk.syncs
    assert store.claim("sweep", worker="w", key=key, repeat=True) == first
    assert disk.syncs == syncs + 1
    key = new_key()
    for _ in range(2):
        store.put_job("sweep", "job", document(JobStatus.DONE), guard=UNGUARDED, key=key, attempt=None)
    assert disk.syncs == syncs + 3


def test_what_a_refusal_relies_on_is_on_the_disk(store: Kept, disk: Disk) -> None:
    """Who is told that a job is there already may go on as if it were."""
    store.add_jobs("sweep", [draft("job")], key=new_key())
    syncs = disk.syncs
    with pytest.raises(ResourceExistsError):
        store.put_job("sweep", "job", document(JobStatus.DONE), guard=ABSENT, key=new_key(), attempt=None)
    assert disk.syncs == syncs + 1


def test_a_claim_that_finds_nothing_does_not_touch_the_disk(store: Kept, disk: Disk) -> None:
    """Workers that wait for jobs ask again and again."""
    syncs = disk.syncs
    assert store.claim("sweep", worker="w", key=new_key(), repeat=False) == NoJob(NoJobReason.EMPTY)
    assert disk.syncs == syncs


def test_a_log_that_was_not_synced_is_written_again(store: Kept, disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """One failure is made up for before the call returns, and said."""
    disk.failures = [errno.EIO]
    store.add_jobs("sweep", [draft("job")], key=new_key())
    assert disk.job() == ("QUEUED", "{}")
    assert "could not be synced ([Errno 5] Input/output error); it is written again" in caplog.text


def test_a_disk_that_goes_on_failing_fails_the_call(store: Kept, disk: Disk) -> None:
    """The reason is told, and the repeated call is kept."""
    key = new_key()
    disk.failures = [errno.EIO, errno.ENOSPC]
    with pytest.raises(StoreUnavailableError, match="is full"):
        store.add_jobs("sweep", [draft("job")], key=key)
    store.add_jobs("sweep", [draft("job")], key=key)
    assert disk.job() == ("QUEUED", "{}")


def test_a_disk_that_fails_as_the_store_is_opened(disk: Disk, clock: HandClock) -> None:
    """It is away like one that fails later, and opened once the disk works again."""
    disk.failures = [errno.EIO, errno.EIO]
    with pytest.raises(StoreUnavailableError, match=r"Input/output error") as caught:
        SqliteEngine(disk.path, clock, disk.sync)
    assert str(disk.path) in str(caught.value)
    SqliteEngine(disk.path, clock, disk.sync).close()


def test_nothing_is_built_on_a_log_with_a_hole(store: Kept, disk: Disk) -> None:
    """While the disk fails, calls are refused before they write."""
    disk.failures = [errno.EIO] * 3
    for name in ("first", "second"):
        with pytest.raises(StoreUnavailableError, match="Input/output error"):
            store.add_jobs("sweep", [draft(name)], key=new_key())
    assert [job.id for job in store.jobs("sweep")] == ["first"]
    store.add_jobs("sweep", [draft("third")], key=new_key())
    assert [job.id for job in store.jobs("sweep")] == ["first", "third"]


def test_a_failure_is_not_forgotten_by_others(store: Kept, disk: Disk, clock: HandClock) -> None:
    """A store that is opened later, to which the system says that all is well, writes the log again as well."""
    disk.failures = [errno.EIO, errno.EIO]
    with pytest.raises(StoreUnavailableError, match="Input/output error"):
        store.add_jobs("sweep", [draft("job")], key=new_key())
    syncs = disk.syncs
    link = disk.path.with_name("link.db")
    link.symlink_to(disk.path)
    for more in (2, 1):  # of its first write, and before that once of the log that it wrote again
        with closing(Kept(SqliteEngine(link, clock, disk.sync), clock)):
            assert disk.syncs == syncs + more
        assert disk.job() == ("QUEUED", "{}")
        syncs = disk.syncs


def test_a_failure_at_the_end_is_noted(store: Kept, opened: Callable[[], Kept], disk: Disk) -> None:
    """SQLite says nothing when its last sync fails, but the log's descriptor hears of it."""
    store.add_jobs("sweep", [draft("job")], key=new_key())
    other = opened()
    disk.failures = [errno.EIO]
    store.close()
    syncs = disk.syncs
    other.add_jobs("sweep", [draft("next")], key=new_key())
    assert disk.syncs == syncs + 2
