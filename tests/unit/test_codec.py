"""Records as JSON trees, and back."""

import json
from enum import StrEnum
from typing import Any

import attrs
import pytest

from sweepstake.codec import from_answer, from_tree, to_tree
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.portable import ExportPage
from sweepstake.domain.records import (
    Claim,
    ExperimentDraft,
    ExperimentRecord,
    Finished,
    JobRecord,
    NoJob,
    Page,
    SearchDefinition,
    Unranked,
)
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus, NoJobReason, Outcome
from sweepstake.errors import InvalidInputError
from sweepstake.values import JsonObject

JOB = JobRecord(
    experiment="a/b",
    id="1",
    status=JobStatus.RUNNING,
    hyperparameters=JsonObject.of({"a": float("nan"), "$b": [1, 1.0, True, None]}),
    results=JsonObject.of({"\u0000": -0.0, "x": 1e22}),
    etag="k",
    seq=4,
    tags=("x", "y"),
    origin=JsonObject.of({"generation": 2}),
)
CLAIM = Claim(job=JOB, key="k", lease=60.0)
EXPERIMENT = ExperimentRecord(
    name="a",
    status=ExperimentStatus.DONE,
    search=SearchDefinition("RandomSearch", '{"lr":{"const":{"$number":"NaN"}}}'),
    settings=Settings(tags=("t",), no_retry_on=("MemoryError", 3), max_running=2, objective="accuracy"),
    etag="e",
)


def _finished(following: Claim | NoJob | None) -> Finished:
    return Finished(job=JOB, recorded=True, ended=Outcome.DONE, next=following)


@pytest.mark.parametrize(
    "record, kind",
    [
        (JOB, JobRecord),
        (CLAIM, Claim),
        (EXPERIMENT, ExperimentRecord),
        (_finished(None), Finished),
        (_finished(CLAIM), Finished),
        (_finished(NoJob(NoJobReason.DELAYED)), Finished),
        (Page((JOB, JOB), "4"), Page[JobRecord]),
        (Page((JOB,), unranked=Unranked(nan=2)), Page[JobRecord]),
    ],
    ids=lambda value: "" if isinstance(value, type) else type(value).__name__,
)
def test_reading_undoes_writing(record: Any, kind: type) -> None:
    """A record survives its way through JSON text, whoever reads it."""
    tree = json.loads(json.dumps(to_tree(record), allow_nan=False))
    assert from_tree(tree, kind) == record
    assert from_answer(tree, kind) == record


def test_an_experiment_is_written_with_schedys_words() -> None:
    """Its search is a `scheduler` of one key."""
    assert to_tree(EXPERIMENT)["scheduler"] == {"RandomSearch": {"lr": {"const": {"$number": "NaN"}}}}
    assert "search" not in to_tree(EXPERIMENT)


@pytest.mark.parametrize(
    "tree, kind, paths",
    [
        ([], Settings, [""]),
        ({"lease": "60", "seed": True, "misspelt": 1}, Settings, ["lease", "seed", "misspelt"]),
        ({"max_lost": -1}, Settings, ["max_lost"]),
        ({"max_lost": 1.5}, Settings, ["max_lost"]),
        ({"tags": {}}, Settings, ["tags"]),
        ({"no_retry_on": {}}, Settings, ["no_retry_on"]),
        ({"direction": "up"}, Settings, ["direction"]),
        ({"status": "LOST", "results": 3}, JobDraft, ["status", "results"]),
        ({"id": "1", "results": {"a": {"b": [0, "\ud800"]}}}, JobDraft, ["results.a.b[1]"]),
        ({"jobs": [{"status": "LOST", "results": 3}]}, ExportPage, ["jobs[0].id", "jobs[0].status", "jobs[0].results"]),
        ({"items": [3], "next": 3}, Page[JobRecord], ["items[0]", "next"]),
        ({"items": "abc"}, Page[JobRecord], ["items"]),
        ({"items": {}}, Page[JobRecord], ["items"]),
    ],
)
def test_every_fault_is_named_by_its_path(tree: Any, kind: type, paths: list[str]) -> None:
    """All wrong fields are reported at once, and nothing is turned into what it is not."""
    with pytest.raises(InvalidInputError) as caught:
        from_tree(tree, kind)
    assert sorted(path for path, _ in caught.value.problems) == sorted(paths)


def test_paths_begin_where_the_caller_says() -> None:
    """A prefix stands before every path."""
    with pytest.raises(InvalidInputError, match=r"settings\.lease: must be a number, not text"):
        from_tree({"lease": "x"}, Settings, "settings")


def test_whole_numbers_may_be_written_as_fractions() -> None:
    """JSON has one kind of number: 3.0 is a count of 3."""
    assert from_tree({"max_lost": 3.0}, Settings).max_lost == 3


@pytest.mark.parametrize("search", [3, {}, {"Manual": None, "Grid": {}}])
def test_a_scheduler_names_one_search(search: Any) -> None:
    """None, or several, is a fault of the field."""
    with pytest.raises(InvalidInputError, match=r"^scheduler: must"):
        from_tree({"scheduler": search}, ExperimentDraft)


def test_an_answer_of_a_newer_server_is_read() -> None:
    """Fields that this version does not know are passed over in answers, though not in requests."""
    tree = to_tree(JOB) | {"colour": "blue"}
    assert from_answer(tree, JobRecord) == JOB
    with pytest.raises(InvalidInputError, match="colour: is unknown here"):
        from_tree(tree, JobRecord)


class _Colour(StrEnum):
    """A closed set that nobody has told the codec of."""

    RED = "red"


@attrs.frozen
class _Painted:
    """A record with such a field."""

    colour: _Colour


def test_a_closed_set_takes_its_members_alone() -> None:
    """Whichever it is: no text becomes a member of none."""
    assert from_tree({"colour": "red"}, _Painted).colour is _Colour.RED
    for wrong in ("blue", 1, None):
        with pytest.raises(InvalidInputError, match="colour: must be one of red"):
            from_tree({"colour": wrong}, _Painted)
