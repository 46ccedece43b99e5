"""Experiments of one name: several users of a server, whoever opens its store, and clients that know no addresses."""

import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import requests

import sweepstake
from sweepstake import AmbiguousNameError, Database, GridSearch, ManualSearch, NotFoundError, ResourceExistsError
from sweepstake.cli.main import run_app
from sweepstake.client.archive import export_experiment, import_experiment
from sweepstake.domain.access import Role
from sweepstake.domain.addresses import exact
from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import ABSENT, PRESENT, UNGUARDED, Claim, ExperimentDraft, SearchDefinition
from sweepstake.domain.status import Outcome
from sweepstake.errors import InvalidInputError, UnsafeUpdateError
from sweepstake.queue.verbs.access.shares import give
from sweepstake.queue.verify import verify
from sweepstake.server.passwords import add_user
from sweepstake.spool import Entry, Fate, Spool, deliver
from sweepstake.values import JsonObject
from tests.kit.lab import draft, new_key
from tests.kit.oldschema import OldClient, make_first
from tests.kit.serving import Served, start_server
from tests.kit.shell import Command
from tests.kit.stack import store_of
from tests.kit.stores import Kept, open_store, remote_queue

ADA, BOB, CYD = "ada@example.org", "bob@example.org", "cyd@example.org"
API: Final = "/api/v1/experiments/"
MANUAL: Final = {"scheduler": {"Manual": None}}


@attrs.frozen
class Town:
    """A store with three users, two servers over it, and connections."""

    url: str
    store: Kept
    servers: tuple[Served, Served]
    tokens: dict[str, str]
    users: dict[str, Database]
    operator: Database

    def share(self, owner: str, name: str, email: str, role: Role = Role.WORK) -> None:
        """Share a user's experiment."""
        address = self.users[owner].get_experiment(name, owner=owner).record
        assert address is not None
        self.store.share(address.address, email, role)

    def ask(self, email: str, method: str, path: str, body: Any = None, *, server: int = 0, **headers: str) -> Any:
        """Call as a client that knows no addresses."""
        headers = {"Authorization": f"Bearer {self.tokens[email]}"} | {
            k.replace("_", "-"): v for k, v in headers.items()
        }
        url = f"{self.servers[server].url}{API}{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=30)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Tests use names of their own in it."""
    folder = tmp_path_factory.mktemp("town")
    url = store_of(request.param, folder, lambda: request.getfixturevalue("postgres_server").new_database())
    with closing(open_store(url)) as store:
        tokens = {email: add_user(store, email) for email in (ADA, BOB, CYD)}
        servers = start_server(url, ""), start_server(url, "")
        users = {email: sweepstake.connect(servers[0].url, token=token) for email, token in tokens.items()}
        with sweepstake.connect(url) as operator:
            yield Town(url, store, servers, tokens, users, operator)
        for database in users.values():
            database.close()
        for server in servers:
            server.stop()


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"mnist {new_key()}"


def counts(database: Database, text: str, owner: str | None = None) -> int:
    """Return how many jobs an experiment has."""
    return database.get_experiment(text, owner=owner).counts().total


def test_each_user_has_an_experiment_of_the_name(town: Town, name: str) -> None:
    """Each is its owner's alone, who adds and claims without a thought of the others; the first keeps its address."""
    for i, email in enumerate((ADA, BOB, CYD), 1):
        experiment = town.users[email].add_experiment(ManualSearch(name))
        experiment.add_jobs([{"of": email}] * i)
        assert (experiment.name, experiment.owner) == (name, email)
    for i, email in enumerate((ADA, BOB, CYD), 1):
        found = town.users[email].get_experiment(name)
        for job in found.claim_jobs():
            with job:
                job.results["of"] = job.hyperparameters["of"]
        assert [job.results for job in found.all_jobs()] == [{"of": email}] * i
        assert found.counts().done == i
        with pytest.raises(ResourceExistsError, match="already"):
            town.users[email].add_experiment(ManualSearch(name))
    first = town.users[ADA].get_experiment(name).record
    assert first is not None
    assert first.address == name


