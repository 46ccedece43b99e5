"""The SQLite file: how it is made, shared, refused and left alone."""

import gc
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import UNGUARDED, Claim, ExperimentDraft, SearchDefinition
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import ConfigurationError, StoreRefusedError, StoreUnavailableError
from tests.kit.clocks import HandClock
from tests.kit.crew import all_together
from tests.kit.lab import document, draft, new_key
from tests.kit.stores import Kept, open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store will be."""
    (tmp_path / "folder").mkdir(0o700)
    return tmp_path / "folder" / "store.db"


@pytest.fixture
def store(path: Path, clock: HandClock) -> Iterator[Kept]:
    """A new store with an experiment `sweep`, whose leases last 60 s."""
    with closing(open_store(f"sqlite:///{path}", clock)) as opened:
        search = SearchDefinition("Manual")
        opened.put_experiment("sweep", ExperimentDraft(search=search), guard=UNGUARDED, key=new_key())
        yield opened


def claim(store: Kept) -> Claim | None:
    """Claim from the experiment, as a worker on the same machine."""
    found = store.claim("sweep", worker="w", key=new_key(), repeat=False)
    return found if isinstance(found, Claim) else None


def open_and_add(number: int, url: str) -> int:
    """Open a store that may not be there yet, and add a job."""
    with closing(open_store(url)) as store:
        search = SearchDefinition("Manual")
        store.put_experiment("sweep", ExperimentDraft(search=search), guard=UNGUARDED, key=new_key())
        store.add_jobs("sweep", [draft(f"job {number}")], key=new_key())
        return store.count_jobs("sweep").ready


@pytest.mark.usefixtures("store")
def test_nobody_else_may_read_a_new_store(path: Path) -> None:
    """The file, and what SQLite writes beside it, belong to their owner alone."""
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_processes_may_open_a_new_store_at_once(path: Path) -> None:
    """Of several processes that find no store, each gets the same whole one."""
    counts = all_together(3, open_and_add, f"sqlite:///{path}")
    assert max(counts) == 3


@pytest.mark.usefixtures("store")
def test_a_newer_schema_is_refused(path: Path) -> None:
    """A store that a newer version has changed is not touched, and the error says what to upgrade."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update meta set value = '99' where name = 'schema'")
    with pytest.raises(StoreRefusedError, match=r"schema 99.*newer Sweepstake"):
        open_store(f"sqlite:///{path}")


def test_a_file_of_another_kind_is_refused(path: Path) -> None:
    """What is not a SQLite database stays as it is."""
    path.write_text("my precious notes, " * 100)
    with pytest.raises(StoreRefusedError, match="not a healthy SQLite database"):
        open_store(f"sqlite:///{path}")
    assert path.read_text().startswith("my precious notes")


