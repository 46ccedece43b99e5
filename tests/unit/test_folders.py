"""Folders that are one user's alone."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sweepstake.errors import UnusableFolderError
from sweepstake.folders import check_room, native, new_file, own_folder, usable, write_whole
from tests.kit.checkout import ROOT

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to others")


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_is_for_one_user(tmp_path: Path) -> None:
    """Every folder on the way; one that is there stays as it is."""
    tmp_path.chmod(0o755)
    folder = own_folder(tmp_path / "a" / "b", "c", "d")
    assert folder == tmp_path / "a" / "b" / "c" / "d"
    assert [mode(each) for each in (tmp_path, *folder.parents[:3][::-1], folder)] == [0o755, *[0o700] * 4]
    assert own_folder(tmp_path / "a" / "b", "c", "d") == folder


def test_a_root_may_be_a_link_and_nothing_below(tmp_path: Path) -> None:
    """People put their state on a larger disk; nobody has a reason to put links into it."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "state").symlink_to("disk")
    assert own_folder(tmp_path / "state", "output").resolve() == tmp_path / "disk" / "output"
    (tmp_path / "disk" / "spool").symlink_to(tmp_path)
    with pytest.raises(OSError, match="is a link"):
        own_folder(tmp_path / "state", "spool")


@needs_root
def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    """Whoever owns it could put links into it; only a shared one may be theirs, and nothing below."""
    theirs = tmp_path / "theirs"
    (theirs / "e").mkdir(parents=True)
    os.chown(theirs, 12345, 12345)
    with pytest.raises(PermissionError, match=r"another user \(number 12345\)"):
        own_folder(theirs, "mine")
    assert mode(own_folder(theirs, "mine", shared=True)) == 0o700
    os.chown(theirs / "e", 12345, 12345)
    with pytest.raises(PermissionError, match="another user"):
        own_folder(theirs, "e", shared=True)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    os.chown(link, 12345, 12345, follow_symlinks=False)
    with pytest.raises(PermissionError, match="another user"):
        own_folder(link)


def test_a_new_file_writes_over_nothing(tmp_path: Path) -> None:
    """What stands in its place is removed, not followed."""
    for name in ("link", "hard"):
        target = tmp_path / f"{name} target"
        target.write_text("precious")
        path = tmp_path / name
        path.symlink_to(target) if name == "link" else path.hardlink_to(target)
        with new_file(path) as file:
            file.write(b"mine")
        assert (target.read_text(), path.read_text(), mode(path)) == ("precious", "mine", 0o600)


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    """In the place of what was there, also of a link, which is not followed; nobody else can read it."""
    target, path = tmp_path / "target", tmp_path / "file"
    target.write_text("precious")
    path.symlink_to(target)
    for content in (b"longer than", b"short"):
        write_whole(path, content)
        assert (path.read_bytes(), path.is_symlink(), mode(path)) == (content, False, 0o600)
    assert target.read_text() == "precious"
    assert {each.name for each in tmp_path.iterdir()} - {"home"} == {"target", "file"}


def test_a_fault_names_the_folder_and_the_setting(tmp_path: Path) -> None:
    """Whoever reads it knows what to mend."""
    (tmp_path / "state").touch()
    sentence = f"{tmp_path}/state cannot be used: Not a directory; mend that, or set SWEEPSTAKE_STATE to another folder"
    with pytest.raises(UnusableFolderError) as raised, usable(tmp_path / "state", "SWEEPSTAKE_STATE"):
        own_folder(tmp_path / "state", "output")
    assert str(raised.value).startswith(sentence)


def test_a_folder_without_room_is_noticed(tmp_path: Path) -> None:
    """Making a folder or an empty file often works on a disk that is full, or over quota; writing does not."""
    limited = "import pathlib, resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    script = f"{limited}; from sweepstake.folders import check_room; check_room(pathlib.Path())"
    command = [sys.executable, "-B", "-c", script]
    ran = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False
    )
    assert b"File too large" in ran.stderr
    check_room(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]


def test_a_path_is_utf8_whatever_the_locale() -> None:
    """A file has one name, also for a worker that was started by a job scheduler."""
    assert native("/ö") == Path("/ö")
    script = "import os; from sweepstake.folders import native; print(os.fsencode(native('/\\u00f6')))"
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    ran = subprocess.run([sys.executable, "-c", script], env=ascii_only, capture_output=True, timeout=60, check=True)
    assert ran.stdout == b"b'/\\xc3\\xb6'\n"
