"""What a notebook shows of what methods return, and what completion offers."""

import copy
import pickle

import pytest

from sweepstake import Database, Experiment, ManualSearch


@pytest.fixture
def exp(db: Database) -> Experiment:
    """Thirty jobs, most of them done, and one that crashed."""
    exp = db.add_experiment(ManualSearch("notebook", objective="accuracy"))
    for i in range(30):
        exp.add_job({"i": i}, "DONE" if i else "QUEUED", {"accuracy": i / 100}, job_id=f"j{i}")
    with pytest.raises(ValueError, match="kernel"), exp.next_job():
        raise ValueError("no such kernel")
    return exp


def test_an_experiment_shows_the_best_and_the_newest(exp: Experiment) -> None:
    """Five of each, with totals and the objective, not the oldest twenty."""
    html = exp._repr_html_()
    assert "30 jobs: 29 done, 1 crashed" in html
    assert "<td>accuracy (max)</td>" in html
    assert "Best jobs" in html
    assert "Newest jobs" in html
    assert {f"j{i}" for i in range(30) if f"<td>j{i}</td>" in html} == {"j29", "j28", "j27", "j26", "j25"}


def test_lists_and_answers_are_tables(exp: Experiment) -> None:
    """`top()`, `counts()`, `why()` and `attempts()` at the end of a cell."""
    crashed = exp.get_job("j0")
    assert "<td>j29</td>" in exp.top(3)._repr_html_()
    assert "<th>crashed</th><td>1</td>" in exp.counts()._repr_html_()
    assert "ValueError: no such kernel" in crashed.attempts()._repr_html_()
    assert "<p>It is CRASHED" in crashed.why()._repr_html_()
    assert "ValueError: no such kernel" in crashed._repr_html_()
    assert str(exp.counts()) == "30 jobs: 29 done, 1 crashed"


def test_attempts_are_a_tuple_that_travels(exp: Experiment) -> None:
    """A copy needs no connection."""
    attempts = exp.get_job("j0").attempts()
    assert pickle.loads(pickle.dumps(attempts)) == copy.deepcopy(attempts) == attempts


def test_completion_offers_what_is_for_users(exp: Experiment) -> None:
    """Methods for the rest of the client are not offered, those of the documentation are."""
    offered = {*dir(exp), *dir(exp.get_job("j0"))}
    assert not offered & {"adopt", "attach", "draft", "drain_into", "from_record", "receive", "session"}
    assert {"top", "counts", "claim_jobs", "results", "put", "attempts"} <= offered
