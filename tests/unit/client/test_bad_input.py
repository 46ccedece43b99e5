"""What a user may get wrong: each is refused with the field's name, before anything is sent or changed."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import numpy as np
import pytest

import sweepstake
from sweepstake import InvalidInputError, Job, ManualSearch, NewJob, NotFoundError
from sweepstake.domain.records import UNGUARDED


class Hostile(Mapping[str, Any]):
    """A mapping, and a text for people, that fail in ways of their own."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("no items")

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1

    def __repr__(self) -> str:
        raise RuntimeError("no text")


def _deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(10_000):
        value = [value]
    return value


#: Values that are right in none of the calls.
WRONG: list[Any] = [
    -1.5,
    10**5000,
    b"x",
    object(),
    Hostile(),
    _deep(),
    np.array([1, 2]),
    {"a": 1},
    "\ud800",
    "x" * 10**6,
]
CALLS: dict[str, Callable[[ManualSearch, Any], Any]] = {
    "status": lambda exp, wrong: exp.add_job({}, status=wrong),
    "priority": lambda exp, wrong: exp.add_job({}, priority=wrong),
    "not_before": lambda exp, wrong: exp.add_job({}, not_before=wrong),
    "notes": lambda exp, wrong: exp.add_job({}, notes=wrong),
    "tag": lambda exp, wrong: list(exp.all_jobs(tag=wrong)),
    "order": lambda exp, wrong: list(exp.all_jobs(order=wrong)),
    "n": lambda exp, wrong: exp.top(wrong, "x"),
    "by": lambda exp, wrong: exp.top(1, wrong),
    "direction": lambda exp, wrong: exp.top(1, "x", wrong),
}


@pytest.mark.parametrize("field", CALLS)
def test_a_wrong_argument_is_named_in_a_short_error(exp: ManualSearch, field: str) -> None:
    """Whatever it is, the error begins with the field, stays readable, and nothing was stored."""
    for wrong in WRONG:
        with pytest.raises(InvalidInputError, match=f"^{field}: ") as caught:
            CALLS[field](exp, wrong)
        assert len(str(caught.value)) < 300
    assert exp.counts().ready == 0


def test_a_job_that_cannot_exist_is_not_found(exp: ManualSearch) -> None:
    """Any text may be asked for; what is no text is a wrong argument."""
    for wrong in WRONG:
        kind = NotFoundError if isinstance(wrong, str) else InvalidInputError
        with pytest.raises(kind, match="job_id") as caught:
            exp.get_job(wrong)
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "field, call",
    [
        ("hyperparameters", lambda exp: exp.add_jobs(None)),
        ("hyperparameters", lambda exp: exp.add_jobs({"a": 1})),
        ("tags", lambda exp: exp.add_jobs([], tags=None)),
        ("status", lambda exp: list(exp.all_jobs(status=7))),
        ("where", lambda exp: list(exp.all_jobs(where=7))),
        (r"where\[0\]", lambda exp: list(exp.all_jobs(where=[7]))),
        ("n", lambda exp: exp.top(True, "x")),
        ("wait", lambda exp: exp.next_job("soon")),
        ("wait", lambda exp: exp.next_job(float("nan"))),
        ("wait", lambda exp: exp.claim_jobs(None)),
        ("job_id", lambda exp: exp.add_job({}, job_id="")),
        ("results", lambda exp: exp.add_job({}, results=[])),
        ("not_before", lambda exp: exp.add_job({}, not_before=1e300)),
        ("hyperparameters", lambda exp: exp.add_job(Hostile())),
        ("prune_with_dependencies", lambda exp: exp.add_job({}, prune_with_dependencies="no")),
        (r"depends_on\[1\]", lambda exp: exp.add_job({}, depends_on=["a", job_of_another(exp)])),
        (r"\[0\].depends_on\[0\]", lambda exp: exp.add_jobs([NewJob({}, depends_on=[job_of_another(exp)])])),
        ("hyperparameters.a", lambda exp: exp.add_job({"a": Hostile()})),
    ],
)
def test_a_wrong_kind_of_argument_is_named(exp: ManualSearch, field: str, call: Callable[[Any], Any]) -> None:
    """What cannot be meant is refused here, the same on every store."""
    with pytest.raises(InvalidInputError, match=f"^{field}: "):
        call(exp)
    assert exp.counts().ready == 0


def job_of_another(exp: ManualSearch) -> Job:
    """Make a job in another experiment of the same store."""
    other = ManualSearch("other")
    other.attach(exp.session, exp.session.queue.put_experiment("other", other.draft(), UNGUARDED))
    return other.add_job({}, status="DONE")


