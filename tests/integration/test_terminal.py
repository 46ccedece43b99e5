"""What a person sees on a terminal of 80 columns."""

import pytest
from rich.cells import cell_len

from sweepstake import Database, Job, ManualSearch
from tests.integration.shell import Command
from tests.integration.terminal import on_terminal

LONG = "/data/projects/digits/with/a/rather/long/path/digits.npz"


@pytest.fixture
def sweep(db: Database) -> list[Job]:
    """Thirty jobs of many hyperparameters, some with results."""
    exp = db.add_experiment(ManualSearch("digits-20261129-034445", objective="accuracy"))
    ids = exp.add_jobs(
        {"rate": 0.1 / (i + 1), "kernel": "rbf" if i % 2 else "linear", "data": LONG, "sizes": [64, i], "depth": 3}
        for i in range(30)
    )
    jobs = [exp.get_job(each) for each in ids]
    for i, job in enumerate(jobs[:20]):
        job.results = {"accuracy": 0.5 + i / 100, "loss": 0.123456789 * i, "seconds": float(i)}
        job.status = "DONE"
        job.put()
    return jobs


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "digits-20261129-034445"],
        ["list", "digits-20261129-034445", "-t"],
        ["best", "digits-20261129-034445", "-n", "5"],
        ["workers"],
    ],
)
def test_tables_fit_the_terminal(sweep: list[Job], url: str, arguments: list[str]) -> None:
    """No line is wider than the terminal, and the best is told in each table of results."""
    lines = on_terminal("--url", url, *arguments)
    assert lines
    assert max(map(cell_len, lines)) <= 80


def test_the_objective_stands_beside_the_status(sweep: list[Job], url: str) -> None:
    """What differs comes first, what is the same in all rows last; what has no room is named."""
    lines = on_terminal("--url", url, "list", "digits-20261129-034445")
    assert lines[0].split()[:5] == ["id", "status", "accuracy", "rate", "kernel"]
    assert [line for line in lines if line.startswith("--wide also shows: ")]
    assert lines[-1] == "30 jobs: 10 ready, 20 done"


def test_ids_are_short_on_a_terminal(sweep: list[Job], url: str) -> None:
    """The last six characters tell jobs apart that were made together."""
    short = on_terminal("--url", url, "best", "digits-20261129-034445")[1].split()[0]
    assert sweep[19].job_id[-6:] == short


def test_everything_is_shown_when_it_is_wanted(sweep: list[Job], url: str) -> None:
    """--wide shows whole ids and values."""
    text = "\n".join(on_terminal("--url", url, "list", "digits-20261129-034445", "--wide", columns=200))
    assert LONG in text
    assert all(job.job_id in text for job in sweep)


def test_a_pipe_gets_everything(sweep: list[Job], sw: Command) -> None:
    """What is no terminal has no width."""
    out = sw("list", "digits-20261129-034445").out
    assert LONG in out
    assert all(job.job_id in out for job in sweep)


def test_what_is_longer_than_the_terminal_goes_through_a_pager(sweep: list[Job], url: str) -> None:
    """The user's own one, and only then."""
    pager = {"PAGER": "sed -e s/^/paged:/"}
    long = on_terminal("--url", url, "list", "digits-20261129-034445", lines=24, environment=pager)
    assert all(line.startswith("paged:") for line in long)
    short = on_terminal("--url", url, "list", lines=24, environment=pager)
    assert not any(line.startswith("paged:") for line in short)


def test_times_are_said_as_people_say_them(sweep: list[Job], url: str, sw: Command) -> None:
    """On a terminal how long ago; for programs ISO 8601."""
    (line, *_) = on_terminal("--url", url, "list", "digits-20261129-034445", "-f", "created_at", "-n", "1")
    assert line.endswith(("ago", "now"))
    assert '"created_at": "20' in sw("list", "digits-20261129-034445", "--format", "json", "-n", "1").out
