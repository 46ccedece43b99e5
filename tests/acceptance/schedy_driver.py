"""Drive every public method of the old Schedy client; runs in an environment of its own, without Sweepstake.

    python schedy_driver.py SCENARIO CONFIG

Ends with an exception unless everything that the scenario promises holds.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import schedy  # type: ignore[import-not-found] # it is installed where this runs
import schedy.errors  # type: ignore[import-not-found] # as above
from schedy import pbt, random

ODD_NAMES = (
    "a/b",
    "50%",
    "100%25",
    "why?",
    "#1",
    "a b+c",
    "naïve-名前-🧪",
    "<b>&\"'; drop table jobs",
    "dot.",
    "x" * 255,
)
EVERY_DISTRIBUTION = {
    "loguniform": random.LogUniform(1e-4, 1.0),
    "uniform": random.Uniform(-1.0, 1.0),
    "choice": random.Choice(["a", 2, None, [3], {"four": 4}]),
    "weighted": random.Choice([1, 2], [0.25, 0.75]),
    "normal": random.Normal(0.0, 2.0),
    "constant": random.Constant({"any": ["value"]}),
}


def configuration(config: dict[str, Any], path: Path) -> None:
    """A configuration is read from a path, a file object or a dict, with or without a slash at its root."""
    with path.open() as opened:
        databases = [
            schedy.SchedyDB(config_path=str(path)),
            schedy.SchedyDB(config_path=opened),
            schedy.SchedyDB(config_override=config),
            schedy.SchedyDB(config_override={**config, "root": config["root"].rstrip("/")}),
            schedy.SchedyDB(config_override={**config, "token_type": "password", "token": config["password"]}),
        ]
    databases[0].add_experiment(schedy.ManualSearch("configuration"))
    for database in databases:
        assert "configuration" in {experiment.name for experiment in database.get_experiments()}
    raises(ValueError, lambda: schedy.SchedyDB(config_override={**config, "token_type": "unknown"}))


def bad_credentials(config: dict[str, Any], path: Path) -> None:
    """Wrong tokens, passwords and users are AuthenticationErrors, not endless new logins."""
    del path
    for kind in ("api_token", "password"):
        for change in ({"token": "wrong"}, {"email": "nobody@example.org"}, {"token": ""}):
            database = schedy.SchedyDB(config_override={**config, "token_type": kind, **change})
            error = raises(schedy.errors.AuthenticationError, partial(_list, database))
            assert error.code == 403, error.code
    # A token is no password, nor the other way round.
    crossed = schedy.SchedyDB(config_override={**config, "token_type": "password"})
    raises(schedy.errors.AuthenticationError, partial(_list, crossed))


def _list(db: Any) -> list[Any]:
    return list(db.get_experiments())


def experiments(config: dict[str, Any], path: Path) -> None:
    """All three kinds of experiments come back as they were added; names are taken once."""
    del path
    db = schedy.SchedyDB(config_override=config)
    population = schedy.PopulationBasedTraining(
        "population",
        objective=pbt.MINIMIZE,
        result_name="loss",
        exploit=pbt.Truncate(0.3),
        explore={"uniform": pbt.Perturb(0.5, 2.0)},
        initial_distributions=EVERY_DISTRIBUTION,
        population_size=4,
        max_generations=3,
    )
    random_search = schedy.RandomSearch("random", EVERY_DISTRIBUTION)
    manual = schedy.ManualSearch("manual", status=schedy.Experiment.DONE)
    for experiment in (population, random_search, manual):
        db.add_experiment(experiment)
        raises(schedy.errors.ResourceExistsError, partial(db.add_experiment, experiment))
        read = db.get_experiment(experiment.name)
        assert type(read) is type(experiment)
        assert (read.name, read.status) == (experiment.name, experiment.status)
        assert str(read)
    read = db.get_experiment("random")
    assert read.distributions == EVERY_DISTRIBUTION, read.distributions
    read = db.get_experiment("population")
    assert read.initial_distributions == EVERY_DISTRIBUTION
    assert (read.objective, read.result_name) == (pbt.MINIMIZE, "loss")
    assert (read.exploit, read.explore) == (pbt.Truncate(0.3), {"uniform": pbt.Perturb(0.5, 2.0)})
    assert (read.population_size, read.max_generations) == (4, 3)
    assert {experiment.name for experiment in db.get_experiments()} >= {"population", "random", "manual"}
    raises(schedy.errors.ClientRequestError, lambda: db.get_experiment("no such"))


def updates(config: dict[str, Any], path: Path) -> None:
    """An experiment is changed, paused and deleted; its jobs stay through changes."""
    del path
    db = schedy.SchedyDB(config_override=config)
    experiment = schedy.RandomSearch("updated", {"x": random.Uniform(0, 1)})
    db.add_experiment(experiment)
    job = experiment.add_job(hyperparameters={"x": 0.5})
    experiment.distributions = {"x": random.Uniform(0, 2), "y": random.Constant(1)}
    experiment.status = schedy.Experiment.DONE
    experiment.push_updates()
    read = db.get_experiment("updated")
    assert (read.distributions, read.status) == (experiment.distributions, schedy.Experiment.DONE)
    assert [found.job_id for found in read.all_jobs()] == [job.job_id]
    raises(schedy.errors.NoJobError, read.next_job)
    experiment.status = schedy.Experiment.RUNNING
    experiment.push_updates()
    assert experiment.next_job().job_id == job.job_id
    experiment.delete()
    raises(schedy.errors.ClientRequestError, lambda: db.get_experiment("updated"))
    raises(schedy.errors.UnsafeUpdateError, experiment.delete)
    experiment.delete(ensure=False)
    experiment.push_updates()  # Schedy's unguarded PUT makes it anew
    assert list(db.get_experiment("updated").all_jobs()) == []


def pages(config: dict[str, Any], path: Path) -> None:
    """Listings longer than a page arrive whole, in order, without a warning."""
    del path
    db = schedy.SchedyDB(config_override=config)
    experiment = schedy.ManualSearch("pages")
    db.add_experiment(experiment)
    added = [experiment.add_job(hyperparameters={"i": i}).job_id for i in range(1_010)]
    listed = [job.job_id for job in experiment.all_jobs()]
    assert listed == added, f"{len(listed)} of {len(added)}"
    names = [f"page {i:04}" for i in range(1_010)]
    for name in names:
        db.add_experiment(schedy.ManualSearch(name))
    listed = [found.name for found in db.get_experiments() if found.name.startswith("page ")]
    assert listed == names, f"{len(listed)} of {len(names)}"


def jobs(config: dict[str, Any], path: Path) -> None:
    """Jobs of every status are added, read, replaced and deleted."""
    del path
    db = schedy.SchedyDB(config_override=config)
    experiment = schedy.ManualSearch("jobs")
    db.add_experiment(experiment)
    statuses = (schedy.Job.QUEUED, schedy.Job.RUNNING, schedy.Job.CRASHED, schedy.Job.PRUNED, schedy.Job.DONE)
    for status in statuses:
        job = experiment.add_job(hyperparameters={"a": 1, "b": [1.5, None]}, status=status, results={"r": "s"})
        assert job.etag
        read = experiment.get_job(job.job_id)
        assert (read.status, read.hyperparameters, read.results) == (status, {"a": 1, "b": [1.5, None]}, {"r": "s"})
        assert (read.etag, read.experiment.name, str(read) != "") == (job.etag, "jobs", True)
        for after in statuses:
            read.status = after
            read.put()
            assert experiment.get_job(job.job_id).status == after
        read.results = {}
        read.put()
        assert experiment.get_job(job.job_id).results == {}, "a PUT without results means empty results"
    assert len(list(experiment.all_jobs())) == len(statuses)
    job.delete()
    raises(schedy.errors.ClientRequestError, lambda: experiment.get_job(job.job_id))
    raises(schedy.errors.UnsafeUpdateError, job.delete)
    job.delete(ensure=False)
    own = schedy.Job(job_id="my own/id", experiment=experiment, hyperparameters={"c": 3})
    own.put()
    assert own.etag
    assert experiment.get_job("my own/id").hyperparameters == {"c": 3}
    raises(schedy.errors.ClientRequestError, lambda: experiment.add_job(hyperparameters={}, status="BROKEN"))


def guards(config: dict[str, Any], path: Path) -> None:
    """Whoever writes second fails, unless it asks not to be guarded; a listed job cannot be put safely."""
    del path
    db = schedy.SchedyDB(config_override=config)
    experiment = schedy.ManualSearch("guards")
    db.add_experiment(experiment)
    first = experiment.add_job(hyperparameters={"x": 1})
    second = experiment.get_job(first.job_id)
    first.try_run()
    raises(schedy.errors.UnsafeUpdateError, second.try_run)
    raises(schedy.errors.UnsafeUpdateError, second.put)
    assert experiment.get_job(first.job_id).status == schedy.Job.RUNNING
    second.status = schedy.Job.PRUNED
    second.put(safe=False)
    raises(schedy.errors.UnsafeUpdateError, first.put)
    assert experiment.get_job(first.job_id).status == schedy.Job.PRUNED
    (listed,) = experiment.all_jobs()
    assert listed.etag is None
    raises(schedy.errors.UnsafeUpdateError, listed.put)
    listed.status = schedy.Job.DONE
    listed.put(safe=False)
    assert experiment.get_job(first.job_id).status == schedy.Job.DONE


def blocks(config: dict[str, Any], path: Path) -> None:
    """A `with` block ends DONE or CRASHED with its results, and an empty queue is a NoJobError."""
    del path
    db = schedy.SchedyDB(config_override=config)
    experiment = schedy.ManualSearch("blocks")
    db.add_experiment(experiment)
    raises(schedy.errors.NoJobError, experiment.next_job)
    ids = [experiment.add_job(hyperparameters={"x": i}).job_id for i in range(3)]
    with experiment.next_job() as job:
        assert (job.job_id, job.status) == (ids[0], schedy.Job.RUNNING), "the oldest job comes first"
        job.results["y"] = 1.5
    try:
        with experiment.next_job() as job:
            job.results["partly"] = True
            raise KeyError("the user's")
    except KeyError:
        pass
    with experiment.get_job(ids[2]) as job:
        assert experiment.get_job(ids[2]).status == schedy.Job.RUNNING
    read = [experiment.get_job(job_id) for job_id in ids]
    assert [job.status for job in read] == [schedy.Job.DONE, schedy.Job.CRASHED, schedy.Job.DONE]
    assert [job.results for job in read] == [{"y": 1.5}, {"partly": True}, {}]
    raises(schedy.errors.NoJobError, experiment.next_job)


def values(config: dict[str, Any], path: Path) -> None:
    """Numbers that JSON lacks, extreme floats and any text come back as they were."""
    del path
    db = schedy.SchedyDB(config_override=config)
    experiment = schedy.ManualSearch("values")
    db.add_experiment(experiment)
    sent = {
        "big": 2**70,
        "float": 1e22,
        "tiny": 5e-324,
        "zero": -0.0,
        "text": "\u0000 \u2028 🧪 </script>",
        "": "an empty name",
        "nested": {"list": [1, 2.5, None, True, {"deep": []}]},
        "$set": {"$$twice": 1, "$number": "NaN"},
    }
    job = experiment.add_job(hyperparameters=sent)
    read = experiment.get_job(job.job_id)
    assert read.hyperparameters == sent
    assert math.copysign(1, read.hyperparameters["zero"]) == -1
    assert type(read.hyperparameters["float"]) is float
    with experiment.next_job() as job:
        job.results = {"loss": math.nan, "best": math.inf, "worst": -math.inf, "ok": 1}
    read = experiment.get_job(job.job_id)
    assert read.status == schedy.Job.DONE
    assert set(read.results) == {"loss", "best", "worst", "ok"}
    assert math.isnan(read.results["loss"] + 1), "arithmetic on it works"
    assert (read.results["best"], read.results["worst"], read.results["ok"]) == (math.inf, -math.inf, 1)
    [listed] = experiment.all_jobs()
    assert math.isnan(listed.results["loss"])
    odd = schedy.RandomSearch("odd values", {"$x": random.Choice([math.inf, {"$y": 1}])})
    db.add_experiment(odd)
    assert db.get_experiment("odd values").distributions == odd.distributions
    assert odd.next_job().hyperparameters["$x"] in (math.inf, {"$y": 1})
    assert [job.job_id for job in experiment.all_jobs()] == [read.job_id]


def names(config: dict[str, Any], path: Path) -> None:
    """Experiments and jobs of any name are found again under it, and never under another."""
    del path
    db = schedy.SchedyDB(config_override=config)
    for i, name in enumerate(ODD_NAMES):
        experiment = schedy.ManualSearch(name)
        db.add_experiment(experiment)
        experiment.add_job(hyperparameters={"i": i})
        own = schedy.Job(job_id=name, experiment=experiment, hyperparameters={"own": i}, status=schedy.Job.DONE)
        own.put()
    for i, name in enumerate(ODD_NAMES):
        experiment = db.get_experiment(name)
        assert experiment.name == name
        assert experiment.get_job(name).hyperparameters == {"own": i}
        with experiment.next_job() as job:
            assert job.hyperparameters == {"i": i}
        assert len(list(experiment.all_jobs())) == 2
        experiment.delete()
    assert not {found.name for found in db.get_experiments()} & set(ODD_NAMES)


def random_search(config: dict[str, Any], path: Path) -> None:
    """A random search proposes jobs inside its distributions, after those that were queued by hand."""
    del path
    db = schedy.SchedyDB(config_override=config)
    experiment = schedy.RandomSearch("sampled", EVERY_DISTRIBUTION)
    db.add_experiment(experiment)
    by_hand = experiment.add_job(hyperparameters=dict.fromkeys(EVERY_DISTRIBUTION, 1))
    assert experiment.next_job().job_id == by_hand.job_id
    seen = set()
    for _ in range(20):
        with experiment.next_job() as job:
            drawn = job.hyperparameters
            assert set(drawn) == set(EVERY_DISTRIBUTION)
            assert 1e-4 <= drawn["loguniform"] < 1.0
            assert -1.0 <= drawn["uniform"] < 1.0
            assert drawn["choice"] in EVERY_DISTRIBUTION["choice"].values
            assert drawn["weighted"] in (1, 2)
            assert drawn["constant"] == {"any": ["value"]}
            seen.add(drawn["normal"])
    assert len(seen) == 20, "every draw is a new one"


def population_based_training(config: dict[str, Any], path: Path) -> None:
    """PBT goes from its first population over children to DONE, when no job is left."""
    del path
    db = schedy.SchedyDB(config_override=config)
    experiment = schedy.PopulationBasedTraining(
        "pbt",
        objective=pbt.MAXIMIZE,
        result_name="score",
        exploit=pbt.Truncate(0.25),
        explore={"rate": pbt.Perturb(0.8, 1.25)},
        initial_distributions={"rate": random.Uniform(0.1, 1.0), "kind": random.Choice(["a", "b"])},
        population_size=4,
        max_generations=3,
    )
    db.add_experiment(experiment)
    trained = 0
    children = 0
    while True:
        try:
            job = experiment.next_job()
        except schedy.errors.NoJobError:
            break
        with job:
            children += "score" in job.results
            job.results["score"] = job.results.get("score", 0.0) + job.hyperparameters["rate"]
        trained += 1
        assert trained < 100, "it never ends"
    assert trained >= 8, trained
    assert children >= 4, "children begin with a copy of their parent's results"
    assert db.get_experiment("pbt").status == schedy.Experiment.DONE
    assert all(job.status == schedy.Job.DONE for job in experiment.all_jobs())


def race(config: dict[str, Any], path: Path) -> None:
    """Four workers claim sixty jobs at once: each is run once, none is left."""
    del path
    db = schedy.SchedyDB(config_override=config)
    experiment = schedy.ManualSearch("race")
    db.add_experiment(experiment)
    added = {experiment.add_job(hyperparameters={"i": i}).job_id for i in range(60)}
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        claimed = pool.map(_work, [config] * 4, chunksize=1)
    ran = [job_id for ids in claimed for job_id in ids]
    assert len(ran) == len(added), f"{len(ran)} runs of {len(added)} jobs"
    assert set(ran) == added
    assert {job.status for job in experiment.all_jobs()} == {schedy.Job.DONE}


def _work(config: dict[str, Any]) -> list[str]:
    experiment = schedy.SchedyDB(config_override=config).get_experiment("race")
    ran = []
    while True:
        try:
            with experiment.next_job() as job:
                ran.append(job.job_id)
        except schedy.errors.NoJobError:
            return ran


def restart(config: dict[str, Any], path: Path) -> None:
    """A client goes on across a restart of the server: its login and its etags stay valid."""
    del path
    db = schedy.SchedyDB(config_override=config)
    experiment = schedy.ManualSearch("restart")
    db.add_experiment(experiment)
    experiment.add_job(hyperparameters={"x": 1})
    with experiment.next_job() as job:
        login = db._jwt_token  # noqa: SLF001 -- there is no public way to see that it logs in again
        say("restart the server now")
        assert sys.stdin.readline() == "done\n"
        job.results["y"] = 2
    read = experiment.get_job(job.job_id)
    assert (read.status, read.results) == (schedy.Job.DONE, {"y": 2})
    assert db._jwt_token is login, "it had to log in again"  # noqa: SLF001 -- as above


def say(line: str) -> None:
    """Tell the test."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def raises(kind: type[Exception], call: Callable[[], object]) -> Any:
    """Return the error of exactly this kind that the call must raise."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{call} raised no {kind.__name__}")


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        configuration,
        bad_credentials,
        experiments,
        updates,
        pages,
        jobs,
        guards,
        blocks,
        values,
        names,
        random_search,
        population_based_training,
        race,
        restart,
    )
}

if __name__ == "__main__":
    warnings.filterwarnings("error", module="schedy.pagination")
    chosen, config_path = sys.argv[1:]
    settings = json.loads(Path(config_path).read_text(encoding="utf-8"))
    SCENARIOS[chosen](settings, Path(config_path))
    say("it holds")