def test_what_is_no_experiment_cannot_be_added(db: sweepstake.Database) -> None:
    """The error says what is expected."""
    with pytest.raises(InvalidInputError, match=r"^experiment: must be an experiment, not str"):
        db.add_experiment("mnist")  # type: ignore[type-var]  # on purpose


@pytest.mark.parametrize("assigned", [{"etag": ""}, {"etag": "a\0"}, {"status": []}])
def test_a_wrong_assignment_is_refused_when_it_is_pushed(exp: ManualSearch, assigned: dict[str, Any]) -> None:
    """The stored experiment stays as it was."""
    before = exp.record
    [(field, value)] = assigned.items()
    setattr(exp, field, value)
    with pytest.raises(InvalidInputError, match=f"^{field}: "):
        exp.push_updates()
    assert exp.record == before


@pytest.mark.parametrize("etag", ["", "é", 'a"b', 7, "\ud800", "x" * 300])
def test_an_etag_that_no_store_gave_is_refused(exp: ManualSearch, etag: Any) -> None:
    """A guard that says nothing must not be taken for none."""
    job = exp.add_job({"a": 1})
    stored = exp.get_job(job.job_id).etag
    job.etag = etag
    with pytest.raises(InvalidInputError, match=r"^etag: "):
        job.put()
    assert exp.get_job(job.job_id).etag == stored


@pytest.mark.parametrize(
    "field, value",
    [
        ("results", 5),
        ("results", [1]),
        ("results", Hostile()),
        ("hyperparameters", "x"),
        ("status", []),
        ("status", "?"),
    ],
)
def test_a_block_that_cannot_be_reported_ends_as_crashed(exp: ManualSearch, field: str, value: Any) -> None:
    """The job is not left running, the error names the field, and what can be kept is kept."""
    exp.add_job({"a": 1})
    with pytest.raises(InvalidInputError, match=f"^{field}: "), exp.next_job() as job:
        job.results["kept"] = 1
        setattr(job, field, value)
    stored = exp.get_job(job.job_id)
    assert stored.status == Job.CRASHED
    assert stored.results == ({} if field == "results" else {"kept": 1})
    assert field in stored.attempts()[0].reason


def test_the_users_exception_wins_over_results_that_cannot_be_reported(exp: ManualSearch) -> None:
    """Ours becomes a note on it."""
    exp.add_job({"a": 1})
    with pytest.raises(ZeroDivisionError) as caught, exp.next_job() as job:
        job.results = Hostile()  # type: ignore[assignment]  # on purpose
        raise ZeroDivisionError
    assert "results" in caught.value.__notes__[0]
    assert exp.get_job(job.job_id).status == Job.CRASHED


@pytest.mark.parametrize("field", ["explore", "initial_distributions"])
@pytest.mark.parametrize("value", [(1,), np.array([1, 2]), 0, ""])
def test_a_population_is_described_by_dicts(field: str, value: Any) -> None:
    """Also what is empty or false is looked at."""
    with pytest.raises(InvalidInputError, match=f"^{field}: must be a dict"):
        sweepstake.PopulationBasedTraining(
            "pbt", "max", "accuracy", sweepstake.Truncate(), population_size=3, **{field: value}
        )


@pytest.mark.parametrize("name", [pytest.param(10**5000, id="huge"), Hostile, None])
@pytest.mark.parametrize("make", [lambda name: sweepstake.Grid({name: [1]}), lambda name: _random({name: 1})])
def test_the_name_of_a_hyperparameter_is_text(make: Callable[[Any], Any], name: Any) -> None:
    """However odd the key is, the error can be shown."""
    with pytest.raises(InvalidInputError, match="has the key"):
        make(name)


def _random(distributions: Any) -> sweepstake.RandomSearch:
    return sweepstake.RandomSearch("random", distributions)


def test_a_direction_that_cannot_be_compared_is_refused() -> None:
    """An array is neither min nor max."""
    with pytest.raises(InvalidInputError, match=r"^direction: "):
        sweepstake.Settings(direction=np.array(["min", "max"]))
    assert attrs.asdict(sweepstake.Settings(direction="min"))["direction"] == "min"


@pytest.mark.parametrize(
    "arguments", [{"url": 5}, {"url": b"sqlite:///x"}, {"url": "sqlite:///x.db", "token": 5}, {"config": 5}]
)
def test_connect_names_the_argument_of_a_wrong_type(arguments: dict[str, Any]) -> None:
    """Nothing is opened."""
    with pytest.raises(sweepstake.ConfigurationError, match=f"^{list(arguments)[-1]}: must be "):
        sweepstake.connect(**arguments)
