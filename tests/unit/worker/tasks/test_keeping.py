"""Results, kept while they change and at the end."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sweepstake.worker.tasks.keeping import FolderShelf, KeptFile, Manifest, keeping
from tests.kit.lab import eventually


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which a task leaves results."""
    made = tmp_path / "results"
    made.mkdir()
    return made


def manifest(shelf: Path) -> Mapping[str, Any]:
    """Return what a shelf says; nothing before it does."""
    path = shelf / "manifest.json"
    found: Mapping[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def kept(shelf: Path) -> dict[str, str]:
    """Return all files of a shelf, after comparing them with its manifest."""
    for file in manifest(shelf)["files"]:
        content = (shelf / "files" / file["path"]).read_bytes()
        assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    found = {str(path.relative_to(shelf / "files")): path for path in (shelf / "files").rglob("*") if path.is_file()}
    assert sorted(found) == [file["path"] for file in manifest(shelf)["files"]]
    return {name: path.read_text() for name, path in found.items()}


def test_all_is_kept_at_the_end(folder: Path, tmp_path: Path) -> None:
    """With folders below folders, and empty files."""
    with keeping(folder, FolderShelf(tmp_path / "shelf")):
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a" / "b" / "c.txt").write_text("c")
        (folder / "empty").touch()
    assert kept(tmp_path / "shelf") == {"a/b/c.txt": "c", "empty": ""}
    assert manifest(tmp_path / "shelf")["complete"]


def test_what_changes_is_kept_on_the_way(folder: Path, tmp_path: Path) -> None:
    """A file that grows, one that is replaced, and one that goes."""
    shelf = tmp_path / "shelf"
    with keeping(folder, FolderShelf(shelf), interval=0.02):
        (folder / "x").write_text("1")
        (folder / "y").write_text("1")
        eventually(lambda: len(manifest(shelf).get("files", ())) == 2 or None)
        assert not manifest(shelf)["complete"]
        (folder / "x").write_text("12")
        (folder / "z").write_text("3")
        (folder / "z").replace(folder / "y")
        eventually(lambda: (shelf / "files" / "y").read_text() == "3" or None)
        (folder / "y").unlink()
    assert kept(shelf) == {"x": "12"}


def test_an_attempt_that_dies_leaves_what_was_kept(folder: Path, tmp_path: Path) -> None:
    """The block is left by an error of any kind."""
    with pytest.raises(KeyError), keeping(folder, FolderShelf(tmp_path / "shelf")):
        (folder / "x").write_text("1")
        raise KeyError
    assert kept(tmp_path / "shelf") == {"x": "1"}


def test_links_lead_nowhere(folder: Path, tmp_path: Path) -> None:
    """Neither files nor folders that are links are followed; a pipe is not read."""
    (tmp_path / "secret").write_text("hidden")
    with keeping(folder, FolderShelf(tmp_path / "shelf")):
        (folder / "file").symlink_to(tmp_path / "secret")
        (folder / "folder").symlink_to(tmp_path)
        os.mkfifo(folder / "pipe")
    assert kept(tmp_path / "shelf") == {}
    assert manifest(tmp_path / "shelf")["leftOut"] == {"file": "a link", "folder": "a link", "pipe": "no file"}


def test_what_has_not_changed_is_not_kept_again(folder: Path) -> None:
    """Large results are copied once."""

    class Counting:
        def __init__(self) -> None:
            self.put_paths: list[str] = []
            self.listed: list[Manifest] = []

        def put(self, path: str, content: Any) -> KeptFile:
            self.put_paths.append(path)
            return KeptFile(path, len(content.read()), "")

        def list(self, manifest: Manifest) -> None:
            self.listed.append(manifest)

    shelf = Counting()
    (folder / "x").write_text("1")
    with keeping(folder, shelf, interval=0.01):
        eventually(lambda: shelf.listed or None)
        (folder / "y").write_text("2")
    assert shelf.put_paths == ["x", "y"]
    assert [each.complete for each in shelf.listed][-1]


def test_a_shelf_without_room_is_told_at_the_end(folder: Path) -> None:
    """On the way it is only noted, as there may be room again."""

    class Full:
        def put(self, path: str, content: Any) -> KeptFile:
            raise OSError(28, "No space left on device", path)

        def list(self, manifest: Manifest) -> None:
            raise AssertionError

    (folder / "x").write_text("1")
    with pytest.raises(OSError, match="No space left"), keeping(folder, Full(), interval=0.01):
        pass
