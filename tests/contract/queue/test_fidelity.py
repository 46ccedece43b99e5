"""What goes in comes out, to the bit: values and names of every kind."""

import math
import struct
from collections.abc import Callable
from typing import Any

import pytest

from sweepstake.domain.drafts import Finish
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import UNGUARDED
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.domain.vocabulary import QueueingChanges
from sweepstake.errors import InvalidInputError, NotFoundError
from sweepstake.queue.queue import Queue
from sweepstake.values import JsonObject
from tests.kit.lab import Lab, document, draft, new_key

ODD: dict[str, Any] = {
    "big float": 1e22,
    "minus zero": -0.0,
    "not a number": math.nan,
    "infinities": [math.inf, -math.inf],
    "tenth": 0.1,
    "tiny": 5e-324,
    "huge": 1.7976931348623157e308,
    "int": 2**63,
    "negative int": -(2**200),
    "one": 1,
    "one float": 1.0,
    "true": True,
    "null": None,
    "empty": {"list": [], "dict": {}, "text": ""},
    "nul \u0000": "a\u0000b",
    "😀 key": "👩‍👩‍👧 é e\u0301 \u200b \ufeff",
    "controls": "\t\n\r\x1b\x7f\u2028",
    "$number": {"$number": "NaN"},
    "$$twice": {"$": 1},
    "html": "<script>alert('&amp;')</script>",
    "sql": "'; DROP TABLE jobs; --",
    "%s %h {0}": "%d",
    "deep": [[[[[[[[{"a": [1, [2, [3]]]}]]]]]]]],
    "\\u0041": "\\n\"'",
    "": "empty key",
    "number as text": "1e22",
}

NAMES = [
    "%2F",
    "a/b",
    "/",
    "a%2Fb%252F",
    "../x",
    "...",
    "a\\b",
    "?q=1&x#y",
    ";v=1",
    "a b",
    " ",
    "  ",
    "+",
    "😀",
    "é",
    "e\u0301",
    "\u202eltr",
    "\ufeffbom",
    "日本語",
    "'; drop table jobs; --",
    '"quoted"',
    "<b>&amp;</b>",
    "$1 :name %s {x} @p",
    "null",
    "0",
    "-1",
    "bulk",
    "claim",
    "n" * 255,
    "😀" * 255,
    "\u00a0",
    "\U0010ffff",
]

BAD_NAMES = ["", ".", "..", "a\nb", "\x00", "\x7f", "x" * 256, "a\u0085b", "\ud800"]


