"""`sweepstake db`: upgrade, backup and check."""

import json
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sweepstake.errors import ConfigurationError
from sweepstake.stores import open_upkeep
from sweepstake.stores.statements import load_migrations
from tests.kit.history import check_history
from tests.kit.lab import Lab
from tests.kit.oldschema import OldClient, make_first
from tests.kit.shell import Shell
from tests.kit.stack import open_queue


def test_an_old_store_is_upgraded_and_says_so(tmp_path: Path) -> None:
    """From the first schema to this version's; until then `check` asks for it, and changes nothing."""
    url = f"sqlite:///{tmp_path}/store.db"
    make_first(url)
    shell = Shell(url)
    assert "run sweepstake db upgrade" in shell.run("db", "check", code=1).stdout
    known = load_migrations("sqlite")[-1].version
    assert json.loads(shell.run("db", "upgrade", "--format", "json").stdout) == {"before": 1, "after": known}
    told = json.loads(shell.run("db", "check", "--format", "json").stdout)
    assert (told["schema"], told["problems"], told["verification"]["found"]) == (known, [], 0)


def test_jobs_of_an_old_store_are_counted_and_counted_on(store: str) -> None:
    """Those that it had, and whatever a client that knows no counts does beside us."""
    make_first(store)
    with OldClient(store) as old:
        old.add("sweep", 6)
        for _ in range(2):
            claim = old.claim("sweep")
            assert claim is not None
            old.finish(claim)
        assert old.claim("sweep") is not None
        with closing(open_queue(store)) as queue:
            counted = queue.count_jobs("sweep")
            assert (counted.ready, counted.running, counted.done) == (3, 1, 2)
            claim = old.claim("sweep")
            assert claim is not None
            old.finish(claim)
            counted = queue.count_jobs("sweep")
            assert (counted.ready, counted.running, counted.done) == (2, 1, 3)
    check_history(store)


def test_a_backup_is_whole_while_others_write(tmp_path: Path) -> None:
    """It is a store as it was at one moment, only its owner reads it, and it is not written over."""
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    stop = threading.Event()
    with closing(open_queue(f"sqlite:///{path}")) as queue:
        lab = Lab.new(queue, name="sweep")
        lab.add_many(3000)

        def write() -> None:
            while not stop.is_set():
                lab.finish(lab.claim())

        writer = threading.Thread(target=write)
        writer.start()
        steps: list[tuple[int, int]] = []
        try:
            open_upkeep(f"sqlite:///{path}").back_up(copy, lambda done, total: steps.append((done, total)))
        finally:
            stop.set()
            writer.join()
        jobs = lab.jobs()
    assert steps[-1][0] == steps[-1][1]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    check_history(f"sqlite:///{copy}")
    with closing(open_queue(f"sqlite:///{copy}")) as queue:
        assert [job.id for job in Lab(queue, "sweep").jobs()] == [job.id for job in jobs]
    with pytest.raises(ConfigurationError, match="not overwritten"):
        open_upkeep(f"sqlite:///{path}").back_up(copy, lambda _done, _total: None)


def test_a_damaged_file_is_a_problem(tmp_path: Path) -> None:
    """`check` says what the database finds wrong with itself."""
    path = tmp_path / "store.db"
    with closing(open_queue(f"sqlite:///{path}")) as queue:
        Lab.new(queue).add_many(500)
    with closing(sqlite3.connect(path)) as file:
        [(page,)] = file.execute("select rootpage from sqlite_master where name = 'jobs_id'")
        [(size,)] = file.execute("pragma page_size")
        file.execute("pragma journal_mode = delete")
    with path.open("r+b") as raw:
        raw.seek((page - 1) * size)
        raw.write(b"\xff" * 400)
    assert open_upkeep(f"sqlite:///{path}").problems()
    Shell(f"sqlite:///{path}").run("db", "check", code=1)


def test_postgres_is_checked_and_names_its_own_tool(new_database: Callable[[], str], tmp_path: Path) -> None:
    """For a backup there is pg_dump."""
    url = new_database()
    assert open_upkeep(url).schema() == 0
    make_first(url)
    assert open_upkeep(url).schema() == 1
    open_queue(url).close()
    assert open_upkeep(url).schema() == open_upkeep(url).known
    with pytest.raises(ConfigurationError, match="pg_dump"):
        open_upkeep(url).back_up(tmp_path / "copy", lambda _done, _total: None)


def test_there_must_be_a_store(tmp_path: Path) -> None:
    """Neither is one made by looking for it."""
    with pytest.raises(ConfigurationError, match="There is no store"):
        open_upkeep(f"sqlite:///{tmp_path}/none.db").schema()
    assert not (tmp_path / "none.db").exists()
