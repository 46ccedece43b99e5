"""Who may call what: every operation with every kind of credentials, against a real server."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import requests

from sweepstake.clock import SystemClock
from sweepstake.config import read_config
from sweepstake.domain.access import Role
from sweepstake.domain.batches.records import BatchDraft
from sweepstake.domain.files import KeptFile
from sweepstake.domain.records import ABSENT, Claim, ExperimentDraft, SearchDefinition
from sweepstake.domain.status import JobStatus
from sweepstake.http.operations import OPERATIONS
from sweepstake.queue.verbs.access.shares import give
from sweepstake.queue.verbs.access.tokens import create_token, list_tokens, revoke_token
from sweepstake.queue.verbs.access.users import find_user
from sweepstake.server.keys import SecretPlace, SigningKey
from sweepstake.server.passwords import add_user, change_password
from sweepstake.server.signing import Signer
from sweepstake.wire.operation import Operation
from tests.kit.clocks import HandClock
from tests.kit.lab import document, draft, eventually, new_key, spec
from tests.kit.serving import PASSWORD, Served, start_server
from tests.kit.stores import Kept, open_store

SECURED: Final = [operation for operation in OPERATIONS.values() if operation.role is not None]
#: A job that is queued, one that runs with a lease, and one that crashed.
QUEUED, RUNNING, CRASHED = "queued", "running", "crashed"
#: A batch that somebody is about to submit.
BATCH: Final = "batch"
#: Operations that look at a job in another state than queued.
FILES: Final = ("list_files", "keep_files", "put_content", "get_content", "append_log", "get_log")
JOBS: Final = {"finish": RUNNING, "retry": CRASHED, **dict.fromkeys(FILES, RUNNING)}
#: A file that the running job has kept, a piece of another, and what operations are asked beside their bodies.
CONTENT: Final = b"kept"
PIECE: Final = b"piece"
DIGEST: Final = hashlib.sha256(PIECE).hexdigest()
QUERIES: Final = {
    "delete_experiment": "?force=true",
    "get_content": "?path=kept",
    "put_content": f"?sha256={DIGEST}&size={len(PIECE)}&offset=0&digest={DIGEST}",
    "append_log": f"?offset=0&digest={DIGEST}",
}


@attrs.frozen
class Scene:
    """An experiment, its owner, and everybody who comes to its door.

    Attributes:
        tokens: by kind of credentials.
        attempt: key of the open attempt of the running job.
        token_id: of a token of the owner's.
    """

    name: str
    owner: str
    tokens: dict[str, str]
    attempt: str
    token_id: str


@attrs.frozen
class House:
    """A server, and the store behind it."""

    server: Served
    store: Kept
    file: Path

    def scene(self) -> Scene:
        """Make a new experiment and new people."""
        name = new_key()
        owner = f"owner-{name}@example.org"
        tokens = {who: add_user(self.store, f"{who}-{name}@example.org") for who in ("owner", "stranger")}
        attempt = self._fill(name, owner)
        for role in Role:
            guest = f"{role}-{name}@example.org"
            tokens[f"shared {role}"] = add_user(self.store, guest)
            self.store.share(name, guest, role)
        for role in Role:
            tokens[f"token {role}"], kept = create_token(self.store, owner, role=role, name=role.value)
        tokens["expired"], _ = create_token(self.store, owner, expires_at=1.0)
        tokens["revoked"], revoked = create_token(self.store, owner)
        revoke_token(self.store, revoked.id)
        return Scene(name, owner, tokens, attempt, kept.id)

    def _fill(self, name: str, owner: str) -> str:
        queue = self.store
        wanted = ExperimentDraft(search=SearchDefinition("Manual"), owner=owner)
        queue.put_experiment(name, wanted, guard=ABSENT, key=new_key())
        queue.add_jobs(name, [draft(RUNNING), draft(CRASHED, of=document(JobStatus.CRASHED))], key=new_key())
        claim = queue.claim(name, worker="w", key=new_key())
        assert isinstance(claim, Claim)
        digest = hashlib.sha256(CONTENT).hexdigest()
        queue.put_content(name, RUNNING, claim.key, digest, len(CONTENT), 0, CONTENT)
        queue.keep_files(name, RUNNING, claim.key, [KeptFile(path="kept", size=len(CONTENT), sha256=digest)])
        queue.add_jobs(name, [draft(QUEUED)], key=new_key())
        queue.put_spec(name, spec({"name": "main"}))
        queue.intend_batches(name, [BatchDraft(id=BATCH, jobs=(QUEUED,), backend="slurm", name=BATCH)])
        return claim.key

    def call(self, operation: Operation, scene: Scene, token: str | None) -> requests.Response:
        """Call an operation about the scene."""
        url = f"{self.server.url}{operation.url(*_names(operation, scene))}"
        url += QUERIES.get(operation.name, "")
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if operation.name in FILES and operation.role is Role.WORK:
            headers["Sweepstake-Attempt"] = scene.attempt
        body = None if operation.request is None else _body(operation.request, scene)
        if isinstance(body, bytes):
            return requests.request(operation.method, url, data=body, headers=headers, timeout=30)
        return requests.request(operation.method, url, json=body, headers=headers, timeout=30)

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all that is stored, but for `meta`, which gains the signing key when that is first asked for."""
        with closing(sqlite3.connect(self.file)) as connection:
            tables = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
            kept = [table for table in tables if table != "meta"]
            return {table: connection.execute(f"select * from {table}").fetchall() for table in kept}


