"""Experiments and databases as a user holds them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest

import sweepstake
from sweepstake import Experiment, Job
from sweepstake.client.redefining import set_status

#: No setting is as it is by default.
_FULL: dict[str, Any] = {
    "lease": 120.0,
    "timeout": 3600.0,
    "max_attempts": 3,
    "max_lost": 5,
    "max_preemptions": 7,
    "retry_delay": 5.0,
    "no_retry_on": ("ValueError", 2),
    "max_running": 4,
    "max_jobs": 50,
    "objective": "accuracy",
    "direction": "min",
    "seed": 11,
    "tags": ("vision",),
    "notes": "ours",
}


def test_every_search_comes_back_as_it_was(db: sweepstake.Database) -> None:
    """An experiment read from the store has the class, search and settings it was made with."""
    made: list[Experiment] = [
        sweepstake.ManualSearch("manual", lease=30, tags=["a"], notes="two\nlines"),
        sweepstake.RandomSearch(
            "random",
            {
                "a": sweepstake.LogUniform(1e-4, 1),
                "b": sweepstake.Uniform(0, 1),
                "c": sweepstake.Choice(["x", {"y": [1]}], weights=[1, 2]),
                "d": sweepstake.Normal(0, 2),
                "e": sweepstake.Constant([1, "two"]),
            },
            max_jobs=10,
        ),
        sweepstake.GridSearch("grid", {"a": [1, 2]}, objective="loss", direction="min"),
        sweepstake.PopulationBasedTraining(
            "pbt",
            "max",
            "accuracy",
            sweepstake.Truncate(0.3),
            explore={"lr": sweepstake.Perturb(0.5, 2.0)},
            initial_distributions={"lr": sweepstake.LogUniform(1e-4, 1)},
            population_size=4,
            max_generations=3,
        ),
    ]
    for experiment in made:
        db.add_experiment(experiment)
    found = list(db.get_experiments())
    assert [type(each) for each in found] == [type(each) for each in made]
    assert [each.search() for each in found] == [each.search() for each in made]
    assert [each.settings for each in found] == [each.settings for each in made]


def test_many_workers_may_start_the_same_script(db: sweepstake.Database) -> None:
    """`exist_ok` takes the experiment that is there, unless it is another search."""
    first = db.add_experiment(sweepstake.ManualSearch("exp", lease=30))
    second = db.add_experiment(sweepstake.ManualSearch("exp"), exist_ok=True)
    assert second.settings == first.settings
    with pytest.raises(sweepstake.ResourceExistsError):
        db.add_experiment(sweepstake.ManualSearch("exp"))
    with pytest.raises(sweepstake.ResourceExistsError, match="another search"):
        db.add_experiment(sweepstake.GridSearch("exp", {"a": [1]}), exist_ok=True)


def test_a_clash_says_what_differs(db: sweepstake.Database) -> None:
    """Settings, status and parameters of the search, with what can be done about it."""
    x = sweepstake.Uniform(0, 1)
    db.add_experiment(sweepstake.RandomSearch("exp", {"x": x, "y": x}, max_jobs=5, direction="min"))
    same = sweepstake.RandomSearch("exp", {"x": x, "y": x}, max_jobs=5, direction="min")
    with pytest.raises(sweepstake.ResourceExistsError, match=r"'exp' already\. Choose.*exist_ok=True takes the one"):
        db.add_experiment(same)
    other = sweepstake.RandomSearch("exp", {"x": x, "y": x}, "DONE", max_jobs=7)
    with pytest.raises(
        sweepstake.ResourceExistsError,
        match=r"already: max_jobs is 5, not 7; direction is 'min', not 'max'; status is RUNNING, not DONE\. .*exist_ok",
    ):
        db.add_experiment(other)
    searches: list[tuple[Experiment, str]] = [
        (sweepstake.RandomSearch("exp", {"x": x, "z": x}), "y is .*uniform.*, not missing"),
        (
            sweepstake.RandomSearch("exp", {"x": x, "y": sweepstake.Uniform(0, 2)}),
            r"with another search: y is .*1\.0.*, not .*2",
        ),
        (sweepstake.GridSearch("exp", {"x": [1]}), "the search is RandomSearch, not Grid"),
    ]
    for search, told in searches:
        for exist_ok in (False, True):
            with pytest.raises(sweepstake.ResourceExistsError, match=told) as caught:
                db.add_experiment(search, exist_ok=exist_ok)
            assert "exist_ok" not in str(caught.value)


def test_a_script_is_told_what_it_does_not_get(db: sweepstake.Database, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever asks for other settings than the experiment has learns which, and the experiment stays as it is."""
    db.add_experiment(sweepstake.ManualSearch("exp", max_jobs=5))
    db.add_experiment(sweepstake.ManualSearch("exp", max_jobs=5), exist_ok=True)
    assert caplog.text == ""
    taken = db.add_experiment(sweepstake.ManualSearch("exp", "DONE", max_jobs=50, objective="loss"), exist_ok=True)
    assert "max_jobs is 5, not 50; objective is None, not 'loss'; status is RUNNING, not DONE" in caplog.text
    assert (taken.settings.max_jobs, taken.status) == (5, Experiment.RUNNING)


