"""What users hold travels: by pickle to other processes, and by `deepcopy` into other objects."""

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import sweepstake
from sweepstake import Database, Experiment, Job
from sweepstake.errors import HeldJobError
from tests.kit.serving import served
from tests.kit.stack import KINDS, reached

SEARCHES: dict[str, Callable[[str], Experiment]] = {
    "manual": sweepstake.ManualSearch,
    "random": lambda name: sweepstake.RandomSearch(
        name, {"x": sweepstake.Choice([1, [2]]), "y": sweepstake.Normal(0, 1)}
    ),
    "grid": lambda name: sweepstake.GridSearch(name, {"x": [1, 2]}, tags=["a"], no_retry_on=["ValueError"]),
    "pbt": lambda name: sweepstake.PopulationBasedTraining(
        name,
        "max",
        "score",
        sweepstake.Truncate(0.2),
        explore={"x": sweepstake.Perturb(0.5, 2.0)},
        initial_distributions={"x": sweepstake.Uniform(0, 1)},
        population_size=4,
    ),
}
COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda held: pickle.loads(pickle.dumps(held)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "twice": lambda held: copy.deepcopy(pickle.loads(pickle.dumps(held))),
}


@pytest.fixture(params=KINDS)
def url(
    request: pytest.FixtureRequest, tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The address of a store; what is needed to reach it stands in the environment."""
    monkeypatch.setenv("SWEEPSTAKE_STATE", str(tmp_path / "state"))
    with reached(request.param, tmp_path, new_database) as address:
        yield address


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    """A connection to it."""
    with sweepstake.connect(url) as database:
        yield database


@pytest.mark.parametrize("how", COPIES)
def test_what_is_copied_works_as_the_original(db: Database, how: str) -> None:
    """A database, an experiment, a job and a listing find the same store, and what was changed and not put yet."""
    exp = db.add_experiment(sweepstake.ManualSearch("exp", max_jobs=9))
    job = exp.add_job({"x": 1})
    job.results["y"] = [1]
    database, experiment, copied, jobs = (COPIES[how](held) for held in (db, exp, job, exp.all_jobs()))
    assert database.get_experiment("exp").settings == exp.settings
    assert (experiment.record, experiment.settings) == (exp.record, exp.settings)
    assert (copied.record, copied.hyperparameters, copied.results, copied.etag) == (
        job.record,
        {"x": 1},
        {"y": [1]},
        job.etag,
    )
    assert [each.job_id for each in jobs] == [job.job_id]
    copied.put()
    assert exp.get_job(job.job_id).results == {"y": [1]}
    with experiment.next_job() as claimed:
        claimed.results["z"] = 2
    assert exp.get_job(job.job_id).status == "DONE"
    assert experiment.update(max_jobs=10).settings.max_jobs == 10


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    """A connection to a file, for what is the same whatever the store."""
    with sweepstake.connect(f"sqlite:///{tmp_path}/file.db") as database:
        yield database


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("search", SEARCHES)
def test_every_search_travels(file: Database, how: str, search: str) -> None:
    """With its parameters, also before it is stored."""
    db = file
    new = COPIES[how](SEARCHES[search]("exp"))
    stored = COPIES[how](db.add_experiment(SEARCHES[search]("exp")))
    assert type(stored) is type(SEARCHES[search]("exp"))
    assert new.search() == stored.search() == SEARCHES[search]("exp").search()
    assert new.record is None


@pytest.mark.parametrize("how", COPIES)
def test_a_job_that_is_held_does_not_travel(file: Database, how: str) -> None:
    """It has one holder; the error says what to send in its place, and the holder holds on."""
    exp = file.add_experiment(sweepstake.ManualSearch("exp"))
    exp.add_job({"x": 1})
    with exp.next_job() as job:
        for held in (job, {"config": [job]}):
            with pytest.raises(HeldJobError, match=r"held by this process.*send job\.hyperparameters") as caught:
                COPIES[how](held) if held is job or how != "copy" else COPIES["deepcopy"](held)
        assert isinstance(caught.value, TypeError)
    assert COPIES[how](job).status == "DONE"


def _add(experiment: Experiment, number: int) -> str:
    return experiment.add_job({"number": number}).job_id


def _number(job: Job) -> int:
    number: int = job.hyperparameters["number"]
    job.set_queueing(notes=f"seen by {os.getpid()}")
    return number


def test_a_pool_of_processes_takes_what_users_hold(db: Database, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process opens the store for itself, with the credentials of its environment."""
    monkeypatch.setenv("SWEEPSTAKE_URL", url)
    _send(db, "spawn")


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_every_kind_of_pool_takes_what_users_hold(file: Database, method: str) -> None:
    """However its processes begin."""
    _send(file, method)


def _send(db: Database, method: str) -> None:
    exp = db.add_experiment(sweepstake.ManualSearch("exp"))
    with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
        ids = list(pool.map(_add, [exp] * 6, range(6)))
        assert sorted(pool.map(_number, [exp.get_job(each) for each in ids])) == list(range(6))
    assert len(list(exp.all_jobs())) == 6
    assert all(job.notes.startswith("seen by ") for job in exp.all_jobs())


def test_copying_opens_nothing(tmp_path: Path) -> None:
    """A copy can be made while its store is away; it is opened when it is first used."""
    db = sweepstake.connect(f"sqlite:///{tmp_path}/store.db")
    exp = db.add_experiment(sweepstake.ManualSearch("exp"))
    data = pickle.dumps([db, exp.add_job({}), exp])
    db.close()
    script = f"import pickle, sys; copies = pickle.loads({data!r}); print(copies, 'sqlite3' in sys.modules)"
    for name in tmp_path.glob("store.db*"):
        name.unlink()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip().endswith("<ManualSearch 'exp': RUNNING>] False")


def test_copies_of_one_connection_share_one(file: Database) -> None:
    """A pool that is sent a thousand jobs does not open a thousand connections."""
    exp = file.add_experiment(sweepstake.ManualSearch("exp"))
    exp.add_jobs({"x": x} for x in range(5))
    copies = [pickle.loads(pickle.dumps(job)) for job in exp.all_jobs()]
    assert len({id(job.experiment.session) for job in copies}) == 1
    assert copies[0].experiment.session is not file.session


def test_a_copy_carries_no_secret(tmp_path: Path) -> None:
    """Neither an API token nor a password is in it; in the process of the original it finds them in the memory."""
    with served(f"sqlite:///{tmp_path}/store.db") as server, sweepstake.connect(server.url, server.token) as db:
        exp = db.add_experiment(sweepstake.ManualSearch("exp"))
        data = pickle.dumps([db, exp, exp.add_job({})])
        assert server.token.encode() not in data
        assert pickle.loads(data)[0].get_experiment("exp").etag == exp.etag
        script = f"import pickle; print(pickle.loads({data!r})[1].counts().ready)"

        def elsewhere(**environment: str) -> "subprocess.CompletedProcess[str]":
            return subprocess.run(
                [sys.executable, "-c", script],
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )

        assert "asks for an API token: put one into SWEEPSTAKE_TOKEN" in elsewhere().stderr
        assert elsewhere(SWEEPSTAKE_TOKEN=server.token).stdout == "1\n"
        assert elsewhere(SWEEPSTAKE_TOKEN=server.token, SWEEPSTAKE_URL=server.url).stdout == "1\n"
        other = elsewhere(SWEEPSTAKE_TOKEN=server.token, SWEEPSTAKE_URL="http://127.0.0.1:9")
        assert "asks for an API token" in other.stderr


def test_a_copy_carries_no_password_of_a_database(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere it is taken from the URL that is configured there, or from where PostgreSQL's clients look."""
    url = f"{postgres_url}{'&' if '?' in postgres_url else '?'}password=s3cret"
    with sweepstake.connect(url) as db:
        data = pickle.dumps(db.add_experiment(sweepstake.ManualSearch("exp")))
    assert b"s3cret" not in data