def _names(operation: Operation, scene: Scene) -> list[str]:
    if "{name}" not in operation.path:
        return [scene.token_id] if "{id}" in operation.path else []
    if operation.name == "import_part":
        return [f"{scene.name} once more"]
    if "batches/{id}" in operation.path:
        return [scene.name, BATCH]
    if "shares/{id}" in operation.path:
        return [scene.name, f"read-{scene.name}@example.org"]
    return [scene.name, JOBS.get(operation.name, QUEUED)] if "{id}" in operation.path else [scene.name]


def _body(schema: str, scene: Scene) -> Any:
    bodies = {
        "PutExperiment": {"scheduler": {"Manual": None}, "status": "DONE"},
        "NewJob": {},
        "NewJobs": {"jobs": [{}]},
        "PutJob": {"status": "DONE"},
        "IntendRequest": {"batches": [{"id": "other", "jobs": [RUNNING], "backend": "slurm", "name": "other"}]},
        "NoteRequest": {"number": 1, "jobid": "7"},
        "BeginRequest": {"number": 1, "jobid": "7", "worker": "w"},
        "ClaimRequest": {},
        "FinishRequest": {"attempt": scene.attempt, "outcome": "done"},
        "ClaimsRequest": {"at_once": 2},
        "FinishesRequest": {
            "reports": [{"id": RUNNING, "key": new_key(), "report": {"attempt": scene.attempt, "outcome": "done"}}]
        },
        "StopRequest": {},
        "RoomRequest": {"worker": "w"},
        "PutSpec": {"text": "", "document": {"version": "v2", "tasks": [{"image": {"docker": "tiny"}}]}},
        "HeartbeatRequest": {"attempts": [scene.attempt]},
        "QueueingChanges": {"priority": 7},
        "KeepFiles": {"files": []},
        "Bytes": PIECE,
        "NewToken": {"role": "read"},
        "NewShare": {"role": "work"},
        "ImportPart": {
            "id": new_key(),
            "number": 0,
            "experiment": {"status": "DONE", "search": {"Manual": None}, "settings": {}},
        },
    }
    assert schema in bodies, f"say here what a request with the body {schema} looks like"
    return bodies[schema]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server over SQLite, and its store."""
    file = tmp_path_factory.mktemp("house") / "store.db"
    with closing(open_store(f"sqlite:///{file}")) as store:
        add_user(store, "somebody@example.org")
        server = start_server(f"sqlite:///{file}", "")
        yield House(server, store, file)
        server.stop()


def _expected(operation: Operation, kind: str) -> int | None:
    """Return the status by which a caller is refused; None: the call is answered."""
    needed = operation.role
    assert needed is not None
    about_experiment = "{name}" in operation.path and operation.name != "import_part"  # which makes one
    if kind in ("nothing", "expired"):
        return 401
    if kind in ("wrong", "forged", "revoked"):
        return 403
    if kind == "stranger":
        if operation.name == "revoke_token":
            return 404
        return 404 if operation.fenced and about_experiment else None
    how, _, word = kind.partition(" ")
    allowed = how == "owner" or Role(word).covers(needed)
    if how == "shared" and not about_experiment:
        return 404 if operation.name == "revoke_token" else None
    return None if allowed else 403


KINDS: Final = (
    *("nothing", "wrong", "forged", "expired", "revoked", "stranger", "owner"),
    *(f"{how} {role}" for how in ("token", "shared") for role in Role),
)


@pytest.mark.parametrize("operation", SECURED, ids=lambda operation: operation.name)
def test_an_operation_answers_whom_its_role_allows(house: House, operation: Operation) -> None:
    """The table of operations decides, whatever the credentials are; who is refused changes nothing."""
    scene = house.scene()
    scene.tokens.update({"wrong": f"sws_{'x' * 43}", "forged": "e30.e30.e30"})
    refused = [kind for kind in KINDS if _expected(operation, kind) is not None]
    before = house.content()
    for kind in refused:
        answer = house.call(operation, scene, scene.tokens.get(kind))
        assert answer.status_code == _expected(operation, kind), (kind, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert house.content() == before
    for kind in (kind for kind in KINDS if kind not in refused):
        fresh = house.scene()
        answer = house.call(operation, fresh, fresh.tokens[kind])
        assert answer.status_code in operation.answers, (kind, answer.status_code, answer.text)


def test_an_experiment_of_somebody_else_is_not_to_be_seen(house: House) -> None:
    """What a stranger learns of it is what there is to learn of one that is not there."""
    scene = house.scene()
    nowhere = attrs.evolve(scene, name=new_key())
    stranger = scene.tokens["stranger"]
    before = house.content()
    for operation in SECURED:
        if "{name}" in operation.path and operation.name not in ("put_experiment", "import_part"):
            there, not_there = (house.call(operation, each, stranger) for each in (scene, nowhere))
            assert there.status_code == not_there.status_code, operation.name
            assert there.text.replace(scene.name, "NAME") == not_there.text.replace(nowhere.name, "NAME")
    assert house.content() == before


def test_listings_show_what_one_may_see(house: House) -> None:
    """One's own experiments, those that are shared with one, and everybody's."""
    scene = house.scene()
    everybodys = house.scene()
    give(house.store, everybodys.name, None)
    seen = {}
    for kind in ("owner", "shared read", "stranger", "token read"):
        answer = house.call(OPERATIONS["list_experiments"], scene, scene.tokens[kind]).json()
        seen[kind] = {each["name"] for each in answer["items"]}
    mine = {scene.name, everybodys.name}
    assert seen == {"owner": mine, "shared read": mine, "token read": mine, "stranger": {everybodys.name}}


def test_a_heartbeat_renews_only_what_its_sender_may_work_on(house: House) -> None:
    """Attempts of other people's experiments are lost to it, and known ones stay known."""
    scene, other = house.scene(), house.scene()
    url = f"{house.server.url}{OPERATIONS['heartbeat'].path}"
    asked = [other.attempt, scene.attempt, new_key(), scene.attempt]
    expected = {"owner": "continue", "shared work": "continue", "shared read": "lost", "stranger": "lost"}
    for _ in range(2):
        for kind, signal in expected.items():
            answer = requests.post(
                url, json={"attempts": asked}, headers={"Authorization": f"Bearer {scene.tokens[kind]}"}, timeout=30
            )
            assert [beat["attempt"] for beat in answer.json()["beats"]] == asked
            assert [beat["signal"] for beat in answer.json()["beats"]] == ["lost", signal, "lost", signal], kind


