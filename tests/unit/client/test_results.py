"""Results that cannot be recorded: refused in time, and never lost."""

import copy
import datetime as dt
import enum
import gc
import json
import pickle
import re
import time
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import sweepstake
from sweepstake.client.attempt.keeping import Rest, divide, keep
from sweepstake.client.results import Results
from sweepstake.errors import InvalidInputError
from sweepstake.values import MAX_TEXT, JsonObject

_LARGE = "x" * (9 * 1024 * 1024)


@attrs.frozen
class _Point:
    x: int
    where: Any


class _Colour(enum.Enum):
    RED = (1, 2j)


class _Tensor:
    """What libraries for training have: an array that has to be brought home first."""

    def __init__(self, values: list[float]) -> None:
        self._values = values

    def detach(self) -> "_Tensor":
        return self

    def cpu(self) -> Any:
        return np.array(self._values)

    def __array__(self, *_: Any) -> Any:
        raise TypeError("requires grad")


class _Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def _path(error: BaseException) -> Path:
    found = re.search(r"kept in (\S+)$", str(error))
    assert found is not None, str(error)
    return Path(found[1])


@pytest.mark.parametrize(
    "value,kept",
    [
        ({1, 2}, {"$set": [1, 2]}),
        ({1: 0.5, 2: 0.6}, {"$map": [[1, 0.5], [2, 0.6]]}),
        (dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC), {"$time": "2026-01-02T03:04:00+00:00"}),
        (dt.timedelta(minutes=1), {"$seconds": 60.0}),
        (b"\0\xff", {"$bytes": "AP8="}),
        (1 + 2j, {"$complex": [1.0, 2.0]}),
        (Path("/weights"), "/weights"),
        ([1, {2}], [1, {"$set": [2]}]),
        ([{"$a": {2}}], [{"$$a": {"$set": [2]}}]),
        pytest.param(10**5000, {"$int": hex(10**5000)}, id="huge"),
        pytest.param("\ud800", {"$text": "\\ud800"}, id="surrogate"),
        (_Point(1, {2}), {"$class": "_Point", "fields": {"x": 1, "where": {"$set": [2]}}}),
        (_Colour.RED, [1, {"$complex": [0.0, 2.0]}]),
        (_Broken(), {"$unreadable": "_Broken", "because": "RuntimeError"}),
        (np.array([{1}], dtype=object), [{"$set": [1]}]),
        pytest.param(_LARGE, _LARGE, id="large"),
    ],
)
def test_what_cannot_be_recorded_is_kept_in_a_file(exp: sweepstake.ManualSearch, value: Any, kept: Any) -> None:
    """The job is CRASHED, what can be read is recorded, and the error and the attempt name the file of the rest."""
    exp.add_job({})
    with pytest.raises(InvalidInputError) as caught, exp.next_job() as job:
        job.results["accuracy"] = 0.9
        dict.__setitem__(job.results, "rest", value)
    path = _path(caught.value)
    assert json.loads(path.read_text()) == kept
    assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0
    done = exp.get_job(job.job_id)
    assert (done.status, done.results) == ("CRASHED", {"accuracy": 0.9})
    assert str(path) in done.attempts()[0].reason


@pytest.mark.parametrize("value", [np.array([1 + 2j, 3]), np.array(["2026-01-02"], dtype="datetime64[D]")])
def test_an_array_is_kept_as_an_array(exp: sweepstake.ManualSearch, value: Any) -> None:
    """To the bit, in a file that needs no pickle to be read."""
    exp.add_job({})
    with pytest.raises(InvalidInputError) as caught, exp.next_job() as job:
        job.results["array"] = value
    found = np.load(_path(caught.value), allow_pickle=False)
    assert (found == value).all()
    assert found.dtype == value.dtype


def test_a_tensor_is_kept_as_an_array(tmp_path: Path) -> None:
    """It is brought home by what it offers itself."""
    [path] = keep(tmp_path, [Rest("weights", _Tensor([0.5, 0.25]))])
    assert np.load(path, allow_pickle=False).tolist() == [0.5, 0.25]


def test_members_that_can_be_recorded_are() -> None:
    """An object loses only those of its members that JSON cannot hold; a list is whole or not there."""
    results = {"a": {"b": 1, "c": {2}, "d": {"e": {3}, "f": 4}}, "l": [1, {2}], 5: 6, "n": float("nan"), "\ud800": 1}
    kept, rest = divide(results)
    assert kept == JsonObject.of({"a": {"b": 1, "d": {"f": 4}}, "n": float("nan")})
    assert {each.path for each in rest} == {"a.c", "a.d.e", "l", "[5]", "\\ud800"}


