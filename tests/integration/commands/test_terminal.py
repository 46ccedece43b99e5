"""What a person sees on a terminal of 80 columns."""

import pytest
from rich.cells import cell_len

from sweepstake import Database, Job, ManualSearch
from sweepstake.view.table import OWN, Column, Table
from sweepstake.view.text import boxed
from tests.kit.shell import Command
from tests.kit.terminal import on_terminal

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


def test_ids_of_workers_and_reports_can_be_typed(sweep: list[Job], url: str) -> None:
    """An id in any table is short, told apart, and enough for the verb that takes it."""
    held = [sweep[20].experiment.next_job() for _ in range(2)]
    shown = [line.split("|")[3].strip() for line in on_terminal("--url", url, "workers") if line.startswith("| ")][1:]
    assert sorted(shown) == sorted(job.job_id[-6:] for job in held)
    assert max(map(cell_len, on_terminal("--url", url, "workers"))) <= 80


def test_ages_are_not_cut() -> None:
    """`lost, 32 min ago` is what the table of workers is asked for."""
    row = {"worker": "host:1234567", "experiment": "x" * 60, "job": "06h2c8"}
    row |= {"since": "32 min ago", "heartbeat": "lost, 32 min ago", "attempt": "1"}
    text = boxed(Table.of([{Column(OWN, name): value for name, value in row.items()}]), 80)
    assert "lost, 32 min ago" in text
    assert max(map(cell_len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", ["digits-20261129-064510", "a-rather-long-experiment-name-of-a-demanding-researcher"])
def test_the_best_value_and_the_last_activity_always_have_room(db: Database, url: str, name: str) -> None:
    """A long name gives way, in its middle: what was made together differs at the end."""
    exp = db.add_experiment(ManualSearch(name, objective="validation_accuracy"))
    exp.add_jobs({"x": i} for i in range(9))
    for status in ("DONE", "CRASHED", "PRUNED"):
        exp.add_job({"x": 1}, status=status, results={"validation_accuracy": 0.987654})
    with exp.next_job():
        header, row, *rest = on_terminal("--url", url, "list")
        assert "best" in header
        assert "last ac" in header
        assert "0.987654" in row
        assert {"now", "ago"} & set(row.split())
        assert row.split()[0].endswith(name[-6:])
        assert max(map(cell_len, [header, row, *rest])) <= 80


def test_the_last_activity_is_not_cut(db: Database, url: str) -> None:
    """It says how long ago in whole words."""
    db.add_experiment(ManualSearch("x" * 60, objective="accuracy"))
    assert on_terminal("--url", url, "list")[1].split()[-1] in {"now", "ago", "0"}
