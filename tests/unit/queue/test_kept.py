"""What is kept of attempts: how often the disk is asked."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from sweepstake.clock import SystemClock
from sweepstake.domain.files import KeptFile, Manifest
from sweepstake.domain.records import ABSENT, Claim, ExperimentDraft, SearchDefinition
from sweepstake.files.folder import FolderDrive
from sweepstake.files.shelf import Shelf
from sweepstake.queue import calls
from sweepstake.queue.here import Here
from sweepstake.stores import open_engine
from tests.kit.lab import draft, new_key


@attrs.frozen
class Counting(FolderDrive):
    """A folder that notes what is read in it.

    Attributes:
        was_read: the last name of each.
    """

    was_read: list[str] = attrs.field(factory=list)

    def read(self, offset: int, length: int, *name: str) -> bytes:
        """See `Drive.read`."""
        self.was_read.append(name[-1])
        return super().read(offset, length, *name)


@attrs.frozen
class Bench:
    """A store with a job that runs, and where it keeps files."""

    here: Here
    drive: Counting
    claim: Claim

    def keep(self, path: str) -> Manifest:
        """State that the attempt has one empty file, which is kept."""
        sha256 = hashlib.sha256(b"").hexdigest()
        job, key = self.claim.job, self.claim.key
        self.here.send(
            calls.PutContent(
                name="exp", id=job.id, attempt=key, sha256=sha256, size=0, offset=0, digest=sha256, piece=b""
            )
        )
        self.drive.was_read.clear()
        file = KeptFile(path=path, size=0, sha256=sha256)
        return self.here.send(calls.KeepFiles(name="exp", id=job.id, attempt=key, files=(file,), keep=1))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """One job, and the first attempt at it."""
    clock, drive = SystemClock(), Counting(tmp_path / "kept")
    engine = open_engine(f"sqlite:///{tmp_path}/store.db", clock)
    with contextlib.closing(Here(engine, clock, files=Shelf(drive, "store"))) as here:
        made = ExperimentDraft(search=SearchDefinition("Manual"))
        here.send(calls.PutExperiment(name="exp", draft=made, key=new_key(), guard=ABSENT))
        here.send(calls.AddJob(name="exp", draft=draft("a"), key=new_key()))
        claim = here.send(calls.ClaimJob(name="exp", key=new_key(), worker="w"))
        assert isinstance(claim, Claim)
        yield Bench(here, drive, claim)


def test_a_manifest_is_read_once_to_be_replaced(bench: Bench) -> None:
    """It may name thousands of files; the answer tells all the same what is kept from then on."""
    first = bench.keep("a")
    assert bench.drive.was_read == []
    second = bench.keep("b")
    assert bench.drive.was_read == ["manifest.json"]
    assert [each.path for each in (*first.files, *second.files)] == ["a", "b"]
    assert second == bench.here.send(calls.ListFiles(name="exp", id="a"))