def test_a_name_means_ones_own_then_a_shared_one_then_nobodys(town: Town, name: str) -> None:
    """And the next as soon as the nearer is gone, on every server."""
    nobodys = town.operator.add_experiment(ManualSearch(name))
    adas = town.users[ADA].add_experiment(ManualSearch(name))
    bobs = town.users[BOB].add_experiment(ManualSearch(name))
    bobs.add_job({})

    def owner(email: str) -> Any:
        answers = {town.ask(email, "GET", f"{name}/", server=server).json()["owner"] for server in (0, 1)}
        assert len(answers) == 1
        return answers.pop()

    assert [owner(email) for email in (ADA, BOB, CYD)] == [ADA, BOB, None]
    town.share(ADA, name, CYD)
    assert owner(CYD) == ADA
    town.share(BOB, name, CYD)
    answer = town.ask(CYD, "GET", f"{name}/")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:sweepstake:problem:ambiguous-name")
    assert f"{ADA}/{name}, {BOB}/{name}" in answer.json()["detail"]
    with pytest.raises(AmbiguousNameError, match=f"{ADA}/{name}, {BOB}/{name}"):
        town.users[CYD].get_experiment(name)
    cyds = town.users[CYD].add_experiment(ManualSearch(name))
    assert owner(CYD) == CYD
    cyds.delete()
    adas.delete()
    assert owner(CYD) == BOB
    bobs.delete()
    assert owner(CYD) is owner(ADA) is None
    nobodys.delete()
    assert town.ask(CYD, "GET", f"{name}/").status_code == 404


def test_owner_and_name_work_everywhere(town: Town, name: str) -> None:
    """For the operator and for whoever it is shared with, by every call and without addresses."""
    for email in (ADA, BOB):
        town.users[email].add_experiment(ManualSearch(name)).add_job({"of": email})
        town.share(email, name, CYD)
    for database in (town.operator, town.users[CYD]):
        with pytest.raises(AmbiguousNameError):
            database.get_experiment(name)
        for email in (ADA, BOB):
            found = database.get_experiment(f"{email}/{name}")
            assert (found.name, found.owner) == (name, email)
            assert [job.hyperparameters for job in found.all_jobs()] == [{"of": email}]
            assert database.get_experiment(name, owner=email).owner == email
        with pytest.raises(NotFoundError):
            database.get_experiment(name, owner="")
    path = f"{BOB}%2F{name}/"
    claim = town.ask(CYD, "POST", f"{path}claim/", {}).json()
    assert claim["job"]["experiment"] == f"{BOB}/{name}"  # which is what such a client sends next
    again = f"{claim['job']['experiment'].replace('/', '%2F')}/jobs/{claim['job']['id']}/"
    finished = town.ask(CYD, "POST", f"{again}finish/", {"attempt": claim["key"], "outcome": "done"}).json()
    assert (finished["recorded"], finished["job"]["experiment"]) == (True, f"{BOB}/{name}")
    assert town.ask(CYD, "POST", f"{path}jobs/", {"hyperparameters": {"more": 1}}).status_code == 201
    listed = town.ask(CYD, "GET", f"{path}jobs/").json()["items"]
    assert {job["experiment"] for job in listed} == {f"{BOB}/{name}"}
    assert [counts(town.users[email], name) for email in (ADA, BOB)] == [1, 2]
    put = town.ask(BOB, "PUT", path, MANUAL | {"status": "DONE"})
    assert put.json()["name"] == f"{BOB}/{name}"
    assert town.users[BOB].get_experiment(name).status == "DONE"
    assert town.users[ADA].get_experiment(name).status == "RUNNING"