def test_an_experiment_is_guarded_by_its_etag(db: sweepstake.Database, exp: sweepstake.ManualSearch) -> None:
    """Two notebooks cannot overwrite each other's settings unnoticed."""
    other = db.get_experiment("exp")
    exp.update(notes="mine")
    other.status = Experiment.DONE
    with pytest.raises(sweepstake.UnsafeUpdateError):
        other.push_updates()
    other.push_updates(safe=False)
    assert db.get_experiment("exp").status == Experiment.DONE


def test_an_update_changes_what_it_names(db: sweepstake.Database) -> None:
    """Every other setting, the status and the search stay, and the experiment is returned."""
    full = {**_FULL, "max_jobs": 50}
    exp = db.add_experiment(sweepstake.RandomSearch("full", {"x": sweepstake.Uniform(0, 1)}, "DONE", **full))
    before = exp.record
    assert exp.update(max_jobs=52) is exp
    after = db.get_experiment("full")
    assert after.etag is not None
    assert attrs.asdict(after.settings) == attrs.asdict(sweepstake.Settings(**{**full, "max_jobs": 52}))
    assert before is not None
    assert exp.record == after.record == attrs.evolve(before, settings=after.settings, etag=after.etag)
    assert (exp.etag, exp.settings) == (after.etag, after.settings)
    assert exp.update(max_jobs=None, objective="loss").settings.max_jobs is None


def test_an_update_of_what_is_so_writes_nothing(exp: sweepstake.ManualSearch) -> None:
    """The etag stays, so nobody else's push fails for it."""
    before = exp.etag
    assert exp.update().update(lease=60).etag == before


def test_an_update_leaves_what_others_changed(db: sweepstake.Database, exp: sweepstake.ManualSearch) -> None:
    """Other settings and the status of somebody else stay; this object's own push fails then, as it knows less."""
    db.get_experiment("exp").update(lease=5).pause()
    exp.update(max_jobs=3)
    now = db.get_experiment("exp")
    assert (now.settings.lease, now.settings.max_jobs, now.status) == (5, 3, Experiment.DONE)
    with pytest.raises(sweepstake.UnsafeUpdateError):
        exp.push_updates()


def test_an_update_is_guarded(db: sweepstake.Database, exp: sweepstake.ManualSearch) -> None:
    """The same setting is not overwritten unseen; the same value is no clash, and after reading again it goes."""
    db.get_experiment("exp").update(max_jobs=7)
    with pytest.raises(sweepstake.UnsafeUpdateError, match=r"changed max_jobs of 'exp' to 7; it was None"):
        exp.update(max_jobs=3)
    assert exp.update(max_jobs=7).settings.max_jobs == 7
    assert db.get_experiment("exp").update(max_jobs=3).settings.max_jobs == 3