def test_a_name_that_a_stranger_has_can_be_made_ones_own_and_theirs_stays(house: House) -> None:
    """Guards of a change find nothing; what makes a new one makes one's own, once, beside the stranger's."""
    scene = house.scene()
    etag = house.call(OPERATIONS["get_experiment"], scene, scene.tokens["owner"]).headers["ETag"]
    url = f"{house.server.url}{OPERATIONS['put_experiment'].url(scene.name)}"
    headers = {"Authorization": f"Bearer {scene.tokens['stranger']}"}
    body = {"scheduler": {"Manual": None}, "status": "DONE"}
    before = house.content()
    for guard in ({"If-Match": "*"}, {"If-Match": etag}):
        assert requests.put(url, json=body, headers=headers | guard, timeout=30).status_code == 412
        assert requests.delete(url, headers=headers | guard, timeout=30).status_code == 412
    assert house.content() == before
    made = [requests.put(url, json=body, headers={**headers, "If-None-Match": "*"}, timeout=30) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 412]
    assert made[0].json()["owner"].startswith("stranger-")
    assert made[0].json()["name"] == scene.name
    assert requests.put(url, json=body, headers=headers, timeout=30).json()["address"] == made[0].json()["address"]
    assert requests.delete(url, headers=headers, timeout=30).status_code == 204
    owners = house.call(OPERATIONS["get_experiment"], scene, scene.tokens["owner"])
    assert (owners.headers["ETag"], owners.json()["owner"]) == (etag, scene.owner)


