"""What an older process does without a word about fingerprints is noticed when it matters."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sweepstake.domain.duplicates import OnDuplicate
from sweepstake.domain.records import UNGUARDED, ExperimentDraft, SearchDefinition
from tests.kit.clocks import HandClock
from tests.kit.lab import document, draft, new_key
from tests.kit.stores import Kept, open_store


@pytest.fixture
def store(tmp_path: Path, clock: HandClock) -> Iterator[Kept]:
    """A store with an experiment `sweep`, in which the jobs a and b have x = 1 and x = 2."""
    with closing(open_store(f"sqlite:///{tmp_path}/store.db", clock)) as opened:
        manual = ExperimentDraft(search=SearchDefinition("Manual"))
        opened.put_experiment("sweep", manual, guard=UNGUARDED, key=new_key())
        assert skip(opened, a=1, b=2) == {}
        yield opened


def skip(store: Kept, **jobs: int) -> dict[int, str]:
    """Add jobs with these values of x, and return what was left out."""
    drafts = [draft(id_, of=document(hyperparameters={"x": x})) for id_, x in jobs.items()]
    added = store.add_jobs("sweep", drafts, key=new_key(), on_duplicate=OnDuplicate.SKIP)
    return {each.place: each.id for each in added.duplicates}


@pytest.mark.parametrize("many", [1, 3])
def test_a_job_that_an_older_process_deleted_is_no_duplicate(store: Kept, tmp_path: Path, many: int) -> None:
    """Nor are several, one after another."""
    for i in range(many):
        store.add_jobs("sweep", [draft(f"repeat {i}", of=document(hyperparameters={"x": 1}))], key=new_key())
    assert skip(store, c=1) == {0: "a"}
    with closing(sqlite3.connect(tmp_path / "store.db")) as older, older:
        older.execute("delete from jobs where hyperparameters = ?", ['{"x":1}'])
    assert skip(store, d=1) == {}
    assert skip(store, e=1, f=2) == {0: "d", 1: "b"}


def test_a_job_that_an_older_process_changed_counts_as_it_is(store: Kept, tmp_path: Path) -> None:
    """What it was before is free again."""
    with closing(sqlite3.connect(tmp_path / "store.db")) as older, older:
        older.execute("update jobs set hyperparameters = ? where id = 'a'", ['{"x":7}'])
    assert skip(store, c=1) == {}
    assert skip(store, d=7) == {0: "a"}
