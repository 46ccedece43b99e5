"""Whose tasks a worker runs: two users of a real server, each with a machine of his own."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import frozen

from tests.kit.serving import EMAIL, add_user, start_server
from tests.kit.shell import Shell

BOB = "bob@example.org"
WORKER = ("worker", "--no-container", "--slots", "cpus=1,gpus=0", "--idle", "0")


@frozen
class Users:
    """Two users at one server, who share nothing else."""

    ada: Shell
    bob: Shell
    folder: Path

    def submit(self, who: Shell, name: str) -> None:
        """Queue one job that leaves a file, whose name is that of the experiment."""
        spec = self.folder / f"{name}.yaml"
        spec.write_text(
            "tasks:\n- name: main\n  image: {docker: tiny}\n"
            f"  command: [touch, '{self.folder}/{name}.ran']\n  arguments: []\n"
        )
        assert who.run("submit", str(spec)).stdout.splitlines()[-1] == name

    def ran(self) -> set[str]:
        """Return the experiments of which a job has run."""
        return {path.stem for path in self.folder.glob("*.ran")}


@pytest.fixture
def users(tmp_path: Path) -> Iterator[Users]:
    """A server over a new file, with Ada, and Bob, who shares an experiment with her."""
    store = f"sqlite:///{tmp_path}/store.db"
    tokens = {email: add_user(store, email) for email in (EMAIL, BOB)}
    server = start_server(store, "", HOME=str(tmp_path))
    shells = []
    for email, token in tokens.items():
        home = tmp_path / email
        home.mkdir()
        shells.append(Shell(server.url, {"HOME": str(home), "SWEEPSTAKE_TOKEN": token, "XDG_DATA_HOME": str(home)}))
    ada, bob = shells
    with closing(ada), closing(bob):
        made = Users(ada, bob, tmp_path)
        made.submit(bob, "his")
        bob.run("share", "his", EMAIL, "--role", "admin")
        yield made
        server.stop()


def test_nobodys_share_makes_a_machine_run_his_command(users: Users) -> None:
    """A worker runs its own user's experiments alone, and says whose it passes over; others when it is told to."""
    users.submit(users.ada, "hers")
    told = users.ada.run(*WORKER).stderr
    assert users.ran() == {"hers"}
    assert (
        f"experiments of {BOB} are passed over, such as his: their tasks run here only where they are named, or with "
        f"--trust {BOB}"
    ) in told
    assert "jobs run: 1 done" in users.ada.run(*WORKER, "--trust", BOB).stderr
    assert users.ran() == {"hers", "his"}


def test_an_experiment_is_run_that_is_named_and_a_share_for_work_changes_no_command(users: Users) -> None:
    """Whoever names it has decided that. Whoever may work adds hyperparameters alone, and no spec."""
    users.submit(users.ada, "hers")
    users.ada.run("worker", f"{BOB}/his", *WORKER[1:])
    assert users.ran() == {"his"}
    users.bob.run("share", "his", EMAIL, "--role", "work")
    spec = str(users.folder / "hers.yaml")
    refused = users.ada.run("submit", spec, "--name", f"{BOB}/his", "--update", code=1)
    assert "shared with you in the role work, and this needs admin" in refused.stderr
    users.ada.run("push", f"{BOB}/his", "-p", "lr", "1")


def test_on_a_file_every_experiment_is_ones_own(users: Users) -> None:
    """Also those that users of a server have made in it: whoever works on its file is not one of them."""
    users.submit(users.ada, "hers")
    with closing(Shell(f"sqlite:///{users.folder}/store.db", {"HOME": str(users.folder)})) as owner:
        told = owner.run(*WORKER).stderr
    assert users.ran() == {"hers", "his"}
    assert "passed over" not in told
