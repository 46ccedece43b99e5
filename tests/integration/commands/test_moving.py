"""`sweepstake export` and `import` between stores of every kind, as commands."""

import io
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import pytest

from sweepstake.client.archive import export_experiment, import_experiment
from sweepstake.clock import SystemClock
from sweepstake.domain.status import Outcome
from sweepstake.queue.queue import Queue
from sweepstake.queue.retrying import patient_queue
from sweepstake.queue.verify import verify
from tests.kit.filled import comparable, fill, fill_tasks
from tests.kit.history import check_history
from tests.kit.lab import Lab
from tests.kit.shell import Shell
from tests.kit.stack import ServerProcess, open_queue, store_of
from tests.kit.stores import open_store


@pytest.fixture
def journey(tmp_path: Path, new_database: Callable[[], str]) -> Iterator[list[str]]:
    """The URLs of a file, a database, a server over a file, and one more file."""
    files = [tmp_path / name for name in "abc"]
    for file in files:
        file.mkdir()
    stores = [store_of("sqlite", file, new_database) for file in files]
    with ExitStack() as stack:
        server = stack.enter_context(ServerProcess(stores[1], files[1]))
        yield [stores[0], new_database(), server.url, stores[2]]


def move(source: str, target: str) -> str:
    """Export the experiment `sweep`, import it elsewhere, and return the file."""
    file = io.StringIO()
    with closing(open_queue(source)) as here, closing(open_queue(target)) as there:
        export_experiment(_retrying(here), "sweep", file, lambda _: None)
        import_experiment(_retrying(there), io.StringIO(file.getvalue()), None, lambda _: None)
    return file.getvalue()


def _retrying(queue: Queue) -> Queue:
    return patient_queue(queue.sender, SystemClock(), os.urandom, lambda _: None)


def take(url: str, text: str, *options: str, code: int = 0) -> str:
    """Import an experiment from standard input, and return what is said."""
    process = Shell(url).start("import", *options, stdin=subprocess.PIPE)
    _, err = process.communicate(text, timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    return err


def test_an_experiment_is_the_same_after_a_journey(journey: list[str], tmp_path: Path) -> None:
    """From a file to PostgreSQL, through a server, and back to a file: equal but for etags."""
    with closing(open_queue(journey[0])) as queue:
        lab = Lab.new(queue, name="sweep", max_running=7, notes="far\ntravelled")
        fill(lab)
        fill_tasks(lab)
    files = [move(source, target) for source, target in pairwise([*journey, f"sqlite:///{tmp_path}/last.db"])]
    assert [comparable(file) for file in files[1:]] == [comparable(files[0])] * 3
    for url in (journey[0], journey[1], journey[3]):
        check_history(url)
        with closing(open_store(url)) as store:
            assert verify(store.ledger).violations == ()


def test_the_command_refuses_what_is_not_whole(tmp_path: Path) -> None:
    """A file that was cut off, with the exit code 1; nothing is there afterwards."""
    url = f"sqlite:///{tmp_path}/store.db"
    with closing(open_queue(url)) as queue:
        lab = Lab.new(queue, name="sweep")
        lab.add_many(3)
        lab.finish(lab.claim(), Outcome.DONE)
        lab.claim()
    shell = Shell(url)
    done = shell.run("export", "sweep")
    assert "Still running: 1 job." in done.stderr
    assert "cut off" in take(url, done.stdout[: done.stdout.rindex('{"end"')], "--name", "copy", code=1)
    assert "exists already" in take(url, done.stdout, code=1)
    assert [each["name"] for each in json.loads(shell.run("list", "--format", "json").stdout)] == ["sweep"]
    check_history(url)
