"""The secret beside the store."""

import multiprocessing
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sweepstake.config import Config, read_config
from sweepstake.errors import ConfigurationError
from sweepstake.queue.verbs.access.tokens import signing_salt
from sweepstake.server.keys import SecretPlace, prepare
from sweepstake.stores import open_upkeep
from tests.kit.stores import open_store


def config(tmp_path: Path, **environment: str) -> Config:
    """Return the settings of a server."""
    names = {f"SWEEPSTAKE_{name}": value for name, value in environment.items()}
    return read_config(environment={"SWEEPSTAKE_STATE": str(tmp_path / "state"), "HOME": str(tmp_path), **names})


def test_a_secret_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    """Beside a SQLite file, where a link to it leads, or in the state folder; only its owner can read it."""
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "store.db")
    for url, file in (
        (f"sqlite:///{tmp_path}/store.db", "store.db-key"),
        (f"sqlite:///{tmp_path}/link.db", "real/store.db-key"),
        ("postgresql://me@host/base", "state/signing-key"),
    ):
        place = SecretPlace.of(url, config(tmp_path))
        secret = place.secret()
        assert (place.path, place.path.stat().st_mode & 0o777) == (tmp_path / file, 0o600)
        assert (len(secret), SecretPlace.of(url, config(tmp_path)).secret()) == (64, secret)
        assert place.replace()
        assert place.secret() != secret
        assert [each.name for each in place.path.parent.iterdir() if each.name.startswith(".")] == []


def _secret(path: Path, barrier: Any, answers: Any) -> None:
    barrier.wait()
    answers.put(SecretPlace(path).secret())


def test_servers_that_start_at_once_agree(tmp_path: Path) -> None:
    """Whoever comes first makes the secret."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(4), context.Queue()
    processes = [context.Process(target=_secret, args=(tmp_path / "key", barrier, answers)) for _ in range(4)]
    for process in processes:
        process.start()
    found = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(60)
    assert len(found) == 1


def test_a_secret_of_the_environment_is_taken_as_it_is(tmp_path: Path) -> None:
    """By several servers over one database; no file is made, and a short one is refused without being told."""
    url = f"sqlite:///{tmp_path}/store.db"
    place = SecretPlace.of(url, config(tmp_path, SIGNING_KEY="s" * 32))
    assert (place.secret(), place.replace(), place.path.exists()) == ("s" * 32, False, False)
    assert "s" * 32 not in repr(place) + repr(config(tmp_path, SIGNING_KEY="s" * 32))
    with pytest.raises(ConfigurationError, match="32 characters") as caught:
        SecretPlace.of(url, config(tmp_path, SIGNING_KEY="short secret"))
    assert "short secret" not in str(caught.value)


def test_a_server_that_lost_its_secret_is_told(tmp_path: Path) -> None:
    """Not at its first start, and not when the secret is there."""
    url = f"sqlite:///{tmp_path}/store.db"
    place = SecretPlace.of(url, config(tmp_path))
    with closing(open_store(url)) as store:
        assert [prepare(store, place) for _ in range(2)] == [False, False]
        place.path.unlink()
        assert [prepare(store, place) for _ in range(2)] == [True, False]
        place.path.unlink()
        assert not prepare(store, SecretPlace.of(url, config(tmp_path, SIGNING_KEY="s" * 32)))


@pytest.mark.parametrize("kind", ["link", "dangling", "readable", "folder", "pipe", "empty"])
def test_a_file_that_others_could_have_made_or_read_is_refused(tmp_path: Path, kind: str) -> None:
    """Nor is it written over; the error names the file and what to do."""
    path, elsewhere = tmp_path / "key", tmp_path / "elsewhere"
    if kind == "link":
        elsewhere.write_text("s" * 64)
        elsewhere.chmod(0o600)
    if kind in ("link", "dangling"):
        path.symlink_to(elsewhere)
    elif kind == "folder":
        path.mkdir(mode=0o700)
    elif kind == "pipe":
        os.mkfifo(path, 0o600)
    else:
        path.write_text("s" * 64 if kind == "readable" else "")
        path.chmod(0o640 if kind == "readable" else 0o600)
    for act in (SecretPlace(path).secret, SecretPlace(path).replace):
        with pytest.raises(ConfigurationError, match="SWEEPSTAKE_SIGNING_KEY") as caught:
            act()
        assert str(path) in str(caught.value)
    assert kind != "dangling" or not elsewhere.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    """Root trusts whoever owns the folder, whose the store is, and leaves the file with its owner."""
    path = tmp_path / "key"
    path.write_text("s" * 64)
    path.chmod(0o600)
    os.chown(path, 1234, 1234)
    with pytest.raises(ConfigurationError, match="another user"):
        SecretPlace(path).secret()
    os.chown(tmp_path, 1234, 1234)
    assert SecretPlace(path).secret() == "s" * 64
    assert SecretPlace(path).replace()
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (1234, 0o600)


def test_neither_the_store_nor_its_copies_hold_the_secret(tmp_path: Path) -> None:
    """A backup is the store alone."""
    url = f"sqlite:///{tmp_path}/store.db"
    secret = SecretPlace.of(url, config(tmp_path)).secret()
    with closing(open_store(url)) as store:
        signing_salt(store, "5" * 32)
    copies = tmp_path / "copies"
    copies.mkdir()
    open_upkeep(url).back_up(copies / "copy.db", lambda _done, _all: None)
    assert [each.name for each in copies.iterdir()] == ["copy.db"]
    for path in (tmp_path / "store.db", copies / "copy.db"):
        assert secret.encode() not in path.read_bytes()