def test_the_largest_gives_way() -> None:
    """Of values that fit each by itself and not all together, as few as possible are left out."""
    half = "x" * (MAX_TEXT // 2)
    kept, rest = divide({"a": 1, "b": half, "c": half + "x", "d": {"e": _LARGE, "f": 2}})
    assert [each.path for each in rest] == ["d.e", "c"]
    assert kept.decode() == {"a": 1, "b": half, "d": {"f": 2}}


def test_results_that_are_no_dict_are_kept(exp: sweepstake.ManualSearch) -> None:
    """Also what a training function returned in the place of a dict."""
    exp.add_job({})
    with pytest.raises(InvalidInputError) as caught, exp.next_job() as job:
        job.results = [0.9]  # type: ignore[assignment]  # the mistake is the point
    assert json.loads(_path(caught.value).read_text()) == [0.9]


def _set(results: dict[str, Any]) -> None:
    results["rest"] = _LARGE


def _update(results: dict[str, Any]) -> None:
    results.update({"rest": _LARGE})


def _merge(results: dict[str, Any]) -> None:
    results |= {"rest": _LARGE}


def _default(results: dict[str, Any]) -> None:
    results.setdefault("rest", _LARGE)


def _nested(results: dict[str, Any]) -> None:
    results["rest"] = _LARGE[: MAX_TEXT // 2]
    results["more"] = {"a": [_LARGE[: MAX_TEXT // 2]]}


@pytest.mark.parametrize("act", [_set, _update, _merge, _default, _nested])
def test_what_is_too_large_is_refused_where_it_is_set(exp: sweepstake.ManualSearch, act: Any) -> None:
    """The block can go on without it; the value is kept, and nothing else is refused for its sake."""
    exp.add_job({})
    with exp.next_job() as job:
        job.results["accuracy"] = 0.9
        with pytest.raises(InvalidInputError, match=r"is too large: .* at most 8,388,608") as caught:
            act(job.results)
        job.results["path"] = str(_path(caught.value))
    assert json.loads(_path(caught.value).read_text()) in (_LARGE, {"a": [_LARGE[: MAX_TEXT // 2]]})
    done = exp.get_job(job.job_id)
    assert (done.status, done.results["accuracy"]) == ("DONE", 0.9)


def test_a_whole_assignment_that_is_too_large_is_refused(exp: sweepstake.ManualSearch) -> None:
    """All of it is kept, and the results stay as they were."""
    exp.add_job({})
    with exp.next_job() as job:
        job.results["accuracy"] = 0.9
        with pytest.raises(InvalidInputError, match="is too large") as caught:
            job.results = {"accuracy": 1.0, "rest": _LARGE}
    assert json.loads(_path(caught.value).read_text()) == {"accuracy": 1.0, "rest": _LARGE}
    assert exp.get_job(job.job_id).results == {"accuracy": 0.9}


def test_what_fits_is_never_refused(exp: sweepstake.ManualSearch) -> None:
    """Up to the limit, whatever is set in whatever order; what is replaced or removed makes room."""
    exp.add_job({})
    with exp.next_job() as job:
        for _ in range(3):
            job.results["text"] = "x" * (MAX_TEXT - 100)
        del job.results["text"]
        job.results["numbers"] = list(range(1_000_000))
        job.results.pop("numbers")
        job.results["array"] = np.zeros(1_000_000)
        job.results["array"] = np.zeros((10, 10))
        job.results["set"] = {1}
        job.results["set"] = 1
    assert exp.get_job(job.job_id).results == {"array": np.zeros((10, 10)).tolist(), "set": 1}


def test_setting_small_results_costs_little(exp: sweepstake.ManualSearch) -> None:
    """Beside large ones as well: a step of training may set hundreds."""
    exp.add_job({})
    with exp.next_job() as job:
        job.results["history"] = [0.123456789] * 200_000
        begun = time.process_time()
        for step in range(2_000):
            job.results["step"] = {"number": step, "loss": 0.5}
        assert time.process_time() - begun < 2


def test_what_was_assigned_is_what_is_recorded(exp: sweepstake.ManualSearch) -> None:
    """A dict of the user's stays the user's: what is written into it afterwards counts."""
    exp.add_job({})
    with exp.next_job() as job:
        mine = {"a": 1}
        job.results = mine
        mine["b"] = 2
    assert exp.get_job(job.job_id).results == {"a": 1, "b": 2}


def test_copies_of_results_are_plain_dicts(exp: sweepstake.ManualSearch) -> None:
    """They travel without the job that they came from."""
    results = exp.add_job({}, results={"a": [1]}).results
    for copied in (copy.copy(results), copy.deepcopy(results), pickle.loads(pickle.dumps(results))):
        assert type(copied) is dict
        assert copied == {"a": [1]}


def test_a_full_disk_is_told(exp: sweepstake.ManualSearch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The value is refused all the same, and the readable part recorded."""
    exp.add_job({})
    job = exp.next_job()
    folder = job.checkpoint_dir.with_name(f"{job.checkpoint_dir.name}.kept")
    folder.write_text("in the way")
    with pytest.raises(InvalidInputError, match="could not be kept in a file either"), job:
        job.results |= {"a": 1, "rest": {2}}
    assert exp.get_job(job.job_id).results == {"a": 1}


def test_a_job_that_ended_is_gone_at_once(exp: sweepstake.ManualSearch) -> None:
    """Neither it nor its results wait for the garbage collector, which takes longer than a claim."""
    exp.add_jobs({"i": i} for i in range(6))
    gc.collect()
    gc.disable()
    try:
        for job in exp.claim_jobs():
            with job:
                job.results["accuracy"] = 0.5
            if job.hyperparameters["i"] == 2:
                break
        with exp.next_job() as job:
            job.results["accuracy"] = 0.5
        del job
        assert [each for each in gc.get_objects() if isinstance(each, (sweepstake.Job, Results))] == []
    finally:
        gc.enable()
