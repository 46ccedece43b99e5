"""What runs on somebody's machine is said by whoever may administrate the experiment, and by nobody with less."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import attrs
import pytest
import requests

from sweepstake.domain.access import Role
from sweepstake.domain.addresses import exact
from sweepstake.domain.records import ABSENT, ExperimentDraft, SearchDefinition
from sweepstake.queue.verbs.access.tokens import create_token
from sweepstake.server.passwords import add_user
from tests.kit.lab import new_key, spec
from tests.kit.serving import start_server
from tests.kit.stores import Kept, open_store

MAIN: Final = {"name": "main", "command": ["python", "train.py", "--lr={lr}"]}
LARGE: Final = {"name": "large", "resources": {"gpuCount": 8}}
EVIL: Final = {"version": "v2", "tasks": [{"name": "main", "image": {"docker": "tiny"}, "command": ["evil"]}]}


@attrs.frozen
class Door:
    """A server, an experiment with a spec and a job `ours` of its task `main`, and those who may come in.

    Attributes:
        tokens: of the guests, by the role of their share.
    """

    url: str
    store: Kept
    name: str
    tokens: dict[Role, str]

    def ask(self, role: Role, method: str, path: str, body: Any) -> requests.Response:
        """Ask something of the experiment as a guest."""
        return requests.request(
            method,
            f"{self.url}/api/v1/experiments/{self.name}/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.tokens[role]}"},
            timeout=30,
        )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Kept]]:
    """A server over SQLite, and its store."""
    url = f"sqlite:///{tmp_path_factory.mktemp('house') / 'store.db'}"
    with closing(open_store(url)) as store:
        add_user(store, "somebody@example.org")
        server = start_server(url, "")
        yield server.url, store
        server.stop()


@pytest.fixture
def door(house: tuple[str, Kept]) -> Door:
    """A new experiment, and new guests."""
    url, store = house
    name = new_key()
    owner = f"owner-{name}@example.org"
    add_user(store, owner)
    wanted = ExperimentDraft(search=SearchDefinition("Manual"), owner=owner)
    store.put_experiment(name, wanted, guard=ABSENT, key=new_key())
    store.put_spec(name, spec(MAIN, LARGE))
    tokens = {}
    for role in Role:
        tokens[role] = add_user(store, f"{role}-{name}@example.org")
        store.share(name, f"{role}-{name}@example.org", role)
    made = Door(url, store, name, tokens)
    assert made.ask(Role.ADMIN, "PUT", "jobs/ours/", {"status": "QUEUED"}).status_code == 201
    return made


@pytest.mark.parametrize("role", Role)
def test_only_an_admin_stores_a_spec(door: Door, role: Role) -> None:
    """Whoever may work adds hyperparameters, and changes no command."""
    answer = door.ask(role, "POST", "specs/", {"text": "", "document": EVIL})
    assert answer.status_code == (201 if role is Role.ADMIN else 403), answer.text
    assert door.store.get_spec(exact(door.name)).version == (2 if role is Role.ADMIN else 1)


def test_a_token_for_work_stores_no_spec(door: Door) -> None:
    """Nor does one that its owner has given less than he may."""
    token, _ = create_token(door.store, f"owner-{door.name}@example.org", role=Role.WORK)
    owner = attrs.evolve(door, tokens={Role.WORK: token})
    assert owner.ask(Role.WORK, "POST", "specs/", {"text": "", "document": EVIL}).status_code == 403
    assert owner.ask(Role.WORK, "POST", "jobs/", {"task": "main"}).status_code == 201


@pytest.mark.parametrize("role", [Role.WORK, Role.ADMIN])
@pytest.mark.parametrize("path", ["jobs/", "bulk/"])
def test_a_job_is_one_of_the_specs_tasks_as_it_stands_there(door: Door, role: Role, path: str) -> None:
    """Its command and its needs are those of the task; a job says neither, nor which version."""

    def add(**job: Any) -> int:
        answer = door.ask(role, "POST", path, job if path == "jobs/" else {"jobs": [job]})
        return answer.status_code

    assert add(id="more", task="main", hyperparameters={"lr": 0.1}) in (201, 204)
    for wrong in (
        {"task": "evil"},
        {"task": "main", "spec_version": 1},
        {"task": "main", "needs": {"gpu": 0}},
        {"task": "main", "command": ["evil"]},
        {"task": "main", "gang": "g", "rank": 0},
        {"gang": "g"},
    ):
        assert add(id="wrong", **wrong) in (400, 422), wrong
    jobs = {job.id: job for job in door.store.jobs(exact(door.name))}
    assert sorted(jobs) == ["more", "ours"]
    assert (jobs["more"].task, jobs["more"].spec_version) == ("main", 1)


@pytest.mark.parametrize("method, path", [("PUT", "jobs/ours/"), ("PATCH", "jobs/ours/queueing/")])
def test_a_change_of_a_job_changes_no_task(door: Door, method: str, path: str) -> None:
    """Neither its document nor its queueing names one."""
    body = {"status": "QUEUED"} if method == "PUT" else {"priority": 1}
    assert door.ask(Role.WORK, method, path, {**body, "task": "main"}).status_code == 400
    assert door.ask(Role.WORK, method, path, {**body, "spec_version": 1}).status_code == 400
    assert door.ask(Role.WORK, method, path, body).status_code == 200
    assert door.store.get_job(exact(door.name), "ours").task is None


def test_an_import_is_ones_own(door: Door) -> None:
    """A guest's file becomes an experiment of the guest's, beside the one that is shared with him."""
    experiment = {"status": "RUNNING", "search": {"Manual": None}, "settings": {}}
    kept = [{"text": "", "document": EVIL, "version": 1, "created_at": 1.0}]
    totals = {"jobs": 0, "attempts": 0, "dependencies": 0, "events": 0, "specs": 1}
    for role in (Role.WORK, Role.READ):
        key = new_key()
        first = door.ask(role, "POST", "import/", {"id": key, "number": 0, "experiment": experiment})
        last = door.ask(role, "POST", "import/", {"id": key, "number": 1, "specs": kept, "totals": totals})
        assert (first.status_code, last.status_code) == (204, 204), (first.text, last.text)
    assert door.ask(Role.ADMIN, "GET", "specs/", None).json()["document"] != EVIL
    assert door.store.get_spec(exact(door.name)).version == 1


def test_nobody_goes_on_with_an_import_of_somebody_else(door: Door) -> None:
    """It is not found, and stays as it is."""
    key = new_key()
    experiment = {"status": "RUNNING", "search": {"Manual": None}, "settings": {}}
    assert door.ask(Role.ADMIN, "POST", "import/", {"id": key, "number": 0, "experiment": experiment}).ok
    kept = [{"text": "", "document": EVIL, "version": 1, "created_at": 1.0}]
    answer = door.ask(Role.WORK, "POST", "import/", {"id": key, "number": 1, "specs": kept})
    assert answer.status_code == 404
