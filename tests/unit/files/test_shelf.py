"""Where files are kept, and what is told where they cannot be."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sweepstake.domain.files import KeptFile, Span
from sweepstake.errors import ClientRequestError, InvalidInputError, MissingExtraError, UnusableFolderError
from sweepstake.files import Shelf, open_shelf
from sweepstake.files.folder import FolderDrive
from sweepstake.files.remote import RemoteDrive
from sweepstake.files.shelf import Drive, Place, job_name
from tests.kit.checkout import ROOT
from tests.kit.lab import WAIT_SECONDS

PLACE = Place("e/../x", job_name(7, 1.5), 2)
CONTENT = b"content"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["folder", "fsspec"])
def drive(request: pytest.FixtureRequest, tmp_path: Path) -> Drive:
    """Both kinds of places, in a folder."""
    root = tmp_path / "kept"
    makers: dict[str, Callable[[], Drive]] = {
        "folder": lambda: FolderDrive(root),
        "fsspec": lambda: RemoteDrive(f"file://{root}"),
    }
    return makers[request.param]()


def test_what_is_appended_in_small_pieces_is_read_in_any(drive: Drive) -> None:
    """However the place divides it."""
    whole = bytes(range(200))
    for at in range(0, 200, 7):
        drive.append(at, whole[at : at + 7], "a", "log")
    assert drive.size("a", "log") == 200
    assert drive.read(3, 150, "a", "log") == whole[3:153]
    assert drive.read(190, 100, "a", "log") == whole[190:]
    assert drive.read(200, 1, "a", "log") == b""


def test_what_is_not_there_has_no_size_and_no_names(drive: Drive) -> None:
    """Removing it is no error."""
    assert drive.size("a", "b") is None
    assert drive.names("a") == []
    drive.remove("a")


def test_what_is_moved_or_replaced_is_whole(drive: Drive) -> None:
    """And nothing is left where it was."""
    drive.append(0, b"x", "parts", "c")
    drive.move(("parts", "c"), ("whole", "c"))
    assert (drive.size("parts", "c"), drive.read(0, 9, "whole", "c")) == (None, b"x")
    for text in (b"longer text", b"short"):
        drive.replace(text, "m")
        assert drive.read(0, 99, "m") == text
        assert drive.size("m") == len(text)


def test_two_replace_something_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of a server do, when a call is made again while the first is still about it."""
    drive = FolderDrive(tmp_path / "kept")
    drive.replace(b"before", "m")
    both, sync = threading.Barrier(2, timeout=WAIT_SECONDS), os.fsync

    def slow(descriptor: int) -> None:
        both.wait()
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    texts = [b"1" * 10_000, b"2" * 20_000]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda text: drive.replace(text, "m"), texts))
    assert (tmp_path / "kept/m").read_bytes() in texts
    assert drive.names() == ["m"]


def test_a_full_disk_leaves_what_was_there_and_no_draft(tmp_path: Path) -> None:
    """Else each try would leave less room."""
    FolderDrive(tmp_path / "kept").replace(b"before", "m")
    script = (
        "import pathlib, resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "from sweepstake.files.folder import FolderDrive\n"
        "FolderDrive(pathlib.Path('kept').resolve()).replace(b'x' * 99, 'm')"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-B", "-c", script]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=WAIT_SECONDS, check=False)
    assert b"File too large" in ran.stderr
    assert FolderDrive(tmp_path / "kept").names() == ["m"]
    assert (tmp_path / "kept/m").read_text() == "before"


def test_no_name_of_a_users_leads_out(drive: Drive, tmp_path: Path) -> None:
    """Neither that of an experiment, nor a path in a manifest."""
    shelf = Shelf(drive, "../store")
    shelf.put(PLACE, DIGEST, len(CONTENT), 0, CONTENT)
    shelf.list(PLACE, [KeptFile(path="x", size=len(CONTENT), sha256=DIGEST)], shelf.manifest(PLACE))
    assert {path.name for path in tmp_path.iterdir()} - {"home"} == {"kept"}
    assert shelf.read(PLACE, DIGEST, Span()).content == CONTENT


def test_jobs_of_experiments_of_equal_names_are_apart(drive: Drive) -> None:
    """And so are those of two stores in one place; what one removes the other keeps."""
    places = [
        (store, Place(address, job_name(1, 2.0), 1)) for store in ("one", "two") for address in ("a", "\x1fb\x1fa")
    ]
    for store, place in places:
        Shelf(drive, store).append(place, 0, f"{store} {place.address}".encode())
    Shelf(drive, "one").drop_job(places[0][1])
    found = [Shelf(drive, store).log(place, Span()).content.decode() for store, place in places]
    assert found == ["", *(f"{store} {place.address}" for store, place in places[1:])]
    assert len(list(Shelf(drive, "two").jobs())) == 2


def test_a_link_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    """Somebody could have put it there, to be given what is kept."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "kept").mkdir()
    shelf = Shelf(FolderDrive(tmp_path / "kept"), "store")
    (tmp_path / "kept/store").symlink_to(elsewhere)
    with pytest.raises(UnusableFolderError, match="link"):
        shelf.put(PLACE, DIGEST, len(CONTENT), 0, CONTENT)
    assert list(elsewhere.iterdir()) == []


def test_a_content_that_was_changed_on_the_disk_is_found_out(drive: Drive) -> None:
    """When it is whole; then it can be put again."""
    shelf = Shelf(drive, "store")
    assert shelf.put(PLACE, DIGEST, len(CONTENT), 0, b"wrong") == 5
    with pytest.raises(InvalidInputError, match="sha256"):
        shelf.put(PLACE, DIGEST, len(CONTENT), 5, CONTENT[5:])
    assert shelf.put(PLACE, DIGEST, len(CONTENT), 0, CONTENT) == len(CONTENT)


def test_a_database_that_is_beside_no_folder_says_so() -> None:
    """Before anything is kept, and what to do; what is deleted needs no files."""
    shelf = open_shelf("postgresql://host/base", "store", None)
    with pytest.raises(ClientRequestError, match="SWEEPSTAKE_FILES"):
        shelf.check()
    shelf.drop_job(PLACE)
    assert list(shelf.jobs()) == []


def test_a_place_may_be_named(tmp_path: Path) -> None:
    """A folder, or a URL; what fsspec lacks for it is told."""
    open_shelf("postgresql://host/base", "store", str(tmp_path)).check()
    open_shelf("postgresql://host/base", "store", "memory://kept").check()
    with pytest.raises(MissingExtraError):
        open_shelf("postgresql://host/base", "store", "gs://bucket/kept")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With the setting that names another."""
    tmp_path.chmod(0o500)
    with pytest.raises(UnusableFolderError, match="SWEEPSTAKE_FILES"):
        Shelf(FolderDrive(tmp_path / "kept"), "store").append(PLACE, 0, b"x")
