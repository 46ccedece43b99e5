"""A SQLite file that is removed, replaced or emptied under a process that works with it."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import sweepstake
from sweepstake.domain.status import JobStatus
from tests.kit.stores import open_store

#: Seconds that a process may take to get where it is waited for.
_LIMIT = 60.0

#: Claims a job, says so, and goes on with a report or a new job when it is told to.
_WORKER = """
import sys
import sweepstake

database = sweepstake.connect(sys.argv[1])
experiment = database.get_experiment("sweep")
job = experiment.next_job()
if sys.argv[2] == "report":
    with job:
        print("ready", flush=True)
        sys.stdin.readline()
        job.results["loss"] = 0.5
else:
    print("ready", flush=True)
    sys.stdin.readline()
    experiment.add_job({"x": 2}, job_id="late")
print("done", flush=True)
"""


class Working:
    """A worker in the middle of its job, and the store that it knows."""

    def __init__(self, folder: Path, process: "subprocess.Popen[str]", errors: Path) -> None:
        self.process = process
        self.store = folder / "store.db"
        self.state = folder / "state"
        self._errors = errors

    def go_on(self) -> None:
        """Let it make its next call."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def hear(self, sentence: str) -> None:
        """Wait until it says this."""
        until = time.monotonic() + _LIMIT
        while sentence not in (told := self.told()):
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {told}"
            assert time.monotonic() < until, f"it said: {told}"
            time.sleep(0.05)

    def told(self) -> str:
        """Return what it has said so far."""
        return self._errors.read_text()

    def kept(self) -> list[Path]:
        """Return the reports that wait in the spool."""
        return list(self.state.glob("spool/*/*.json"))


def make(path: Path) -> str:
    """Make a store with one job, and return its URL."""
    url = f"sqlite:///{path}"
    with sweepstake.connect(url) as database:
        database.add_experiment(sweepstake.ManualSearch("sweep")).add_job({"x": 1})
    return url


@contextmanager
def working(folder: Path, what: str, url: str | None = None) -> Iterator[Working]:
    """Start a worker that will end its job ("report") or add one ("add")."""
    errors = folder / "errors.txt"
    environment = {**os.environ, "SWEEPSTAKE_STATE": str(folder / "state"), "SWEEPSTAKE_CONFIG": ""}
    with errors.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, url or make(folder / "store.db"), what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            env=environment,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Working(folder, process, errors)
        finally:
            process.kill()
            process.communicate()


def remove(store: Path) -> None:
    """Remove the file and all that lies beside it, as a clean-up does."""
    for file in store.parent.glob("store.db*"):
        file.unlink()


def remove_alone(store: Path) -> None:
    """Remove the file, and leave what lies beside it."""
    store.unlink()


def move_folder(store: Path) -> None:
    """Move everything away."""
    elsewhere = store.parent / "elsewhere"
    elsewhere.mkdir()
    for file in store.parent.glob("store.db*"):
        file.rename(elsewhere / file.name)


def begin_anew(store: Path) -> None:
    """Remove all and make a store of the same name with the same experiment."""
    remove(store)
    make(store)


def begin_anew_beside(store: Path) -> None:
    """Remove the file alone, and make a store beside what is left."""
    store.unlink()
    make(store)


def rename_over(store: Path) -> None:
    """Move another store over it."""
    make(store.with_name("other.db"))
    remove(store)
    store.with_name("other.db").rename(store)


_GONE = "is gone: the file was removed"
_OTHER = "Another store is at"


@pytest.mark.parametrize("what", ["report", "add"])
@pytest.mark.parametrize(
    "harm, sentence",
    [
        (remove, _GONE),
        (remove_alone, _GONE),
        (move_folder, _GONE),
        (begin_anew, _OTHER),
        (begin_anew_beside, _OTHER),
        (rename_over, _OTHER),
    ],
)
def test_nothing_is_acknowledged_into_a_file_without_a_name(
    tmp_path: Path, harm: Callable[[Path], None], sentence: str, what: str
) -> None:
    """A report waits in the spool, and no job is said to be added, while the address has another store, or none."""
    with working(tmp_path, what) as worker:
        harm(worker.store)
        worker.go_on()
        worker.hear(sentence)
        assert worker.process.poll() is None
        assert len(worker.kept()) == (1 if what == "report" else 0)
    if sentence == _GONE:
        assert not worker.store.exists()
    else:
        with sweepstake.connect(f"sqlite:///{worker.store}") as database:
            assert [job.status for job in database.get_experiment("sweep").all_jobs()] == [JobStatus.QUEUED]


@pytest.mark.parametrize("what", ["report", "add"])
def test_nothing_is_acknowledged_into_a_file_that_was_cut(tmp_path: Path, what: str) -> None:
    """Whoever empties the file destroys it: the report waits in the spool, and a new job is not said to be there."""
    with working(tmp_path, what) as worker:
        os.truncate(worker.store, 0)
        worker.go_on()
        assert worker.process.wait(_LIMIT) == 1
        assert "was truncated while it was in use" in worker.told()
        assert len(worker.kept()) == 1  # the end of the job, or that it is given back


