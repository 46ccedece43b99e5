"""Rows run, at sizes so small that their times mean nothing and only their sense is judged."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.benchmarks.comparing import Row, Sizes
from tests.benchmarks.page import filled
from tests.benchmarks.places import Places, open_places
from tests.benchmarks.report import Finding, load, save, table
from tests.benchmarks.rows import ROWS, choose

TINY = Sizes(
    rounds=1, jobs=12, fairness=24, queued=(20, 40), claims=4, churn=12, bulk=30, read=12, tasks=12, containers=1
)
#: One row of each kind; the others are made of the same parts, and run with `-m benchmark`.
ALWAYS = {
    "cycles-sqlite-1",
    "cycles-postgres-4",
    "http-drain-1",
    "fairness",
    "claim-length-sqlite",
    "claim-lacking-sqlite",
    "claim-snapshot-postgres",
    "bulk-sqlite",
    "memory-http-server",
    "read-postgres",
    "spec-read-10",
    "tasks-host-8",
}
FINDING = Finding(row="a", measure="A thing", unit="ms", ours=3.0, floor=2.0, target=1.4, at_least=False)


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    """Places below the test's folder."""
    with open_places(tmp_path) as opened:
        yield opened


def cases(*, postgres: bool) -> list[ParameterSet]:
    """Return the rows with or without PostgreSQL, those marked that run only when asked for."""
    return [
        pytest.param(row, id=row.name, marks=[] if row.name in ALWAYS else [pytest.mark.benchmark])
        for row in ROWS
        if ("postgres" in row.name) is postgres
    ]


@pytest.mark.parametrize("row", cases(postgres=False))
def test_a_row_finds_a_sane_ratio(row: Row, places: Places) -> None:
    """Each row without PostgreSQL runs to its end and compares positive, finite numbers."""
    finding = row.measure(places, TINY)
    assert finding.row == row.name
    assert math.isfinite(finding.ratio)
    assert finding.ratio >= 0


@pytest.mark.parametrize("row", cases(postgres=True))
def test_a_postgres_row_finds_a_sane_ratio(row: Row, places: Places, postgres_server: object) -> None:
    """Each row on PostgreSQL runs to its end and compares positive, finite numbers."""
    test_a_row_finds_a_sane_ratio(row, places)


def test_rows_are_chosen_by_pattern() -> None:
    """Patterns choose rows; one that matches none is an error which lists the names."""
    assert [row.name for row in choose(["http-drain-*"])] == ["http-drain-1", "http-drain-4"]
    assert len(choose([])) == len({row.name for row in ROWS})
    with pytest.raises(ValueError, match="there are cycles-sqlite-1, "):
        choose(["x"])


def test_a_finding_holds_or_misses_its_target() -> None:
    """A ratio beyond its bound is shown as missed."""
    assert not FINDING.holds
    assert "MISSED" in table([FINDING])
    assert "1.50" in table([FINDING])


def test_a_run_is_saved_and_put_on_a_page(tmp_path: Path) -> None:
    """What is saved is read back the same, and fills the page between its marks, as often as one likes."""
    run = tmp_path / "run.json"
    conditions = {"date": "2001-02-03", "processors": "2 x slow", "system": "Linux", "python": "3", "sqlite": "3"}
    save(run, [FINDING], conditions)
    assert load(run) == ([FINDING], conditions)
    page = filled("above\n<!-- findings -->\nold\n<!-- end of findings -->\nbelow\n", run)
    assert "old" not in page
    assert "| A thing | ms |  | 2 | 3 | 1.50 | <= 1.4 | MISSED |" in page
    assert filled(page, run) == page
    with pytest.raises(ValueError, match="no place for findings"):
        filled("nothing here", run)
