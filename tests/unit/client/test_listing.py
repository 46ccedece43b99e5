"""What listings and rankings say about what they do not show."""

import pytest

import sweepstake
from sweepstake.spec import ExperimentSpec, TaskSpec


@pytest.fixture
def runs(exp: sweepstake.ManualSearch) -> sweepstake.ManualSearch:
    """Jobs that are DONE: two with a number, the others with what cannot be compared."""
    for accuracy in (0.7, 0.5, float("nan"), "n/a", None, True):
        exp.add_job({"optimizer": {"lr": 0.1}}, "DONE", {"accuracy": accuracy, "deep": {"loss": 1}})
    exp.add_job({"optimizer": {"lr": 0.2}}, "DONE")
    exp.add_job({"optimizer": {"lr": 0.3}})
    return exp


def test_the_best_say_whom_they_leave_out(runs: sweepstake.ManualSearch, caplog: pytest.LogCaptureFixture) -> None:
    """NaN, text and what is not there are counted in one warning."""
    assert [job.results["accuracy"] for job in runs.top(10, "accuracy")] == [True, 0.7, 0.5]
    [told] = caplog.messages
    assert told == (
        "DONE jobs of 'exp' that are not compared by 'accuracy': 1 with NaN, 1 with text, 1 with a value that is no "
        "number, 1 without a value."
    )


def test_tasks_beside_a_sweep_are_not_missed(db: sweepstake.Database, caplog: pytest.LogCaptureFixture) -> None:
    """What prepares the data has nothing to compare; a job of the sweep without its result is told."""
    prepare, train = (TaskSpec.new(name, docker_image="x", command=["x"]) for name in ("prepare", "train"))
    exp = db.submit(ExperimentSpec(tasks=[prepare, train]), name="steps")
    exp.add_job({}, "DONE", task="prepare")
    exp.add_job({"lr": 0.1}, "DONE", {"loss": 0.5}, task="train")
    assert exp.best_job("loss", direction="min").results == {"loss": 0.5}
    assert not caplog.messages
    exp.add_job({"lr": 0.2}, "DONE", task="train")
    exp.best_job("loss", direction="min")
    assert caplog.messages == ["DONE jobs of 'steps' that are not compared by 'loss': 1 without a value."]


def test_who_leaves_nobody_out_says_nothing(exp: sweepstake.ManualSearch, caplog: pytest.LogCaptureFixture) -> None:
    """A result of any size is a number, and there is no warning without a reason."""
    exp.add_job({}, "DONE", {"accuracy": 10**400})
    exp.add_job({}, "DONE", {"accuracy": float("inf")})
    assert exp.best_job("accuracy").results == {"accuracy": float("inf")}
    assert not caplog.messages


@pytest.mark.parametrize(
    "query,told",
    [
        ({"where": "acuracy > 0.9"}, "No job of 'exp' has 'acuracy'; there is 'accuracy'."),
        ({"where": "results.optimizer.lr > 0"}, "No job of 'exp' has 'results.optimizer.lr'; there is"),
        ({"order": "-acuracy"}, "No job of 'exp' has 'acuracy'; there is 'accuracy'."),
        ({"order": "accuracy, optimizer.lr"}, "No job of 'exp' has 'accuracy, optimizer.lr'; there is"),
    ],
)
def test_a_name_that_no_job_has_is_told(
    runs: sweepstake.ManualSearch, caplog: pytest.LogCaptureFixture, query: dict[str, str], told: str
) -> None:
    """A slip does not look like a condition that nothing fulfils, or an order that was kept."""
    assert len(list(runs.all_jobs(**query))) == (8 if "order" in query else 0)
    assert any(message.startswith(told) for message in caplog.messages)
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"where": "accuracy > 0.9", "tag": "none"},
        {"where": "optimizer.lr > 7"},
        {"where": "deep.loss > 7"},
        {"where": "worker = me"},
        {"where": "notes = mine"},
        {"order": "-optimizer.lr"},
        {"order": "started_at"},
    ],
)
def test_a_name_that_some_job_has_is_not_told(
    runs: sweepstake.ManualSearch, caplog: pytest.LogCaptureFixture, query: dict[str, str]
) -> None:
    """Nothing found is an answer where the names are right."""
    list(runs.all_jobs(**query))
    assert not caplog.messages


def test_an_empty_experiment_tells_nothing(exp: sweepstake.ManualSearch, caplog: pytest.LogCaptureFixture) -> None:
    """Before there are jobs, no name is wrong."""
    assert list(exp.all_jobs(where="x > 1", order="y")) == []
    assert not caplog.messages