def test_revoking_takes_effect_at_once_where_it_is_done(house: House) -> None:
    """A token, and a share, though the server knew both a moment ago."""
    scene = house.scene()
    get = OPERATIONS["get_experiment"]
    assert house.call(get, scene, scene.tokens["shared read"]).status_code == 200
    assert house.call(OPERATIONS["unshare"], scene, scene.tokens["owner"]).status_code == 204
    assert house.call(get, scene, scene.tokens["shared read"]).status_code == 404
    assert house.call(get, scene, scene.tokens["token admin"]).status_code == 200
    assert house.call(OPERATIONS["revoke_token"], scene, scene.tokens["owner"]).status_code == 204
    assert house.call(get, scene, scene.tokens["token admin"]).status_code == 403


def test_a_token_makes_none_that_outlives_it(house: House) -> None:
    """Nor one that never ends, whichever way it is asked."""
    scene = house.scene()
    ending, _ = create_token(house.store, scene.owner, expires_at=SystemClock().wall() + 600)
    url = f"{house.server.url}{OPERATIONS['create_token'].path}"
    headers = {"Authorization": f"Bearer {ending}"}
    asked = ({"role": "admin", "lifetime": 700}, {"role": "admin", "lifetime": 60}, {"role": "admin"})
    answers = [requests.post(url, json=body, headers=headers, timeout=30) for body in asked]
    assert [answer.status_code for answer in answers] == [422, 201, 201]
    assert requests.post(url.replace("tokens", "resettoken"), headers=headers, timeout=30).status_code == 200
    assert all(token.expires_at is not None for token in list_tokens(house.store, scene.owner))


def test_what_a_login_makes_ends_with_the_password(house: House) -> None:
    """A token of a login ends with it, a token that replaces all with the password, and what those make as well."""
    scene = house.scene()
    change_password(house.store, scene.owner, PASSWORD)
    api = f"{house.server.url}/api/v1"
    login = requests.post(f"{api}/passauth/", json={"email": scene.owner, "token": PASSWORD}, timeout=30).json()
    signed = {"Authorization": f"Bearer {login['token']}"}
    asked = ({"role": "admin"}, {"role": "admin", "lifetime": 90_000})
    made, refused = (requests.post(f"{api}/tokens/", json=body, headers=signed, timeout=30) for body in asked)
    assert (made.status_code, refused.status_code) == (201, 422)
    kept = {token.id: token for token in list_tokens(house.store, scene.owner)}[made.json()["id"]]
    assert kept.expires_at is not None
    assert kept.expires_at - SystemClock().wall() <= 24 * 3600
    reset = requests.post(f"{api}/resettoken/", headers=signed, timeout=30).json()["token"]
    child = requests.post(
        f"{api}/tokens/", json={"role": "admin"}, headers={"Authorization": f"Bearer {reset}"}, timeout=30
    ).json()["token"]
    first = list_tokens(house.store, scene.owner)[0]
    assert (first.expires_at, first.maker) == (None, "password")
    get = OPERATIONS["get_experiment"]
    assert [house.call(get, scene, token).status_code for token in (reset, child)] == [200, 200]
    change_password(house.store, scene.owner, f"{PASSWORD} again")
    brought = (reset, child, login["token"])
    eventually(lambda: [house.call(get, scene, token).status_code for token in brought] == [403] * 3)
    again = requests.post(f"{api}/tokens/", json={"role": "admin"}, headers=signed, timeout=30)
    assert again.status_code == 403
    assert list_tokens(house.store, scene.owner) == []


