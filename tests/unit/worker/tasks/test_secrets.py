"""Secrets of this machine."""

import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from sweepstake.errors import ConfigurationError, InvalidInputError
from sweepstake.worker.tasks.secrets import Secrets, secrets_file, set_secret


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of secrets that is not there yet."""
    return secrets_file(tmp_path / "folder" / "config.toml")


def test_a_secret_that_was_set_is_found(file: Path) -> None:
    """Only this user can read the file, and it holds any text."""
    set_secret(file, "hf-token", 'a "b"\n\\ü\x7f')
    set_secret(file, "other.1", "x")
    assert Secrets(file, {}).find("hf-token") == 'a "b"\n\\ü\x7f'
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_secret_is_replaced_and_removed(file: Path) -> None:
    """The others stay."""
    set_secret(file, "a", "1")
    set_secret(file, "b", "2")
    set_secret(file, "a", "3")
    set_secret(file, "b", None)
    assert Secrets(file, {}).find("a") == "3"
    with pytest.raises(ConfigurationError, match="the secret 'b' is not on this machine; `sweepstake secret set b`"):
        Secrets(file, {}).find("b")


def test_the_environment_comes_first(file: Path) -> None:
    """By the secret's name, or as variables are usually spelled; no other variable can be named."""
    set_secret(file, "hf-token", "file")
    assert Secrets(file, {"SWEEPSTAKE_SECRET_hf-token": "exact"}).find("hf-token") == "exact"
    assert Secrets(file, {"SWEEPSTAKE_SECRET_HF_TOKEN": "usual"}).find("hf-token") == "usual"
    with pytest.raises(ConfigurationError):
        Secrets(file, {"AWS_KEY": "x"}).find("AWS_KEY")


def test_a_file_that_others_can_read_is_refused(file: Path) -> None:
    """With the remedy, and nothing of what it holds."""
    set_secret(file, "a", "hidden-text")
    file.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600") as raised:
        Secrets(file, {}).find("a")
    assert "hidden-text" not in str(raised.value)


@pytest.mark.parametrize("content", ['a = "hidden', "a = 5", "[a]\nb = 'hidden'", b"\xff"])
def test_a_file_that_cannot_be_read_shows_nothing(file: Path, content: str | bytes) -> None:
    """A parser's message would hold a part of it."""
    file.parent.mkdir()
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="must be lines of NAME") as raised:
        Secrets(file, {}).find("a")
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("name", ["", "a b", "a=b", "ü", "a\n"])
def test_a_wrong_name_is_refused(file: Path, name: str) -> None:
    """Nothing is written."""
    with pytest.raises(InvalidInputError, match="letters, digits"):
        set_secret(file, name, "x")
    assert not file.exists()


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_a_value_that_is_no_text_is_refused(file: Path, value: str) -> None:
    """No variable could hold it."""
    with pytest.raises(InvalidInputError, match="value: must be text, without NUL characters"):
        set_secret(file, "name", value)
    assert not file.exists()


class Shelf(KeyringBackend):
    """A keyring of a desktop, which is not locked."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's own is untyped
        self.passwords: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """Return a password that was set."""
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a password."""
        self.passwords[service, username] = password


class Locked(Shelf):
    """A keyring that nobody unlocks."""

    def get_password(self, service: str, username: str) -> str | None:
        """Ask in vain."""
        raise KeyringLocked("locked")


@pytest.fixture
def used() -> Iterator[None]:
    """Leave the keyring that was there."""
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("used")
def test_a_keyring_is_asked_last(file: Path) -> None:
    """For what `keyring set sweepstake NAME` has put there; a file's is found before."""
    keyring.set_keyring(Shelf())
    keyring.set_password("sweepstake", "hf-token", "kept there")
    keyring.set_password("elsewhere", "other", "no")
    assert Secrets(file, {}).find("hf-token") == "kept there"
    set_secret(file, "hf-token", "file")
    assert Secrets(file, {}).find("hf-token") == "file"
    with pytest.raises(ConfigurationError, match="is not on this machine"):
        Secrets(file, {}).find("other")


@pytest.mark.usefixtures("used")
def test_a_keyring_that_cannot_be_asked_has_nothing(file: Path) -> None:
    """The secret is missed, and where to put it is said."""
    keyring.set_keyring(Locked())
    with pytest.raises(ConfigurationError, match="`sweepstake secret set hf-token` puts it there"):
        Secrets(file, {}).find("hf-token")