def _bits(value: Any) -> Any:
    """Return the value with each float as its bytes and its type beside each number, so that == is identity."""
    if isinstance(value, dict):
        return {key: _bits(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_bits(item) for item in value]
    return struct.pack("<d", value) if isinstance(value, float) else (type(value), value)


@pytest.mark.parametrize("way", ["add", "put", "claim", "finish", "list"])
def test_values_come_back_to_the_bit(lab: Lab, way: str) -> None:
    """On every way that hyperparameters and results go in or out, 1 stays 1, 1.0 stays 1.0 and NaN stays NaN."""
    job_id = lab.add_one(of=document(JobStatus.QUEUED, ODD, ODD))
    if way == "put":
        lab.put(job_id, document(JobStatus.DONE, ODD, ODD))
    elif way == "claim":
        job = lab.claim().job
        assert _bits(job.hyperparameters.decode()) == _bits(job.results.decode()) == _bits(ODD)
    elif way == "finish":
        answer = lab.finish(lab.claim(), results=ODD, hyperparameters=JsonObject.of(ODD)).job
        assert _bits(answer.results.decode()) == _bits(ODD)
    job = lab.jobs()[0] if way == "list" else lab.job(job_id)
    assert _bits(job.hyperparameters.decode()) == _bits(job.results.decode()) == _bits(ODD)
    assert job.results.text == JsonObject.of(ODD).text


def test_keys_keep_their_order(lab: Lab) -> None:
    """An object is read back in the order in which it was written."""
    names = {name: i for i, name in enumerate("zyxabc")}
    assert list(lab.job(lab.add_one(of=document(hyperparameters=names))).hyperparameters.decode()) == list("zyxabc")


def test_late_results_come_back_to_the_bit(lab: Lab) -> None:
    """Also what is kept beside the job."""
    lab.add_one()
    claim = lab.claim()
    lab.prune(claim.job.id)
    lab.finish(claim, results=ODD)
    late = lab.attempts(claim.job.id)[0].late_results
    assert late is not None
    assert _bits(late.decode()) == _bits(ODD)


def test_a_megabyte_of_results_is_kept(lab: Lab) -> None:
    """Large results come back whole."""
    lab.add_one()
    curve = {"curve": [i / 7 for i in range(70_000)]}
    finished = lab.finish(lab.claim(), results=curve)
    assert len(finished.job.results.text) > 1_000_000
    assert lab.job(finished.job.id).results.decode() == curve


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_text_may_name_an_experiment_and_a_job(queue: Queue, name: str) -> None:
    """Every call finds what has the name, and nothing that merely looks like it."""
    lab = Lab.new(queue, name=f"{name}{new_key()}" if len(name) < 255 else name[:200] + new_key())
    assert lab.record().name == lab.name
    lab.put(name, document(), key=new_key())
    lab.add_one(of=document(JobStatus.DONE))
    claim = lab.claim(worker=name)
    assert (claim.job.id, claim.job.experiment, claim.job.worker) == (name, lab.name, name)
    lab.finish(claim, results={name: name}, reason=name)
    assert lab.job(name).results.decode() == {name: name}
    assert lab.attempts(name)[0].reason == name
    assert next(job.id for job in lab.walk(JobQuery(status=frozenset({JobStatus.DONE})))) == name
    lab.delete(name)
    assert len(lab.jobs()) == 1


@pytest.mark.parametrize("name", ["/", "%2F", "😀", "'", "a b", "?", "#", "..."], ids=ascii)
def test_an_experiment_may_have_the_bare_name(queue: Queue, name: str) -> None:
    """A single odd character is a name as any other."""
    lab = Lab.new(queue, name=name)
    job_id = lab.add_one()
    assert lab.job(job_id).experiment == name
    lab.queue.delete_experiment(name, guard=UNGUARDED, key=new_key())


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_names_that_nobody_could_type_are_refused(lab: Lab, name: str) -> None:
    """Control characters, half characters, nothing, too much, and what URLs drop: the error names the field."""
    with pytest.raises(InvalidInputError):
        Lab.new(lab.queue, name=name)
    with pytest.raises(InvalidInputError):
        lab.put(name, document())
    with pytest.raises(InvalidInputError):
        lab.add(draft(name))
    assert lab.jobs() == []


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_what_cannot_exist_is_not_there(lab: Lab, name: str) -> None:
    """Whoever asks for it, works on it or deletes it is told that there is no such thing, whatever the call."""
    nowhere = Lab(lab.queue, name)
    lab.add_one()
    claim = lab.claim()
    asks: list[Callable[[], object]] = [
        nowhere.record,
        nowhere.jobs,
        nowhere.ask,
        nowhere.offer,
        lambda: nowhere.job("a"),
        lambda: nowhere.put("a", document()),
        lambda: nowhere.add(draft()),
        lambda: lab.job(name),
        lambda: lab.attempts(name),
        lambda: lab.prune(name),
        lambda: lab.queue.count_jobs(name),
        lambda: lab.queue.list_dependencies(lab.name, name),
        lambda: lab.queue.why(lab.name, name),
        lambda: lab.queue.retry(lab.name, name, key=new_key()),
        lambda: lab.queue.set_queueing(lab.name, name, QueueingChanges(priority=1), key=new_key()),
        lambda: lab.queue.delete_job(lab.name, name, guard=UNGUARDED, key=new_key()),
        lambda: lab.queue.delete_experiment(name, guard=UNGUARDED, key=new_key()),
        lambda: lab.queue.export_page(name),
        lambda: lab.queue.finish(lab.name, name, Finish(attempt=claim.key, outcome=Outcome.DONE), key=new_key()),
    ]
    for ask in asks:
        with pytest.raises(NotFoundError):
            ask()
    assert [job.status for job in lab.jobs()] == [JobStatus.RUNNING]


def test_names_are_not_folded(queue: Queue) -> None:
    """Case, composition and trailing space tell names apart."""
    tail = new_key()
    names = [f"é{tail}", f"e\u0301{tail}", f"É{tail}", f"é{tail} ", f" é{tail}"]
    labs = [Lab.new(queue, name=name) for name in names]
    for i, lab in enumerate(labs):
        lab.add_many(i)
    assert [len(lab.jobs()) for lab in labs] == [0, 1, 2, 3, 4]