def test_updates_at_the_same_time_are_all_made(db: sweepstake.Database, exp: sweepstake.ManualSearch) -> None:
    """Each thread changes another setting, again and again."""
    changes: list[dict[str, Any]] = [{"lease": 5}, {"max_jobs": 3}, {"timeout": 9}, {"notes": "n"}]
    with ThreadPoolExecutor(len(changes)) as pool:
        list(pool.map(lambda change: db.get_experiment("exp").update(**change), changes))
    settings = attrs.asdict(db.get_experiment("exp").settings)
    assert all(settings[name] == value for change in changes for name, value in change.items())


def test_an_update_that_is_wrong_changes_nothing(exp: sweepstake.ManualSearch) -> None:
    """Neither here nor in the store."""
    before = exp.record
    for wrong in ({"max_job": 3}, {"max_jobs": -1}, {"lease": 5, "status": "DONE"}):
        with pytest.raises(sweepstake.InvalidInputError):
            exp.update(**wrong)
    assert exp.record == before


def test_settings_are_not_assigned(exp: sweepstake.ManualSearch) -> None:
    """Neither as a whole, which would reset others, nor one by one; the error says what to do."""
    with pytest.raises(sweepstake.FrozenSettingsError, match=r"experiment\.update\(max_jobs=52\)"):
        exp.settings = sweepstake.Settings(max_jobs=52)
    with pytest.raises(sweepstake.FrozenSettingsError, match=r"experiment\.update\(max_jobs="):
        exp.settings.max_jobs = 52
    assert exp.settings == sweepstake.Settings(seed=exp.settings.seed)
    with pytest.raises(AttributeError):
        sweepstake.ManualSearch("new").settings = sweepstake.Settings()


def test_settings_of_what_is_not_stored_yet_are_updated_here(db: sweepstake.Database) -> None:
    """Until it is added, there is nothing to write."""
    exp = sweepstake.ManualSearch("new", lease=5).update(max_jobs=3)
    settings = db.add_experiment(exp).settings
    assert (settings.lease, settings.max_jobs) == (5, 3)


def test_nothing_is_claimed_from_a_paused_experiment(exp: sweepstake.ManualSearch) -> None:
    """DONE pauses; RUNNING goes on."""
    exp.add_job({})
    exp.status = Experiment.DONE
    exp.push_updates()
    with pytest.raises(sweepstake.NoJobError) as caught:
        exp.next_job(wait=5)
    assert caught.value.reason == "finished"
    exp.status = Experiment.RUNNING
    exp.push_updates()
    with exp as job:
        assert job.status == Job.RUNNING


@pytest.mark.parametrize(
    "settings, path",
    [
        ({"lease": 0}, "lease"),
        ({"lease": float("nan")}, "lease"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_running": -1}, "max_running"),
        ({"direction": "up"}, "direction"),
        ({"tags": "one"}, "tags"),
        ({"no_retry_on": [True]}, "no_retry_on[0]"),
        ({"colour": "red"}, "colour"),
        ({"seed": 1.5}, "seed"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], path: str) -> None:
    """Bad input is refused before anything is sent, and the error says where."""
    with pytest.raises(sweepstake.InvalidInputError) as caught:
        sweepstake.ManualSearch("exp", **settings)
    assert [where for where, _ in caught.value.problems] == [path]


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "x" * 256, "\ud800", 7])
def test_a_wrong_name_is_refused(name: str) -> None:
    """Names that a URL or a file system would bend are not taken."""
    with pytest.raises(sweepstake.InvalidInputError, match="name"):
        sweepstake.ManualSearch(name)


def test_an_experiment_that_was_never_added_says_so() -> None:
    """Its error tells what to do next."""
    with pytest.raises(sweepstake.ConfigurationError, match="add_experiment"):
        sweepstake.ManualSearch("exp").add_job({})


def test_deleting_needs_force_while_workers_hold_jobs(db: sweepstake.Database, exp: sweepstake.ManualSearch) -> None:
    """An experiment with live leases goes only by force, and then its block says so."""
    exp.add_job({})
    with pytest.raises(sweepstake.NotFoundError), exp.next_job():
        with pytest.raises(sweepstake.LiveLeasesError):
            exp.delete()
        exp.delete(force=True)
    with pytest.raises(sweepstake.NotFoundError):
        db.get_experiment("exp")
    with pytest.raises(sweepstake.UnsafeUpdateError):
        exp.delete()
    exp.delete(ensure=False)


