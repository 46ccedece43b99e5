"""Where settings come from, and which of them wins."""

import stat
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from sweepstake.config import SETTINGS, read_config, write_config
from sweepstake.errors import ConfigurationError


def test_arguments_win_over_environment_over_file_over_default(tmp_path: Path) -> None:
    """Each source is used only where those above it say nothing."""
    file = tmp_path / "config.toml"
    file.write_text('url = "sqlite:////of-file"\ntoken = "of-file"\n')
    environment = {"SWEEPSTAKE_URL": "sqlite:////of-environment", "SWEEPSTAKE_CONFIG": str(file)}
    assert read_config("sqlite:////mine", environment=environment).url == "sqlite:////mine"
    config = read_config(environment=environment)
    assert (config.url, config.token) == ("sqlite:////of-environment", "of-file")
    assert read_config(config=file, environment={}).url == "sqlite:////of-file"
    assert read_config(environment={}).url.startswith("sqlite:////")


def test_what_is_written_is_read_back_and_private(tmp_path: Path) -> None:
    """A token is kept for its owner's eyes, even over a file that was open to others."""
    file = tmp_path / "deep" / "config.toml"
    write_config("http://h/", "old", file)
    file.chmod(0o644)
    write_config('http://h/"quoted"\\', "töken", file)
    config = read_config(config=file, environment={})
    assert (config.url, config.token) == ('http://h/"quoted"\\', "töken")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_token_is_never_shown(tmp_path: Path) -> None:
    """The repr, which may end in a log, has no secret in it."""
    assert "s3cret" not in repr(read_config("http://h/", "s3cret", environment={}))


@pytest.mark.parametrize(
    "content, complaint",
    [("url = 7", "url: must be text"), ("colour = 'red'", "colour: is not a setting"), ("url =", "cannot be read")],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, content: str, complaint: str) -> None:
    """The error names the file and the key."""
    file = tmp_path / "config.toml"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        read_config(config=file, environment={})
    assert str(file) in str(caught.value)


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    """A typing mistake in a path does not end in the default store."""
    with pytest.raises(ConfigurationError, match="there is no configuration file"):
        read_config(environment={"SWEEPSTAKE_CONFIG": str(tmp_path / "nowhere.toml")})


@pytest.mark.parametrize("wrong", [{"url": ""}, {"token": ""}])
def test_what_is_named_must_not_be_empty(wrong: dict[str, str]) -> None:
    """An empty shell variable does not silently end in the default store."""
    with pytest.raises(ConfigurationError, match="is empty"):
        read_config(**wrong, environment={})


def test_every_setting_is_explained() -> None:
    """The reference page is made of these sentences."""
    assert all(name.startswith("SWEEPSTAKE_") and text for name, text in SETTINGS.items())


def test_a_new_token_leaves_the_other_settings(tmp_path: Path) -> None:
    """Checkpoints are looked for where they were; nothing else is left in the folder."""
    (tmp_path / "settings").mkdir()
    file = tmp_path / "settings" / "config.toml"
    file.write_text('checkpoints = "/shared/ö😀"\nurl = "http://old/"\n', encoding="utf-8")
    write_config("http://h/", "t", file)
    config = read_config(config=file, environment={})
    assert (config.url, config.token, str(config.checkpoints)) == ("http://h/", "t", "/shared/ö😀")
    assert list(file.parent.iterdir()) == [file]


def test_relative_paths_of_a_file_are_meant_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the process is; `~` is the home folder, also of somebody else's choice of one."""
    monkeypatch.setenv("HOME", "/the/ho me")
    file = tmp_path / "se ttings" / "config.toml"
    file.parent.mkdir()
    file.write_text('checkpoints = "below/it"\nurl = "sqlite:///../st%20ore.db"\n')
    config = read_config(config=file, environment={})
    assert config.checkpoints == file.parent / "below" / "it"
    assert unquote(config.url) == f"sqlite:///{file.parent}/../st ore.db"
    file.write_text('checkpoints = "~/it"\nurl = "sqlite:///~/store.db"\n')
    config = read_config(config=file, environment={"SWEEPSTAKE_STATE": "~/state"})
    assert (config.checkpoints, config.state) == (Path("/the/ho me/it"), Path("/the/ho me/state"))
    assert config.url == "sqlite:////the/ho%20me/store.db"


def test_a_home_that_nobody_has_is_no_folder(tmp_path: Path) -> None:
    """A slip in a user's name does not end in a folder called `~nobody`."""
    with pytest.raises(ConfigurationError, match="SWEEPSTAKE_STATE: '~no-such-user/x' names no home"):
        read_config(environment={"SWEEPSTAKE_STATE": "~no-such-user/x"})
    with pytest.raises(ConfigurationError, match="url: '~no-such-user' names no home"):
        read_config("sqlite:///~no-such-user/x", environment={"SWEEPSTAKE_STATE": str(tmp_path)})


def test_what_is_started_here_finds_everything_where_it_is(tmp_path: Path) -> None:
    """A command that goes elsewhere, or has other settings, uses the same store, files and folders."""
    file = tmp_path / "config.toml"
    file.touch()
    given = {"SWEEPSTAKE_STATE": str(tmp_path), "SWEEPSTAKE_CONFIG": str(file)}
    config = read_config("sqlite:///store.db", "t", environment=given)
    assert config.environment() == {
        "SWEEPSTAKE_URL": f"sqlite:///{quote(str(Path.cwd()))}/store.db",
        "SWEEPSTAKE_STATE": str(tmp_path),
        "SWEEPSTAKE_CHECKPOINTS": str(tmp_path / "checkpoints"),
        "SWEEPSTAKE_TOKEN": "t",
        "SWEEPSTAKE_CONFIG": str(file),
    }