def test_somebody_elses_database_is_refused(path: Path) -> None:
    """Tables of ours are not put beside those of another program."""
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("create table jobs (title text)")
    with pytest.raises(StoreRefusedError, match="does not hold the tables of a store"):
        open_store(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as theirs:
        assert theirs.execute("select name from sqlite_master").fetchall() == [("jobs",)]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A slip in a path does not begin an empty store where nobody looks; nothing is made."""
    with pytest.raises(ConfigurationError, match=r"there is no folder \S+/typo for the store store\.db; make it"):
        open_store(f"sqlite:///{tmp_path}/typo/store.db")
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "home"])


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """A URL that names a folder says that the path is wrong."""
    with pytest.raises(ConfigurationError, match="no regular file"):
        open_store(f"sqlite:///{tmp_path}")


def test_a_path_below_a_file_is_no_store(tmp_path: Path) -> None:
    """A URL whose folder is a file says that the path is wrong."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="Check the path"):
        open_store(f"sqlite:///{tmp_path}/file/store.db")


def test_a_closed_store_says_so(store: Kept) -> None:
    """After closing, a call fails with the advice to connect again; closing twice is fine."""
    store.close()
    store.close()
    with pytest.raises(StoreUnavailableError, match="connect to it again"):
        store.ping()


def test_a_store_can_be_open_twice_in_one_process(path: Path, store: Kept) -> None:
    """Closing one of two leaves the other its place in the queue of writers."""
    with closing(open_store(f"sqlite:///{path}")) as other:
        other.add_jobs("sweep", [draft()], key=new_key())
    store.add_jobs("sweep", [draft()], key=new_key())
    assert store.count_jobs("sweep").ready == 2


def test_a_suspended_machine_loses_no_lease(store: Kept, clock: HandClock) -> None:
    """While the monotonic clock stands still, the wall clock may jump as it likes."""
    store.add_jobs("sweep", [draft()], key=new_key())
    assert claim(store)
    clock.unix += 86_400
    clock.uptime += 59
    assert claim(store) is None
    clock.pass_seconds(2)
    assert claim(store)


def test_another_boot_ends_all_leases(path: Path, store: Kept, clock: HandClock) -> None:
    """Whoever held a lease before the machine was started again is dead, and its job can be claimed at once."""
    store.add_jobs("sweep", [draft("theirs")], key=new_key())
    first = claim(store)
    assert first is not None
    store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update meta set value = 'the boot before' where name = 'boot'")
    clock.uptime = 5.0
    with closing(open_store(f"sqlite:///{path}", clock)) as reopened:
        second = claim(reopened)
        assert second is not None
        assert (second.job.id, second.job.attempt) == ("theirs", 2)
        outcomes = [attempt.outcome for attempt in reopened.list_attempts("sweep", "theirs")]
    assert outcomes == [Outcome.LEASE_LOST, None]


def test_a_job_put_to_running_survives_a_boot(path: Path, store: Kept) -> None:
    """What has no lease is not given to others, however often the machine starts."""
    running = document(JobStatus.RUNNING)
    store.put_job("sweep", "old", running, guard=UNGUARDED, key=new_key(), attempt=None)
    store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update meta set value = 'the boot before' where name = 'boot'")
    with closing(open_store(f"sqlite:///{path}")) as reopened:
        assert claim(reopened) is None
        assert reopened.get_job("sweep", "old").status is JobStatus.RUNNING


def test_a_failed_job_waits_longer_each_time(store: Kept, clock: HandClock) -> None:
    """The delay before a retry doubles with each failure, and is measured by the wall clock."""
    settings = Settings(max_attempts=3, retry_delay=10.0)
    search = SearchDefinition("Manual")
    draft_of = ExperimentDraft(search=search, settings=settings)
    store.put_experiment("sweep", draft_of, guard=UNGUARDED, key=new_key())
    store.add_jobs("sweep", [draft("flaky")], key=new_key())
    for delay in (10, 20):
        held = claim(store)
        assert held is not None
        crash = Finish(attempt=held.key, outcome=Outcome.CRASHED, reason="boom")
        store.finish("sweep", "flaky", crash, key=new_key(), claim=None, worker="", repeat=False)
        clock.pass_seconds(delay - 0.5)
        assert claim(store) is None
        clock.pass_seconds(1)
    assert store.count_jobs("sweep").ready == 1


def test_text_that_no_database_holds_is_written_out(store: Kept) -> None:
    """A traceback with NUL or half a surrogate pair is kept readably."""
    store.add_jobs("sweep", [draft("odd")], key=new_key())
    held = claim(store)
    assert held is not None
    crash = Finish(attempt=held.key, outcome=Outcome.CRASHED, reason="nul \0, half \ud800, whole é")
    store.finish("sweep", "odd", crash, key=new_key(), claim=None, worker="", repeat=False)
    assert store.list_attempts("sweep", "odd")[0].reason == "nul \\x00, half \\ud800, whole é"


def test_threads_share_a_store(store: Kept) -> None:
    """Many threads claim at once, and no job goes to two of them."""
    store.add_jobs("sweep", [draft() for _ in range(60)], key=new_key())
    claimed: list[str] = []

    def drain() -> None:
        while (held := claim(store)) is not None:
            claimed.append(held.job.id)

    threads = [threading.Thread(target=drain) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(claimed) == len(set(claimed)) == 60


def test_a_store_that_nobody_closed_lets_go_of_its_file(path: Path, clock: HandClock) -> None:
    """Once nobody refers to a store any more its connections are closed, and SQLite folds its log into the file."""
    opened = open_store(f"sqlite:///{path}", clock)
    assert opened.list_experiments(None, 10).items == ()
    log = path.with_name("store.db-wal")
    assert log.exists()
    del opened
    gc.collect()
    assert not log.exists()


def test_a_forked_child_leaves_the_parents_file_alone(store: Kept) -> None:
    """A child that ends, having used the store or not, neither breaks the parent's locks nor its writes."""
    store.add_jobs("sweep", [draft()], key=new_key())
    for uses in (True, False):
        child = os.fork()
        if child == 0:  # pragma: no cover -- another process
            code = 1
            try:
                if uses:
                    store.add_jobs("sweep", [draft()], key=new_key())
                    store.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
    store.add_jobs("sweep", [draft()], key=new_key())
    assert store.count_jobs("sweep").ready == 3


def test_a_log_of_the_file_before_is_refused_each_time(path: Path, store: Kept) -> None:
    """A backup put over the file while the old log lies beside it is not opened, however often it is tried."""
    backup = path.with_name("backup.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as copy:
        source.backup(copy)
    backup.replace(path)
    for _ in range(3):
        with pytest.raises(StoreUnavailableError, match="still belongs to the file before"):
            store.add_jobs("sweep", [draft()], key=new_key())
