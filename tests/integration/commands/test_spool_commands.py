"""`sweepstake spool`: what waits on disk is listed, shown, delivered and dropped."""

import io
import json
import sys
from pathlib import Path

import pytest
from attrs import evolve

import sweepstake
from sweepstake import Database, Job, ManualSearch
from sweepstake.config import read_config
from sweepstake.domain.drafts import Finish
from sweepstake.domain.status import Outcome
from sweepstake.spool import Entry, Spool, address_of
from sweepstake.values import JsonObject
from tests.kit.lab import new_key
from tests.kit.shell import Command


def leave(db: Database, store: str, job: Job) -> Entry:
    """Put the report of a claimed job into the spool of a store, as a worker does whose store is away."""
    assert job.attempt_key is not None
    spool = Spool.of(read_config().spool, address_of(store))
    results = JsonObject.of({"accuracy": 0.75})
    entry = Entry(
        key=new_key(),
        store=spool.store,
        experiment="exp",
        job=job.job_id,
        hyperparameters=job.record.hyperparameters,
        written_at=1.8e9,
        report=Finish(attempt=job.attempt_key, outcome=Outcome.DONE, results=results, reason="first\nsecond"),
        last_error="no answer " * 20,
    )
    spool.keep(entry)
    return entry


@pytest.fixture
def jobs(db: Database) -> list[Job]:
    """Three jobs that run here."""
    exp = db.add_experiment(ManualSearch("exp"))
    exp.add_jobs({"i": i} for i in range(3))
    return [exp.next_job() for _ in range(3)]


def test_an_empty_spool_says_so(sw: Command) -> None:
    """Nothing waits, nothing is delivered, nothing can be dropped."""
    assert sw("spool", "list").out == "Nothing waits in the spool.\n"
    assert json.loads(sw("spool", "list", "--format", "json").out) == []
    assert sw("spool", "push").out == "Nothing was delivered.\n"
    assert sw("spool", "drop", "--all", "-f").out == "Nothing waits in the spool.\n"
    assert "spool list" in sw("spool", "show", "unheard-of", code=1).err


def test_what_waits_is_listed_and_shown(sw: Command, db: Database, url: str, jobs: list[Job]) -> None:
    """The table has room for the beginning of an error; one entry is shown whole, as text and as JSON."""
    entry = leave(db, url, jobs[0])
    other = leave(db, "http://elsewhere:8000", jobs[1])
    table = sw("spool", "list").out
    assert all(word in table for word in (entry.key, other.key, "http://elsewhere:8000", "waiting", "no answer no"))
    assert max(map(len, table.splitlines())) < 330
    shown = sw("spool", "show", entry.key).out
    assert 'hyperparameters: {"i":0}\nresults: {"accuracy":0.75}\n' in shown
    assert shown.endswith(f"{entry.key}.json\n  first\n  second\n")
    assert json.loads(sw("spool", "show", entry.key, "--format", "json").out)["report"]["results"] == {"accuracy": 0.75}
    assert [each["key"] for each in json.loads(sw("spool", "list", "--format", "json").out)] == [entry.key, other.key]


def test_push_delivers_and_says_what_became_of_each(sw: Command, db: Database, url: str, jobs: list[Job]) -> None:
    """One is recorded, one is late, one belongs to a deleted job and stays: the exit code tells."""
    exp = db.get_experiment("exp")
    entries = [leave(db, url, job) for job in jobs]
    exp.get_job(jobs[1].job_id).prune()
    # The next call of this connection would deliver them; the command shall.
    sw("spool", "push", entries[0].key, entries[1].key)
    exp.get_job(jobs[2].job_id).delete()
    pushed = sw("spool", "push", "--format", "json", code=1).out
    assert [(each["fate"], each["entry"]) for each in json.loads(pushed)] == [("undeliverable", entries[2].key)]
    assert "deleted" in json.loads(pushed)[0]["error"]
    done = exp.get_job(jobs[0].job_id)
    assert (done.status, done.results) == (Job.DONE, {"accuracy": 0.75})
    assert exp.get_job(jobs[1].job_id).attempts()[0].late_results is not None
    assert "undeliverable" in sw("spool", "list").out


def test_stores_that_are_away_do_not_hold_up_the_others(
    sw: Command, db: Database, url: str, jobs: list[Job], tmp_path: Path
) -> None:
    """A server that does not answer and a file that is gone are told of; what can be delivered is."""
    leave(db, "http://127.0.0.1:1", jobs[0])
    leave(db, f"sqlite:///{tmp_path}/gone.db", jobs[1])
    leave(db, url, jobs[2])
    ran = sw("spool", "push", code=1)
    assert "1 recorded, 1 waiting" in ran.out
    assert "gone.db: this file is not there any more" in ran.err
    assert not (tmp_path / "gone.db").exists()
    assert len(json.loads(sw("spool", "list", "--format", "json").out)) == 2


def test_drop_asks_first(sw: Command, db: Database, url: str, jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a no nothing is thrown away; with -f at once; named entries only, or all."""
    entries = [leave(db, "http://elsewhere:8000", job) for job in jobs]
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert "Nothing was thrown away." in sw("spool", "drop", entries[0].key).out
    assert len(json.loads(sw("spool", "list", "--format", "json").out)) == 3
    sw("spool", "drop", code=2)
    assert sw("spool", "drop", "-f", entries[0].key).out == "1 thrown away.\n"
    assert sw("spool", "drop", "--all", "--force").out == "2 thrown away.\n"
    assert sw("spool", "list").out == "Nothing waits in the spool.\n"


def test_a_token_is_sent_to_no_other_server(
    sw: Command, db: Database, url: str, jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configured token belongs to the configured server; another one's entries are pushed without it."""
    monkeypatch.setenv("SWEEPSTAKE_TOKEN", "not a token")  # whoever sends it is refused for its spaces
    entry = leave(db, "http://127.0.0.1:1", jobs[0])
    ran = sw("spool", "push", entry.key, code=1)
    assert "did not answer" in ran.err
    elsewhere = evolve(sw, url="http://127.0.0.1:1")
    assert "API token" in elsewhere("spool", "push", entry.key, code=1).err


def test_a_call_of_any_command_delivers(sw: Command, db: Database, url: str, jobs: list[Job]) -> None:
    """Whoever reaches the store next delivers, without being asked to."""
    entry = leave(db, url, jobs[0])
    sw("list")
    assert sw("spool", "list").out == "Nothing waits in the spool.\n"
    with sweepstake.connect(url) as other:
        assert other.get_experiment("exp").get_job(entry.job).status == Job.DONE