def test_pbt_runs_its_generations_and_ends(db: sweepstake.Database) -> None:
    """Population based training of four members and three generations is twelve jobs, and then DONE."""
    exp = db.add_experiment(
        sweepstake.PopulationBasedTraining(
            "pbt",
            "max",
            "score",
            sweepstake.Truncate(0.25),
            explore={"lr": sweepstake.Perturb()},
            initial_distributions={"lr": sweepstake.Uniform(0.1, 1.0)},
            population_size=4,
            max_generations=3,
        )
    )
    for job in exp.claim_jobs():
        with job:
            job.results["score"] = job.results.get("score", 0) + job.hyperparameters["lr"]
            job.results["weights_path"] = f"/weights/{job.job_id}"
    assert exp.counts().done == 12
    assert db.get_experiment("pbt").status == Experiment.DONE
    assert exp.best_job().results["score"] > 0


def test_a_pause_leaves_the_rest_of_the_definition(db: sweepstake.Database, exp: sweepstake.ManualSearch) -> None:
    """What somebody else changed stays, and this object's next push fails because it does not know of that."""
    other = db.get_experiment("exp")
    other.update(max_running=3)
    exp.pause()
    stored = db.get_experiment("exp")
    assert (stored.status, stored.settings.max_running) == (Experiment.DONE, 3)
    assert exp.status == Experiment.DONE
    with pytest.raises(sweepstake.UnsafeUpdateError):
        exp.push_updates()
    other.resume()
    with pytest.raises(sweepstake.UnsafeUpdateError):
        other.push_updates()


def test_an_update_does_not_push_what_was_assigned(db: sweepstake.Database, exp: sweepstake.ManualSearch) -> None:
    """A status that is not pushed yet stays with the object, and can be pushed afterwards."""
    exp.status = Experiment.DONE
    exp.update(lease=7.0)
    assert db.get_experiment("exp").status == Experiment.RUNNING
    exp.push_updates()
    stored = db.get_experiment("exp")
    assert (stored.settings.lease, stored.status) == (7.0, Experiment.DONE)


def test_pausing_twice_changes_nothing(db: sweepstake.Database, exp: sweepstake.ManualSearch) -> None:
    """Nor does resuming what runs; not even the etag."""
    exp.resume()
    etag = exp.etag
    assert db.get_experiment("exp").etag == etag
    exp.pause()
    paused = exp.etag
    exp.pause()
    assert exp.etag == paused != etag


class _Meddler:
    """A queue in which somebody else changes the experiment between each look and write, some times."""

    def __init__(self, db: sweepstake.Database, times: int) -> None:
        self._db = db
        self._left = times

    def get_experiment(self, name: str) -> Any:
        """Look, and let somebody else write before the caller does."""
        record = self._db.session.queue.get_experiment(name)
        if self._left:
            self._left -= 1
            self._db.get_experiment(name).update(max_jobs=self._left)
        return record

    def put_experiment(self, *arguments: Any) -> Any:
        """Write as the caller asks."""
        return self._db.session.queue.put_experiment(*arguments)


@pytest.mark.usefixtures("exp")
def test_a_pause_outlasts_those_who_write_at_the_same_time(db: sweepstake.Database) -> None:
    """It looks again whenever somebody was faster, and takes nothing back."""
    set_status(_Meddler(db, 3), "exp", Experiment.DONE)  # type: ignore[arg-type]  # it has the two methods
    stored = db.get_experiment("exp")
    assert (stored.status, stored.settings.max_jobs) == (Experiment.DONE, 0)


def test_jobs_are_stopped(exp: sweepstake.ManualSearch) -> None:
    """Some, by object or id, or all of them; what has ended stays."""
    exp.add_jobs({"i": i} for i in range(4))
    one, two, three, four = exp.all_jobs()
    with one:
        pass
    assert exp.stop([two, three.job_id]) == 2
    assert exp.stop() == 1
    assert [exp.get_job(job.job_id).status for job in (one, two, three, four)] == ["DONE", *["PRUNED"] * 3]