def test_what_a_job_starts_is_told_a_name_that_means_its_experiment(
    town: Town, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever works in another's experiment and has one of the name: commands, `%e` and blocks say `owner/name`."""
    town.users[BOB].add_experiment(ManualSearch(name)).add_job({"of": BOB})
    shared = town.users[ADA].add_experiment(ManualSearch(name))
    shared.add_jobs([{"of": ADA}] * 3)
    town.share(ADA, name, BOB)
    for found in (
        town.users[BOB].get_experiment(f"{ADA}/{name}"),
        town.users[BOB].get_experiment(name, owner=ADA),
        town.operator.get_experiment(f"{ADA}/{name}"),
    ):
        with found.next_job():
            assert os.environ["SWEEPSTAKE_EXPERIMENT"] == f"{ADA}/{name}"
    with town.users[BOB].get_experiment(name).next_job():
        assert os.environ["SWEEPSTAKE_EXPERIMENT"] == name
    monkeypatch.setenv("SWEEPSTAKE_TOKEN", town.tokens[BOB])
    script = 'test "$SWEEPSTAKE_EXPERIMENT" = "$1"'
    for words in ([f"{ADA}/{name}"], [name, "--owner", ADA]):
        shared.add_job({"of": ADA})
        ran = ["run", *words, "--allow-empty-results", "--", "sh", "-c", script, "sh", "%e"]
        assert run_app(["--url", town.servers[0].url, *ran]) == 0
    assert (shared.counts().done, counts(town.users[BOB], name)) == (5, 1)


def test_why_says_commands_that_mean_the_experiment(town: Town, name: str) -> None:
    """For each reader, who may have another experiment of the name; and a name that looks like an option is none."""
    town.users[BOB].add_experiment(ManualSearch(name))
    job = town.users[ADA].add_experiment(ManualSearch(name)).add_job({}, job_id="--crashed")
    town.share(ADA, name, BOB)
    town.share(ADA, name, CYD)
    job.prune()
    said = {
        email: str(town.users[email].get_experiment(name, owner=ADA).get_job("--crashed").why())
        for email in (ADA, BOB, CYD)
    }
    assert f"`sweepstake retry -- '{ADA}/{name}' --crashed`" in said[BOB]
    assert f"`sweepstake retry -- '{name}' --crashed`" in said[ADA]
    assert f"`sweepstake retry -- '{name}' --crashed`" in said[CYD]


def test_of_two_readings_the_owner_decides(town: Town, name: str) -> None:
    """A name may hold a slash: it is looked for whole, and as owner and name, and both are told."""
    text = f"{ADA}/{name}"
    town.users[ADA].add_experiment(ManualSearch(name)).add_job({})
    town.share(ADA, name, BOB)
    assert town.users[BOB].get_experiment(text).owner == ADA
    town.users[BOB].add_experiment(ManualSearch(text))
    with pytest.raises(AmbiguousNameError, match="two ways"):
        town.users[BOB].get_experiment(text)
    assert town.users[BOB].get_experiment(text, owner=BOB).name == text
    assert town.users[BOB].get_experiment(name, owner=ADA).name == name
    assert town.users[ADA].get_experiment(text).name == name
    assert town.ask(BOB, "GET", f"{name}/", Sweepstake_Owner=ADA).json()["owner"] == ADA


def test_joining_takes_what_the_name_means_else_makes_ones_own(town: Town, name: str) -> None:
    """With `exist_ok`; what is another's is joined as it stands, and never changed."""
    adas = town.users[ADA].add_experiment(GridSearch(name, {"x": [1, 2]}))
    bobs = town.users[BOB].add_experiment(GridSearch(name, {"x": [1, 2]}), exist_ok=True)
    assert (bobs.owner, adas.owner) == (BOB, ADA)
    town.share(ADA, name, CYD)
    joined = town.users[CYD].add_experiment(GridSearch(name, {"x": [1, 2]}, max_jobs=1), exist_ok=True)
    assert (joined.owner, joined.etag, joined.settings.max_jobs) == (ADA, adas.etag, None)
    town.share(BOB, name, CYD)
    with pytest.raises(AmbiguousNameError):
        town.users[CYD].add_experiment(GridSearch(name, {"x": [1, 2]}), exist_ok=True)
    own = town.users[CYD].add_experiment(GridSearch(name, {"x": [3]}))
    assert own.owner == CYD
    assert town.users[CYD].add_experiment(GridSearch(name, {"x": [3]}), exist_ok=True).etag == own.etag
    assert town.operator.add_experiment(GridSearch(name, {"x": [4]})).owner is None
    assert [town.users[email].get_experiment(name).etag for email in (ADA, BOB)] == [adas.etag, bobs.etag]


def test_a_job_goes_on_in_its_experiment_after_another_took_its_name(town: Town, name: str) -> None:
    """The claims, reports, heartbeats and new jobs of whoever has met the experiment; also without addresses."""
    town.users[ADA].add_experiment(ManualSearch(name)).add_jobs([{}] * 3)
    town.share(ADA, name, CYD)
    with sweepstake.connect(town.servers[1].url, token=town.tokens[CYD]) as worker:
        shared = worker.get_experiment(name)
        job = shared.next_job()
        old = town.ask(CYD, "POST", f"{name}/claim/", {}).json()
        own = town.users[CYD].add_experiment(ManualSearch(name))
        with job:
            job.results["kept"] = 1
        shared.add_job({"late": True})
        assert shared.next_job().record.attempt == 1
        finish = {"attempt": old["key"], "outcome": "done", "results": {"kept": 2}}
        answer = town.ask(CYD, "POST", f"{name}/jobs/{old['job']['id']}/finish/", finish)
        assert answer.json()["recorded"]
        beat = requests.post(
            f"{town.servers[0].url}/api/v1/heartbeat/",
            json={"attempts": [old["key"]]},
            headers={"Authorization": f"Bearer {town.tokens[CYD]}"},
            timeout=30,
        )
        assert beat.json()["beats"][0]["signal"] == "lost"
    assert own.counts().total == 0
    adas = town.users[ADA].get_experiment(name)
    assert adas.counts().done == 2
    assert sorted(each.results["kept"] for each in adas.all_jobs(status="DONE")) == [1, 2]


def test_what_is_added_never_goes_to_anothers_by_an_old_look_up(town: Town, name: str) -> None:
    """Though a server remembers for seconds what the name meant, an own experiment made elsewhere gets the job."""
    town.users[ADA].add_experiment(ManualSearch(name))
    town.share(ADA, name, CYD)
    assert town.ask(CYD, "POST", f"{name}/claim/", {}, server=1).status_code == 204
    town.users[CYD].add_experiment(ManualSearch(name))
    assert town.ask(CYD, "POST", f"{name}/jobs/", {}, server=1).status_code == 201
    assert town.ask(CYD, "PUT", f"{name}/jobs/mine/", {"status": "QUEUED"}, server=1).status_code == 201
    assert [counts(town.users[email], name) for email in (ADA, CYD)] == [0, 2]


def test_a_deletion_that_is_repeated_deletes_nothing_else(town: Town, name: str) -> None:
    """The answer was lost, and the name means another by now: one that is shared, or everybody's."""
    town.operator.add_experiment(ManualSearch(name))
    town.users[BOB].add_experiment(ManualSearch(name))
    key = new_key()
    for _ in range(2):
        assert town.ask(BOB, "DELETE", f"{name}/", Idempotency_Key=key).status_code == 204
    assert town.ask(BOB, "GET", f"{name}/").json()["owner"] is None
    assert town.ask(BOB, "DELETE", f"{name}/", Idempotency_Key=new_key()).status_code == 204
    assert town.ask(BOB, "GET", f"{name}/").status_code == 404


def test_a_creation_that_is_repeated_is_made_once(town: Town, name: str) -> None:
    """Beside another's of the same name, though the address was chosen anew."""
    town.users[ADA].add_experiment(ManualSearch(name))
    key = new_key()
    made = [town.ask(BOB, "PUT", f"{name}/", MANUAL, Idempotency_Key=key, If_None_Match="*") for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json() == made[1].json()
    assert made[0].json()["owner"] == BOB


def test_a_listing_names_what_can_be_sent_back(town: Town, name: str) -> None:
    """For a client without addresses: by its owner where the name alone means another."""
    town.operator.add_experiment(ManualSearch(name))
    for email in (ADA, CYD):
        town.users[email].add_experiment(ManualSearch(name)).add_job({"of": email})
    town.share(ADA, name, CYD)
    for email, expected in ((CYD, {name, f"{ADA}/{name}", f"/{name}"}), (ADA, {name, f"/{name}"}), (BOB, {name})):
        items = town.ask(email, "GET", "").json()["items"]
        listed = {item["name"]: item for item in items if item["name"].endswith(name)}
        assert set(listed) == expected
        for text, item in listed.items():
            found = town.ask(email, "GET", f"{text.replace('/', '%2F')}/").json()
            assert (found["address"], found["name"]) == (item["address"], text)
    mine = [each for each in town.users[CYD].get_experiments() if each.name == name]
    assert {each.owner for each in mine} == {None, ADA, CYD}


def test_an_address_lets_nobody_in(town: Town, name: str) -> None:
    """It says which experiment, and the role is asked for as ever; one that is hidden or of another name is refused."""
    town.users[ADA].add_experiment(ManualSearch(name)).add_job({})
    assert town.ask(BOB, "GET", f"{name}/", Sweepstake_Experiment=name).status_code == 404
    assert town.ask(BOB, "POST", f"{name}/claim/", {}, Sweepstake_Experiment=name).status_code == 404
    assert town.ask(BOB, "DELETE", f"{name}/", Sweepstake_Experiment=name, If_Match="*").status_code == 412
    assert town.ask(BOB, "GET", f"{name}/", Sweepstake_Owner=ADA).status_code == 404
    assert town.ask(BOB, "PUT", f"{name}/", MANUAL, Sweepstake_Owner=ADA).status_code == 404
    for address in ("other", "%01x", "%FF", ""):
        assert town.ask(ADA, "GET", f"{name}/", Sweepstake_Experiment=address).status_code == 404
    assert counts(town.users[ADA], name) == 1


def test_an_experiment_that_is_given_away_keeps_its_address(town: Town, name: str) -> None:
    """So jobs that run go on; and nobody is given a second one of a name."""
    adas = town.users[ADA].add_experiment(ManualSearch(name))
    bobs = town.users[BOB].add_experiment(ManualSearch(name))
    assert adas.record is not None
    assert bobs.record is not None
    with pytest.raises(InvalidInputError, match="has an experiment"):
        give(town.store, bobs.record.reference, ADA)
    give(town.store, bobs.record.reference, CYD)
    cyds = town.users[CYD].get_experiment(name)
    assert (cyds.owner, cyds.etag) == (CYD, bobs.etag)
    with pytest.raises(NotFoundError):
        bobs.counts()
    town.users[BOB].add_experiment(ManualSearch(name)).add_job({})
    assert [counts(town.operator, f"{email}/{name}") for email in (ADA, BOB, CYD)] == [0, 1, 0]


def test_an_import_makes_ones_own_beside_anothers(town: Town, name: str) -> None:
    """And an export by owner and name is of that one alone."""
    town.users[ADA].add_experiment(ManualSearch(name)).add_jobs([{"i": i} for i in range(3)])
    town.share(ADA, name, BOB, Role.ADMIN)
    before = town.users[ADA].get_experiment(name).etag
    written = io.StringIO()
    export_experiment(town.users[BOB].session.queue, f"{ADA}/{name}", written, lambda _: None)
    for email in (BOB, CYD):
        queue = town.users[email].session.queue
        assert import_experiment(queue, io.StringIO(written.getvalue()), None, lambda _: None) == name
        with pytest.raises(ResourceExistsError):
            import_experiment(queue, io.StringIO(written.getvalue()), None, lambda _: None)
        found = town.users[email].get_experiment(name)
        assert (found.owner, found.counts().total) == (email, 3)
    import_experiment(town.operator.session.queue, io.StringIO(written.getvalue()), None, lambda _: None)
    assert counts(town.operator, name, owner="") == 3
    assert town.users[ADA].get_experiment(name).etag == before
    again = io.StringIO()
    exported = export_experiment(town.users[BOB].session.queue, name, again, lambda _: None)
    assert json.loads(again.getvalue().splitlines()[0])["name"] == name
    assert exported.totals.jobs == 3


def test_whoever_races_makes_one_each(town: Town, name: str) -> None:
    """Of each owner one creation is taken, and the experiments do not share a job."""
    made: list[str | None] = []
    start = threading.Barrier(8)

    def make(email: str, server: int) -> None:
        with sweepstake.connect(town.servers[server].url, token=town.tokens[email]) as database:
            start.wait(30)
            with suppress(ResourceExistsError):
                made.append(database.add_experiment(ManualSearch(name)).owner)

    racers = [threading.Thread(target=make, args=(email, i % 2)) for i, email in enumerate((ADA, ADA, BOB, BOB) * 2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    assert sorted(filter(None, made)) == [ADA, BOB]
    town.users[ADA].get_experiment(name).add_job({})
    assert [counts(town.users[email], name) for email in (ADA, BOB)] == [1, 0]


def test_a_report_that_waits_is_delivered_to_its_experiment(town: Town, name: str, tmp_path: Path) -> None:
    """By its address; an entry of an older version by its name, which was its address then, or by what it was told."""
    town.users[ADA].add_experiment(ManualSearch(name)).add_jobs([{}] * 3)
    town.share(ADA, name, CYD)
    queue = town.users[CYD].session.queue
    shared = town.users[CYD].get_experiment(name)
    spool = Spool(tmp_path / "spool", town.servers[0].url)
    keys = []
    for text, address in ((name, name), (name, ""), (f"{ADA}/{name}", "")):
        claim = queue.claim(shared.reference, "w")
        assert isinstance(claim, Claim)
        entry = Entry(
            key=new_key(),
            store=spool.store,
            experiment=text,
            address=address,
            job=claim.job.id,
            written_at=1.0,
            report=Finish(attempt=claim.key, outcome=Outcome.DONE, results=JsonObject.of({"x": 1})),
        )
        spool.keep(entry)
        keys.append(entry.key)
    town.users[CYD].add_experiment(ManualSearch(name))
    with closing(remote_queue(town.servers[0].url, town.tokens[CYD])) as straight:
        fates = [each.fate for each in deliver(spool, straight, keys)]
    assert fates == [Fate.RECORDED] * 3
    assert town.users[ADA].get_experiment(name).counts().done == 3


def test_the_history_is_as_promised(town: Town) -> None:
    """After all that the tests of this file did to the store."""
    assert verify(town.store.ledger).violations == ()


def test_a_store_of_the_first_schema_opens_with_its_names(tmp_path: Path, new_database: Callable[[], str]) -> None:
    """Each is its own address, whoever is connected still; and another owner's may stand beside it afterwards."""
    for url in (f"sqlite:///{tmp_path / 'old.db'}", new_database()):
        make_first(url)
        with OldClient(url) as old:
            old.add("mnist", 2)
            with closing(open_store(url)) as store:
                assert [each.address for each in store.list_experiments(None, 10).items] == ["mnist"]
                add_user(store, ADA)
                wanted = ExperimentDraft(search=SearchDefinition("Manual"), owner=ADA)
                adas = store.put_experiment("mnist", wanted, guard=ABSENT, key=new_key())
                assert (adas.name, adas.owner) == ("mnist", ADA)
                claim = old.claim("mnist")
                assert claim is not None
                old.finish(claim)
                assert store.count_jobs("mnist").done == 1
                assert store.count_jobs(adas.reference).done == 0


def test_without_users_a_name_is_taken_once(url: str) -> None:
    """In a store that is opened directly, all are nobody's; what was deleted makes room."""
    with sweepstake.connect(url) as database:
        first = database.add_experiment(ManualSearch("mnist"))
        with pytest.raises(ResourceExistsError):
            database.add_experiment(ManualSearch("mnist"))
        queue = database.session.queue
        queue.delete_experiment(exact("mnist"), PRESENT)
        with pytest.raises(UnsafeUpdateError):
            queue.delete_experiment(exact("mnist"), PRESENT)
        queue.delete_experiment("mnist", UNGUARDED)
        with pytest.raises(NotFoundError):
            first.counts()
        queue.put_experiment("mnist", ExperimentDraft(search=SearchDefinition("Manual")), ABSENT)
        queue.add_jobs("mnist", [draft()])
        assert first.counts().ready == 1


def test_the_command_says_whose(url: str, sw: Command) -> None:
    """`list` tells experiments of one name apart, which every verb takes, with --owner too."""
    with closing(open_store(url)) as store:
        for email in (ADA, BOB):
            add_user(store, email)
            wanted = ExperimentDraft(search=SearchDefinition("Manual"), owner=email)
            made = store.put_experiment("mnist", wanted, guard=ABSENT, key=new_key())
            store.add_jobs(made.reference, [draft(f"job-of-{email[:3]}")], key=new_key())
    trees = json.loads(sw("list", "--format", "json").out)
    assert [(tree["name"], tree["owner"]) for tree in trees] == [("mnist", ADA), ("mnist", BOB)]
    listed = sw("list").out
    assert f"{ADA}/mnist" in listed
    assert f"{BOB}/mnist" in listed
    refused = sw("list", "mnist", code=1)
    assert f"{ADA}/mnist, {BOB}/mnist" in refused.err
    assert "job-of-bob" in sw("list", f"{BOB}/mnist").out
    assert "job-of-ada" in sw("list", "mnist", "--owner", ADA).out
    assert f"owner: {BOB}\n" in sw("show", f"{BOB}/mnist").out
    sw("share", "mnist", "--of", ADA, BOB, "--role", "work")
    assert BOB in sw("share", f"{ADA}/mnist").out
    assert json.loads(sw("export", "mnist", "--owner", BOB).out.splitlines()[1])["job"]["id"] == "job-of-bob"
    both = [f"{email}/mnist" for email in (ADA, BOB)]
    ran = sw("worker", *both, "--idle", "0", "--max-jobs", "2", "--allow-empty-results", "--", "true")
    assert all(f"job-of-{text[:3]} of {text}: done" in ran.err for text in both)
    sw("rm", "mnist", "--owner", BOB, "--force")
    assert "job-of-ada" in sw("list", "mnist").out