def test_what_a_revoked_token_made_ends_with_it(house: House) -> None:
    """At once in the server through which it is revoked."""
    scene = house.scene()
    url = f"{house.server.url}{OPERATIONS['create_token'].path}"
    tokens, ids = [scene.tokens["owner"]], []
    for _ in range(3):
        headers = {"Authorization": f"Bearer {tokens[-1]}"}
        made = requests.post(url, json={"role": "admin"}, headers=headers, timeout=30).json()
        tokens.append(made["token"])
        ids.append(made["id"])
    listed = requests.get(url, headers=headers, timeout=30).json()["tokens"]
    makers = {each["id"]: each["made_with"] for each in listed}
    assert [makers[each] for each in ids[1:]] == ids[:-1]
    headers = {"Authorization": f"Bearer {tokens[0]}"}
    assert requests.delete(f"{url}{ids[0]}/", headers=headers, timeout=30).status_code == 204
    get = OPERATIONS["get_experiment"]
    assert [house.call(get, scene, token).status_code for token in tokens] == [200, 403, 403, 403]


def test_an_old_login_makes_no_token_without_an_end(house: House) -> None:
    """Ten minutes after the password was given, whoever has the signed token has to give it again."""
    scene = house.scene()
    change_password(house.store, scene.owner, PASSWORD)
    account = find_user(house.store, scene.owner)
    assert account is not None
    secret = SecretPlace.of(f"sqlite:///{house.file}", read_config(environment={})).secret
    key = SigningKey(house.store, secret, SystemClock())
    for age, status in ((0, 200), (660, 401)):
        signed = Signer(key, HandClock(SystemClock().wall() - age)).for_password(account).token
        headers = {"Authorization": f"Bearer {signed}"}
        answer = requests.post(f"{house.server.url}/api/v1/resettoken/", headers=headers, timeout=30)
        assert answer.status_code == status


def test_a_signed_token_does_what_its_token_does(house: House) -> None:
    """That of a read-only token reads; a proposal by `nextjob/` is a write."""
    scene = house.scene()
    login = {"email": scene.owner, "token": scene.tokens["token read"]}
    signed = requests.post(f"{house.server.url}/api/v1/token/", json=login, timeout=30).json()["token"]
    statuses = {
        name: house.call(OPERATIONS[name], scene, signed).status_code
        for name in ("get_job", "list_jobs", "offer", "claim", "put_job", "heartbeat", "resettoken")
    }
    assert statuses == {"get_job": 200, "list_jobs": 200} | dict.fromkeys(list(statuses)[2:], 403)
    for kind in ("expired", "revoked"):
        login["token"] = scene.tokens[kind]
        assert requests.post(f"{house.server.url}/api/v1/token/", json=login, timeout=30).status_code == 403


def test_every_operation_says_its_role(house: House) -> None:
    """In the OpenAPI document, which anybody may read."""
    paths = requests.get(f"{house.server.url}/openapi.json", timeout=30).json()["paths"]
    said = {each["operationId"]: each["security"] for methods in paths.values() for each in methods.values()}
    assert said == {
        name: [{"bearer": [operation.role.value]}] if operation.role else [] for name, operation in OPERATIONS.items()
    }
