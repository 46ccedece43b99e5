"""What cannot be planned is refused, by the name of what is guilty and nothing else."""

from __future__ import annotations

import pickle
import re

import pytest

from sweepstake.batch import BatchJob, Capacity, PlanError, plan

_NODE = Capacity(cpus=8, gpus=1, resources={"memory": 2**30})


def _job(id_: str, **fields: object) -> BatchJob:
    return BatchJob(**{"id": id_, "runtime": 1.0, **fields})  # type: ignore[arg-type]


def _refused(jobs: list[BatchJob], **settings: object) -> PlanError:
    with pytest.raises(PlanError) as caught:
        plan(jobs, **{"capacity": _NODE, **settings})  # type: ignore[arg-type]
    return caught.value


def _named(error: PlanError) -> set[str]:
    return set(re.findall(r"'(\w+)'", str(error)))


@pytest.mark.parametrize("runtime", [-1, float("nan"), float("inf"), 10**400, True, "5", None])
def test_a_runtime_that_is_none(runtime: object) -> None:
    """Seconds are a number from 0."""
    error = _refused([_job("good"), _job("bad", runtime=runtime)])
    assert error.jobs == ("bad",)
    assert "'bad': runtime: must be a number of seconds from 0" in str(error)
    assert "good" not in str(error)


@pytest.mark.parametrize(
    "field,value",
    [
        ("cpus", -1),
        ("cpus", float("nan")),
        ("gpus", "1"),
        ("nodes", 0),
        ("nodes", 1.5),
        ("nodes", True),
        ("priority", 0.5),
        ("resources", {"memory": -1}),
        ("depends_on", "others"),
    ],
)
def test_an_amount_that_is_none(field: str, value: object) -> None:
    """The field is named with the job."""
    error = _refused([_job("good"), _job("bad", **{field: value})])
    assert re.search(rf"'bad': {field}(\.memory)?: must be", str(error))
    assert "good" not in str(error)


def test_ids_that_stand_there_twice() -> None:
    """Each is named once, with how often it stands there."""
    error = _refused([_job("a"), _job("b"), _job("b"), _job("c"), _job("c"), _job("c")])
    assert error.jobs == ("b", "c")
    assert "'b': stands there 2 times" in str(error)
    assert "'c': stands there 3 times" in str(error)
    assert "'a'" not in str(error)


def test_jobs_that_fit_no_node() -> None:
    """Every one is named, with the kind and the numbers."""
    error = _refused(
        [
            _job("fits", cpus=8),
            _job("cpus", cpus=9),
            _job("gpus", gpus=2),
            _job("memory", resources={"memory": 2**31}),
            _job("other", resources={"fpga": 1}),
            _job("nodes", nodes=2),
        ]
    )
    assert error.jobs == ("cpus", "gpus", "memory", "nodes", "other")
    for said in (
        "'cpus': needs 9 cpus on a node; a node has 8",
        "'gpus': needs 2 gpus on a node; a node has 1",
        "'memory': needs 2147483648 memory on a node; a node has 1073741824",
        "'other': needs 1 fpga on a node; a node has 0",
        "'nodes': needs 2 nodes; an allocation has at most 1",
    ):
        assert said in str(error)
    assert "fits" not in str(error)


def _waiting(**others: str) -> list[BatchJob]:
    return [_job(id_, depends_on=tuple(after)) for id_, after in others.items()]


@pytest.mark.parametrize(
    "jobs,circles",
    [
        (_waiting(a="a"), ["'a' -> 'a'"]),
        (_waiting(a="b", b="c", c="a"), ["'a' -> 'b' -> 'c' -> 'a'"]),
        (_waiting(a="b", b="a", c="d", d="c", e="a", f="e", g=""), ["'a' -> 'b' -> 'a'", "'c' -> 'd' -> 'c'"]),
        (_waiting(a="bc", b="a", c="a"), ["'a' -> 'b' -> 'a'", "'c' -> 'a' -> 'c'"]),
        (_waiting(a="b", b="ac", c="d", d="c", x="a", y="", c1="c"), ["'a' -> 'b' -> 'a'", "'c' -> 'd' -> 'c'"]),
        (_waiting(a="b", b="am", m="c", c="d", d="c"), ["'a' -> 'b' -> 'a'", "'c' -> 'd' -> 'c'"]),
    ],
)
@pytest.mark.parametrize("layout", ["flat", "atomic"])
def test_jobs_that_wait_for_themselves(jobs: list[BatchJob], circles: list[str], layout: str) -> None:
    """Each circle is shown in the order of waiting; what only waits for one, or is waited for by one, is not named."""
    error = _refused(jobs[::-1], layout=layout)
    assert str(error) == "depends_on: jobs wait for each other in a circle: " + "; ".join(circles)
    assert set(error.jobs) == _named(error)


