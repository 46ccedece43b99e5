"""What is kept of attempts goes when their jobs are gone."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from sweepstake.clock import SystemClock
from sweepstake.files.folder import FolderDrive
from sweepstake.files.shelf import Place, Shelf, job_name
from sweepstake.queue.store import Store
from sweepstake.queue.verbs.dropping import drop_jobs, sweep
from sweepstake.stores import open_engine


@attrs.frozen
class Counting(FolderDrive):
    """A folder that notes what is listed in it.

    Attributes:
        listed: the names of the folders that were listed.
    """

    listed: list[tuple[str, ...]] = attrs.field(factory=list)

    def names(self, *folder: str) -> list[str]:
        """See `Drive.names`."""
        self.listed.append(folder)
        return super().names(*folder)


@attrs.frozen
class Kept:
    """A store that keeps something of jobs that were never there.

    Attributes:
        drive: where.
        folders: the names of the experiments' folders.
    """

    store: Store
    drive: Counting
    folders: list[str]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """Forty jobs in each of three experiments."""
    url = f"sqlite:///{tmp_path}/store.db"
    drive = Counting(tmp_path / "kept")
    shelf = Shelf(drive, "store")
    for address in ("a", "b", "c"):
        for seq in range(40):
            shelf.append(Place(address, job_name(seq, 1.0), 1), 0, b"said")
    with contextlib.closing(open_engine(url)) as engine:
        yield Kept(Store(engine, SystemClock(), files=shelf), drive, [shelf.folder(each) for each in "abc"])


def test_a_folder_is_listed_once_for_all_of_its_jobs(kept: Kept) -> None:
    """And once more when they are gone; each listing takes longer the more jobs there are."""
    assert sweep(kept.store) == 120
    assert len(kept.drive.listed) == 1 + 2 * len(kept.folders)
    assert list((kept.drive.root / "store").iterdir()) == []


def test_to_forget_one_experiment_looks_into_no_other(kept: Kept) -> None:
    """Of which a store may have thousands."""
    drop_jobs(kept.store, "b")
    assert {folder[1:] for folder in kept.drive.listed} == {(kept.folders[1],)}
    assert sorted(path.name for path in (kept.drive.root / "store").iterdir()) == [kept.folders[0], kept.folders[2]]
