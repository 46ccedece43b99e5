"""`connect`: from a URL to a database, loading only what it needs."""

import subprocess
import sys
from pathlib import Path

import pytest

import sweepstake
from tests.kit.checkout import ROOT


def test_importing_loads_neither_a_driver_nor_the_server() -> None:
    """Training images start fast: what only some stores need is loaded when it is asked for."""
    heavy = {"psycopg", "starlette", "uvicorn", "pandas", "requests", "sqlite3", "sklearn", "argon2"}
    code = f"import sys, sweepstake; print(sorted(set(sys.modules) & {heavy!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=ROOT,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://host/db",
        "nonsense",
        "ftp://user:secret@host/",
        "user:secret@host",
        "mysql://user:secret/slash@host/db",
        "mysql://host/db?password=secret",
    ],
)
def test_an_unknown_url_is_refused_without_its_password(url: str) -> None:
    """The error says which URLs there are, and gives no secret away."""
    with pytest.raises(sweepstake.ConfigurationError, match="sqlite:///path") as caught:
        sweepstake.connect(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://user:secret@[::1", "http://user:secret@h\u2100/", "http://user:secret@host/"])
def test_an_unreadable_url_of_a_server_is_refused_without_its_password(url: str) -> None:
    """Also where the library that reads URLs would quote it."""
    with pytest.raises(sweepstake.ConfigurationError, match="URL") as caught:
        sweepstake.connect(url)
    assert "secret" not in str(caught.value)


def test_a_closed_connection_refuses_every_call_at_once(tmp_path: Path) -> None:
    """It does not wait for a store that will not come back."""
    with sweepstake.connect(f"sqlite:///{tmp_path}/store.db") as db:
        exp = db.add_experiment(sweepstake.ManualSearch("exp"))
        job = exp.add_job({"x": 1})
    for call in (exp.counts, job.put, exp.next_job, lambda: db.get_experiment("exp"), lambda: next(exp.all_jobs())):
        with pytest.raises(sweepstake.ConfigurationError, match="connect\\(\\) again"):
            call()
    db.close()


def test_a_job_that_runs_when_its_connection_is_closed_says_so(tmp_path: Path) -> None:
    """Its lease runs out, and it is run again."""
    db = sweepstake.connect(f"sqlite:///{tmp_path}/store.db")
    exp = db.add_experiment(sweepstake.ManualSearch("exp"))
    exp.add_job({"x": 1})
    with pytest.raises(sweepstake.ConfigurationError, match="closed"), exp.next_job():
        db.close()


def test_the_default_store_is_a_file_of_the_users() -> None:
    """Without any setting the first script works."""
    with sweepstake.connect() as db:
        exp = db.add_experiment(sweepstake.ManualSearch("first"))
        exp.add_job({"x": 1})
        with exp as job:
            job.results["y"] = 2
    assert list(Path.home().rglob("sweepstake.db"))