@pytest.mark.parametrize("what", ["report", "add"])
def test_a_file_that_is_put_back_is_gone_on_with(tmp_path: Path, what: str) -> None:
    """As soon as the store is at its address again, what waited is written there."""
    with working(tmp_path, what) as worker:
        move_folder(worker.store)
        worker.go_on()
        worker.hear(_GONE)
        for file in (tmp_path / "elsewhere").iterdir():
            file.rename(tmp_path / file.name)
        assert worker.process.wait(_LIMIT) == 0
    with sweepstake.connect(f"sqlite:///{worker.store}") as database:
        jobs = {job.job_id: job.status for job in database.get_experiment("sweep").all_jobs()}
    assert (JobStatus.DONE in jobs.values()) if what == "report" else ("late" in jobs)
    assert not worker.kept()


@pytest.mark.parametrize("what", ["report", "add"])
def test_a_backup_that_is_put_back_is_the_same_store(tmp_path: Path, what: str) -> None:
    """A copy of the store is gone on with, though it is another file, and the next who opens it finds what was said."""
    with working(tmp_path, what) as worker:
        backup = tmp_path / "backup.db"
        with closing(sqlite3.connect(worker.store)) as source, closing(sqlite3.connect(backup)) as copy:
            source.backup(copy)
        remove(worker.store)
        backup.rename(worker.store)
        worker.go_on()
        assert worker.process.wait(_LIMIT) == 0
    with sweepstake.connect(f"sqlite:///{worker.store}") as database:
        jobs = {job.job_id: job.status for job in database.get_experiment("sweep").all_jobs()}
    assert (JobStatus.DONE in jobs.values()) if what == "report" else ("late" in jobs)


def test_a_log_of_the_file_before_is_not_taken_for_the_backups(tmp_path: Path) -> None:
    """A backup put over the file while the old log lies beside it is not written to before that log is removed."""
    with working(tmp_path, "add") as worker:
        backup = tmp_path / "backup.db"
        with closing(sqlite3.connect(worker.store)) as source, closing(sqlite3.connect(backup)) as copy:
            source.backup(copy)
        backup.rename(worker.store)
        worker.go_on()
        worker.hear("still belongs to the file before")
        for ending in ("-wal", "-shm"):
            worker.store.with_name(worker.store.name + ending).unlink()
        assert worker.process.wait(_LIMIT) == 0
    with sweepstake.connect(f"sqlite:///{worker.store}") as database:
        assert "late" in {job.job_id for job in database.get_experiment("sweep").all_jobs()}


@pytest.mark.parametrize("what", ["report", "add"])
def test_a_link_that_leads_elsewhere_is_followed_to_the_same_store_only(tmp_path: Path, what: str) -> None:
    """The store's address is the link: what it leads to now counts."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        make(folder / "store.db")
    link = tmp_path / "link.db"
    link.symlink_to(first / "store.db")
    with working(tmp_path, what, f"sqlite:///{link}") as worker:
        link.unlink()
        link.symlink_to(second / "store.db")
        worker.go_on()
        worker.hear(_OTHER)
        link.unlink()
        shutil.move(first, tmp_path / "third")
        link.symlink_to(tmp_path / "third" / "store.db")
        assert worker.process.wait(_LIMIT) == 0
    with sweepstake.connect(f"sqlite:///{link}") as database:
        jobs = {job.job_id: job.status for job in database.get_experiment("sweep").all_jobs()}
    assert (JobStatus.DONE in jobs.values()) if what == "report" else ("late" in jobs)


@pytest.mark.parametrize("endings", [["-wal"], ["-shm"], ["-wal", "-shm"], ["-lock"], ["-wal", "-shm", "-lock"]])
def test_what_lies_beside_the_file_may_be_removed(tmp_path: Path, endings: list[str]) -> None:
    """A clean-up of the files beside the store costs nothing that was acknowledged."""
    with working(tmp_path, "add") as worker:
        for ending in endings:
            worker.store.with_name(worker.store.name + ending).unlink()
        worker.go_on()
        assert worker.process.wait(_LIMIT) == 0
    with sweepstake.connect(f"sqlite:///{worker.store}") as database:
        jobs = {job.job_id: job.status for job in database.get_experiment("sweep").all_jobs()}
    assert "late" in jobs
    assert len(jobs) == 2


def test_nobody_opens_a_store_whose_log_others_hold_without_a_name(tmp_path: Path) -> None:
    """Whoever would see half of the store is told why it cannot be opened, until the others have let go of it."""
    with working(tmp_path, "add") as worker:
        for ending in ("-wal", "-shm"):
            worker.store.with_name(worker.store.name + ending).unlink()
        with pytest.raises(sweepstake.StoreUnavailableError, match="removed while processes had the store open"):
            open_store(f"sqlite:///{worker.store}")
        worker.go_on()
        assert worker.process.wait(_LIMIT) == 0
    with sweepstake.connect(f"sqlite:///{worker.store}") as database:
        assert "late" in {job.job_id for job in database.get_experiment("sweep").all_jobs()}
