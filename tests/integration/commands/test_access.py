"""`sweepstake user`, `token` and `share`, on a store and through a server."""

import json
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest
import requests

import sweepstake
from sweepstake import ManualSearch
from sweepstake.errors import AuthenticationError, NotFoundError
from sweepstake.http import reset_token
from sweepstake.server.passwords import add_user
from tests.kit.lab import eventually
from tests.kit.serving import PASSWORD, Served, served
from tests.kit.shell import Command, Shell
from tests.kit.stores import open_store

ADA: Final = "ada@example.org"
BOB: Final = "bob@example.org"


def _through(server: Served, sw: Command, monkeypatch: pytest.MonkeyPatch, token: str) -> Command:
    """Return the command as a user of the server gives it."""
    monkeypatch.setenv("SWEEPSTAKE_TOKEN", token)
    return Command(server.url, sw.capture)


def test_tokens_are_made_listed_and_revoked_on_a_store(sw: Command) -> None:
    """By the operator, for any user."""
    sw("user", "add", ADA)
    made = sw("token", "create", "--email", ADA, "--role", "read", "--expires", "12h", "--name", "notebook")
    assert made.out.startswith("swr_")
    first, second = json.loads(sw("token", "list", "--format", "json").out)
    assert (first["role"], first["expires_at"], second["role"], second["name"]) == ("admin", None, "read", "notebook")
    lifetime = datetime.fromisoformat(second["expires_at"]) - datetime.fromisoformat(second["created_at"])
    assert lifetime.total_seconds() == pytest.approx(12 * 3600, abs=60)
    assert second["id"] in made.err
    assert made.out.strip() not in sw("token", "list").out
    assert "notebook" in sw("token", "list", "--email", ADA).out
    assert sw("token", "revoke", second["id"], "--force").out == f"Revoked {second['id']}.\n"
    assert "no token" in sw("token", "revoke", second["id"], "--force", code=1).err
    assert len(json.loads(sw("token", "list", "--format", "json").out)) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "create"),
        ("token", "create", "--email", ADA, "--expires", "soon"),
        ("token", "create", "--email", ADA, "--expires", "0d"),
        ("share", "e", "--revoke"),
        ("share", "e", ADA, "--revoke", "--owner"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(sw: Command, arguments: tuple[str, ...]) -> None:
    """Before anything is opened for it."""
    sw(*arguments, code=2)


def test_a_user_is_removed_and_somebody_inherits(sw: Command) -> None:
    """Experiments never become nobody's by that."""
    for email in (ADA, BOB):
        sw("user", "add", email)
    sw("add", "e", "manual")
    assert sw("share", "e").out == "It is everybody's.\n"
    sw("share", "e", ADA, "--owner")
    assert "experiments, such as 'e'" in sw("user", "remove", ADA, "--force", code=1).err
    assert "another user" in sw("user", "remove", ADA, "--force", "--heir", ADA, code=1).err
    sw("user", "remove", ADA, "--force", "--heir", BOB)
    assert sw("user", "list").out == f"{BOB}\n"
    assert json.loads(sw("share", "e", "--format", "json").out) == {"owner": BOB, "shares": []}


def test_a_password_is_changed(shell: Shell, tmp_path: Path) -> None:
    """While the server runs; the old one opens no more."""
    new = tmp_path / "new"
    new.write_text("another password\n")
    with served(shell.url) as server:
        with new.open() as file:
            process = shell.start("user", "passwd", ADA, "--password-stdin", stdin=file)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        with pytest.raises(AuthenticationError):
            reset_token(server.url, ADA, PASSWORD)
        assert reset_token(server.url, ADA, "another password").startswith("sws_")


def test_users_share_and_make_tokens_through_a_server(
    sw: Command, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their own, as far as their tokens allow."""
    with served(url) as server:
        store = open_store(url)
        bobs = add_user(store, BOB)
        store.close()
        ada = _through(server, sw, monkeypatch, server.token)
        ada("add", "e", "manual")
        made = ada("token", "create", "--role", "work", "--name", "cluster").out.strip()
        bob = sweepstake.connect(server.url, bobs)
        with pytest.raises(NotFoundError):
            bob.get_experiment("e")
        shown = ada("share", "e", BOB, "--role", "work", "--format", "json").out
        assert json.loads(shown) == {"owner": ADA, "shares": [{"email": BOB, "role": "work"}]}
        assert BOB in ada("share", "e").out
        bob.get_experiment("e").add_job({"x": 1})
        with pytest.raises(AuthenticationError, match="shared with you in the role work"):
            bob.get_experiment("e").delete()
        assert "no user" in ada("share", "e", "eve@example.org", code=1).err
        assert BOB not in ada("share", "e", BOB, "--revoke").out
        with pytest.raises(NotFoundError):
            bob.get_experiment("e")
        bob.close()
        with sweepstake.connect(server.url, made) as cluster:
            with cluster.get_experiment("e").next_job() as job:
                job.results["y"] = 1
            with pytest.raises(AuthenticationError, match="this needs admin"):
                cluster.add_experiment(ManualSearch("f"))
        ids = {each["name"]: each["id"] for each in json.loads(ada("token", "list", "--format", "json").out)}
        ada("token", "revoke", ids["cluster"], "--force")
        with sweepstake.connect(server.url, made) as cluster, pytest.raises(AuthenticationError, match="revoked"):
            cluster.get_experiment("e")


def test_the_key_that_signs_is_changed_while_the_server_runs(shell: Shell, tmp_path: Path) -> None:
    """What was signed ends within seconds; API tokens stay, and what is signed then opens."""
    with served(shell.url) as server:
        experiments = f"{server.url}/api/v1/experiments/"

        def log_in() -> str:
            body = {"email": ADA, "token": server.token}
            return str(requests.post(f"{server.url}/api/v1/token/", json=body, timeout=30).json()["token"])

        def status(token: str) -> int:
            return requests.get(experiments, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code

        before = log_in()
        secret = tmp_path / "store.db-key"
        kept = secret.read_text()
        assert (status(before), secret.stat().st_mode & 0o777) == (200, 0o600)
        assert str(secret) in shell.run("token", "rotate-keys", "--force").stdout
        assert secret.read_text() != kept
        eventually(lambda: status(before) == 403)
        assert [status(token) for token in (server.token, log_in())] == [200, 200]
        told = Shell(shell.url, {"SWEEPSTAKE_SIGNING_KEY": "k" * 40}).run("token", "rotate-keys", "--force").stdout
        assert "SWEEPSTAKE_SIGNING_KEY" in told
        assert "in the server's store" in Shell(server.url).run("token", "rotate-keys", "--force", code=2).stderr


def test_revoking_names_what_ends_with_it(sw: Command, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the server, before it asks, and afterwards."""
    with served(url) as server:
        ada = _through(server, sw, monkeypatch, server.token)
        middle = ada("token", "create", "--role", "admin", "--name", "middle")
        below = _through(server, sw, monkeypatch, middle.out.strip())("token", "create", "--name", "below")
        ids = [each.err.split()[3].rstrip(",") for each in (middle, below)]
        monkeypatch.setenv("SWEEPSTAKE_TOKEN", server.token)
        listed = {each["id"]: each["made_with"] for each in json.loads(ada("token", "list", "--format", "json").out)}
        assert listed[ids[1]] == ids[0]
        assert ada("token", "revoke", ids[0], "--force").out == f"Revoked {ids[0]} and {ids[1]}.\n"
        assert not set(ids) & {each["id"] for each in json.loads(ada("token", "list", "--format", "json").out)}
