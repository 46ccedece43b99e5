"""The files of the spool: whole, private, and readable."""

import json
import math
import os
import stat
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.status import Outcome
from sweepstake.errors import NotFoundError, SpoolError
from sweepstake.spool import Entry, Spool, every_spool
from sweepstake.values import JsonObject
from tests.kit.lab import new_key


def entry(spool: Spool, **changes: object) -> Entry:
    """Make an entry with a bit of everything."""
    report = Finish(
        attempt=new_key(),
        outcome=Outcome.CRASHED,
        results=JsonObject.of({"loss": math.nan, "big": 1e22, "$odd": -0.0}),
        hyperparameters=JsonObject.of({"rate": 0.1}),
        reason="Traceback\n  ü",
        output="the end",
        causes=("ValueError", 7),
    )
    made = Entry(key=new_key(), store=spool.store, experiment="a/b", job="ü", written_at=1.8e9 + 0.25, report=report)
    return attrs.evolve(made, **changes)  # type: ignore[arg-type]  # as the caller wrote them


def test_an_entry_comes_back_as_it_was_kept(spool: Spool) -> None:
    """Non-finite numbers, odd names and texts survive; the file is JSON that people can read."""
    kept = entry(spool, last_error="away", undeliverable="it was deleted")
    path = spool.keep(kept)
    assert spool.read(kept.key) == kept
    tree = json.loads(path.read_text())
    assert (tree["experiment"], tree["report"]["outcome"]) == ("a/b", "crashed")
    assert spool.waiting() == [kept.key]


def test_files_are_for_their_owner_only(spool: Spool) -> None:
    """Results may be confidential: neither folder nor file can be read by others."""
    path = spool.keep(entry(spool))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks for files in /proc")
def test_new_folders_survive_a_power_cut_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each folder that had to be made is put on the disk by its parent, up to one that was there."""
    synced: list[str] = []
    real = os.fsync

    def sync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    spool = Spool(tmp_path / "new" / "state" / "spool" / "store", "store")
    spool.keep(entry(spool))
    made = [spool.folder, *spool.folder.parents]
    assert {str(folder) for folder in made[: made.index(tmp_path) + 1]} <= set(synced)


def test_entries_are_in_the_order_in_which_they_were_kept(spool: Spool) -> None:
    """The oldest is delivered first."""
    kept = [entry(spool) for _ in range(5)]
    for one in reversed(kept):
        spool.keep(one)
    assert spool.waiting() == sorted(one.key for one in kept)


def test_an_entry_that_is_gone_is_neither_read_nor_written_again(spool: Spool) -> None:
    """What another process has delivered does not come back."""
    kept = entry(spool)
    spool.keep(kept)
    assert spool.drop(kept.key)
    assert not spool.drop(kept.key)
    spool.update(kept)
    assert spool.waiting() == []
    with pytest.raises(NotFoundError, match="spool list"):
        spool.read(kept.key)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}'])
def test_a_damaged_file_is_named(spool: Spool, text: str) -> None:
    """The error says which file, so that somebody can mend it."""
    path = spool.keep(entry(spool))
    path.write_text(text)
    with pytest.raises(SpoolError, match=path.name):
        spool.read(path.stem)


def test_an_entry_of_a_newer_version_is_left_alone(spool: Spool) -> None:
    """What this version does not understand it does not deliver half of."""
    newer = entry(spool, version=2)
    spool.keep(newer)
    with pytest.raises(SpoolError, match="update sweepstake"):
        spool.read(newer.key)


def test_a_full_disk_leaves_nothing_half_written(spool: Spool) -> None:
    """The error names the file, the entry that was there before stands, and no draft is left behind."""
    small = entry(spool)
    spool.keep(small)
    spool.update(small)
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "import attrs, signal\n"
        "from sweepstake.spool import Spool\n"
        "from sweepstake.errors import SpoolError\n"
        "spool = Spool(Path(sys.argv[1]), 'x')\n"
        "entry = attrs.evolve(spool.read(sys.argv[2]), last_error='x' * 100_000)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try: spool.keep(entry)\n"
        "except SpoolError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, spool.folder, small.key], capture_output=True, text=True, check=True, timeout=60
    )
    assert f"{small.key}.json cannot be written: File too large" in done.stdout
    assert spool.read(small.key) == small
    assert os.listdir(spool.folder) == [f"{small.key}.json"]  # noqa: PTH208 -- names are what is compared


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    """Somebody put a file where the state folder should be."""
    (tmp_path / "state").touch()
    spool = Spool.of(tmp_path / "state" / "spool", "http://host")
    with pytest.raises(SpoolError, match="cannot be written: Not a directory"):
        spool.keep(entry(spool))


def test_the_spools_of_all_stores_are_found(tmp_path: Path) -> None:
    """Each knows its store's address, also one too long for a file's name."""
    stores = ["http://host:8000", "postgresql://ada@db/" + "x" * 300]
    for store in stores:
        spool = Spool.of(tmp_path / "spool", store)
        spool.keep(entry(spool))
    assert sorted(spool.store for spool in every_spool(tmp_path / "spool")) == stores
    assert every_spool(tmp_path / "nowhere") == []
