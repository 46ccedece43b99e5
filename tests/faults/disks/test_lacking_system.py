"""A file system that lacks calls: what only spares work is done without, and what safety needs is named."""

import errno
import os
from pathlib import Path

import pytest

from tests.faults.disks.shims import can_compile, compiled
from tests.kit.scripts import run_script

pytestmark = pytest.mark.skipif(not can_compile(), reason="the shim is C")


def run(script: str, *arguments: str, library: Path, folder: Path, lacking: str, number: int, path: str) -> str:
    """Run a script where a call is lacking, and return what it said."""
    done = run_script(
        script,
        *arguments,
        seconds=120.0,
        LD_PRELOAD=str(library),
        LACKING=lacking,
        LACKING_ERRNO=str(number),
        LACKING_PATH=path,
        SWEEPSTAKE_STATE=str(folder / "state"),
        SWEEPSTAKE_CONFIG="",
    )
    return f"{done.returncode} {done.stdout}{done.stderr}"


_SPOOL = """
import sys
from pathlib import Path
from sweepstake.domain.drafts import Finish
from sweepstake.domain.status import Outcome
from sweepstake.spool import Entry, Spool
from sweepstake.domain.keys import uuid7

spool = Spool.of(Path(sys.argv[1]), "http://server")
key = uuid7(1, bytes(10))
report = Finish(attempt=key, outcome=Outcome.DONE)
spool.keep(Entry(key=key, store=spool.store, experiment="e", job="j", written_at=1.0, report=report))
with spool.alone() as alone:
    print("delivers" if alone else "leaves it to others", spool.waiting() == [key])
"""


@pytest.mark.parametrize(
    "lacking, number",
    [
        *(("lock", number) for number in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)),
        *(("sync", number) for number in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)),
    ],
)
def test_the_spool_needs_neither_locks_nor_syncs(tmp_path: Path, lacking: str, number: int) -> None:
    """A lock only spares others the work, and where nothing can be synced a report is kept all the same."""
    library = compiled("lacking_system", tmp_path)
    where = str(tmp_path / "spool")
    told = run(_SPOOL, where, library=library, folder=tmp_path, lacking=lacking, number=number, path=where)
    assert told == "0 delivers True\n"


_OPEN = """
import sys
import sweepstake

try:
    sweepstake.connect(sys.argv[1])
except sweepstake.StoreRefusedError as error:
    print(error)
"""


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_where_there_are_no_locks_is_refused_by_name(tmp_path: Path, number: int) -> None:
    """It would be damaged by two that write at once; the error says what is missing and what to do."""
    library = compiled("lacking_system", tmp_path)
    (tmp_path / "new").mkdir()
    url = f"sqlite:///{tmp_path}/new/store.db"
    told = run(_OPEN, url, library=library, folder=tmp_path, lacking="lock", number=number, path=str(tmp_path / "new"))
    assert told.startswith("0 The file system of ")
    assert f"no file locks (fcntl: {os.strerror(number)})" in told
    assert "sweepstake serve" in told


def test_a_machine_that_does_not_tell_its_boot_is_refused_by_name(tmp_path: Path) -> None:
    """Leases in a file hang on it."""
    library = compiled("lacking_system", tmp_path)
    told = run(
        _OPEN,
        f"sqlite:///{tmp_path}/store.db",
        library=library,
        folder=tmp_path,
        lacking="open",
        number=errno.ENOENT,
        path="/proc/sys/kernel/random/boot_id",
    )
    assert told.startswith("0 This machine does not tell when it was started")
    assert "Mount /proc" in told