def test_a_circle_of_ten_thousand() -> None:
    """It is found without deep recursion, and shown whole."""
    jobs = [_job(f"{number:05}", depends_on=[f"{(number + 1) % 10_000:05}"]) for number in range(10_000)]
    error = _refused(jobs)
    assert error.jobs == tuple(job.id for job in jobs)


@pytest.mark.parametrize("count", [0, -2, 1.5, True, "many", float("nan")])
def test_a_count_that_is_none(count: object) -> None:
    """It is a whole number from 1, or the word."""
    assert str(_refused([_job("a")], count=count)).startswith("count: must be a whole number from 1, or 'max'")


@pytest.mark.parametrize("duration", [0, -2, True, "1h", float("nan"), float("inf"), 10**400])
def test_a_duration_that_is_none(duration: object) -> None:
    """It is a number of seconds."""
    assert str(_refused([_job("a")], duration=duration)).startswith("duration: must be a number of seconds above 0")


def test_a_count_below_the_layers() -> None:
    """The message says how many batches dependencies need; connected jobs in one batch need none."""
    jobs = _waiting(a="", b="a", c="b", d="")
    assert str(_refused(jobs, count=2)) == "count: 2 is too few; the layers that dependencies need take 3 batches"
    assert len(plan(jobs, capacity=_NODE, count=3)) == 3
    assert len(plan(jobs, capacity=_NODE, count=2, layout="atomic")) <= 2


@pytest.mark.parametrize(
    "settings,said",
    [
        ({"count": 1, "duration": 1}, "count and duration: give one of them"),
        ({"layout": "round"}, "layout: must be 'flat' or 'atomic', is 'round'"),
        ({"layout": ["flat"]}, "layout: must be"),
        ({"nodes": "some"}, "nodes: must be 'any' or 'same', is 'some'"),
        ({"nodes": "same", "layout": "atomic"}, "nodes: 'same' goes with the layout 'flat' only"),
        ({"capacity": Capacity(cpus=-1)}, "capacity.cpus: must be a number from 0"),
        ({"capacity": Capacity(cpus=1, nodes=0)}, "capacity.nodes: must be a whole number from 1"),
        ({"capacity": Capacity(cpus=1, resources={"x": float("nan")})}, "capacity.resources.x: must be"),
    ],
)
def test_settings_that_are_wrong(settings: dict[str, object], said: str) -> None:
    """They are refused without any job, too, and no job is named."""
    assert said in str(_refused([], **settings))
    assert _refused([], **settings).jobs == ()


def test_the_error_is_a_value_error_that_crosses_to_another_process() -> None:
    """With the jobs that it names."""
    error: PlanError = pickle.loads(pickle.dumps(_refused([_job("bad", runtime=-1)])))
    assert issubclass(PlanError, ValueError)
    assert error.jobs == ("bad",)


@pytest.mark.parametrize(
    "text,capacity",
    [
        ("cpus=8", Capacity(cpus=8)),
        (" nodes = 4 , cpus=64, gpus=8 ", Capacity(cpus=64, gpus=8, nodes=4)),
        ("cpus=64,memory=256GiB", Capacity(cpus=64, resources={"memory": 256 * 2**30})),
        ("cpus=1,licenses=3,gpus=0,", Capacity(cpus=1, resources={"licenses": 3})),
    ],
)
def test_capacities_that_are_read(text: str, capacity: Capacity) -> None:
    """As people write them for the command."""
    assert Capacity.parse(text) == capacity


@pytest.mark.parametrize(
    "text,said",
    [
        ("", "cpus is missing"),
        ("nodes=2", "cpus is missing"),
        ("8", "must be KIND=NUMBER"),
        ("cpus=", "must be KIND=NUMBER"),
        ("=8", "must be KIND=NUMBER"),
        ("cpus=0", "cpus must be a whole number from 1"),
        ("cpus=-1", "cpus must be a whole number from 1"),
        ("cpus=1.5", "cpus must be a whole number from 1"),
        ("cpus=8,nodes=0", "nodes must be a whole number from 1"),
        ("cpus=8,gpus=x", "gpus must be a whole number from 0"),
        ("cpus=8,memory=lots", "memory must be a number with a unit"),
        ("cpus=8,cpus=9", "cpus is given twice"),
        (None, "must be a text"),
        (8, "must be a text"),
    ],
)
def test_capacities_that_cannot_be_read(text: object, said: str) -> None:
    """The part that is wrong is named."""
    with pytest.raises(PlanError, match=re.escape(said)):
        Capacity.parse(text)  # type: ignore[arg-type]
