"""Verbs as values: what is sent is what was asked."""

import json
import re
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import pytest

from sweepstake.domain.access import Role
from sweepstake.domain.addresses import by_owner, exact
from sweepstake.domain.batches.progress import BatchNote
from sweepstake.domain.batches.records import AllocationState, BatchDraft, BatchStatus
from sweepstake.domain.drafts import Finish, JobDraft
from sweepstake.domain.duplicates import OnDuplicate
from sweepstake.domain.files import KeptFile, Span
from sweepstake.domain.portable import ImportPart
from sweepstake.domain.query.queries import Condition, JobQuery, Order
from sweepstake.domain.records import ABSENT, PRESENT, Document, ExperimentDraft, Guard, SearchDefinition
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import ExperimentStatus, JobStatus, Outcome
from sweepstake.domain.tasks.needs import Offer, WorkerLabel
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.domain.vocabulary import QueueingChanges
from sweepstake.domain.workers import WorkerReport
from sweepstake.errors import InvalidInputError, NotFoundError
from sweepstake.http.requests import call_of, request_of
from sweepstake.queue import calls
from sweepstake.queue.call import PATIENCE, Call
from sweepstake.queue.calls.several import AttemptReport
from sweepstake.queue.calls.users import AboutUsers
from sweepstake.queue.fields import Asked, MalformedError
from sweepstake.queue.here import PERFORMERS
from sweepstake.values import JsonObject
from sweepstake.wire.credentials import Credentials, NewShare, NewToken
from sweepstake.wire.headers import ADDRESS, OWNER, read_reference
from tests.kit.lab import new_key

KEY: Final = new_key()
NAME: Final = "a/b ü%"
JOB: Final[dict[str, Any]] = {"name": NAME, "id": "..x/y"}
OFFER: Final = Offer(cpu=1.5, gpu=2, memory=3, labels=(WorkerLabel(name="cluster", value="c"),))
VALUES: Final = JsonObject.of({"x": [1, float("nan")], "$y": {"z": None}})

#: One call of each verb in which no field has its default.
SAMPLES: Final[tuple[Call[Any], ...]] = (
    calls.ClaimJob(name=exact("owner\x1fmnist"), key=KEY, worker="gpu:1", repeat=True, ids=("a", "b"), offer=OFFER),
    calls.FinishAttempt(
        name=NAME,
        id="..x/y",
        key=KEY,
        report=Finish(
            attempt=new_key(),
            outcome=Outcome.CRASHED,
            results=VALUES,
            hyperparameters=VALUES,
            reason="r",
            output="o",
            causes=("E", 3),
        ),
        claim=new_key(),
        worker="w",
        repeat=True,
    ),
    calls.ClaimJobs(name=NAME, key=KEY, worker="w", repeat=True, at_once=8, offer=OFFER, slots=OFFER, ids=("b", "a")),
    calls.FinishAttempts(
        name=NAME,
        reports=(
            AttemptReport(id="j", key=KEY, report=Finish(attempt=new_key(), outcome=Outcome.DONE, results=VALUES)),
        ),
        claim=new_key(),
        worker="w",
        repeat=True,
        at_once=3,
        offer=OFFER,
        slots=OFFER,
        ids=("b", "a"),
    ),
    calls.OfferJob(name=NAME, key=KEY),
    calls.OfferJob(name=NAME, key=KEY, new=True),
    calls.Heartbeat(
        attempts=(new_key(), "w" + new_key()),
        worker=WorkerReport(name="w", slots=OFFER, free=OFFER, leaves=True),
    ),
    calls.ListWorkers(),
    calls.ListJobs(
        name=NAME,
        start="7",
        limit=5,
        query=JobQuery(
            status=frozenset({JobStatus.DONE, JobStatus.QUEUED}),
            tag="a&b",
            part="xyz123",
            where=(Condition.parse("results.loss<0.5"), Condition.parse('optimizer="ädam"')),
            order=Order.parse("-loss"),
        ),
    ),
    calls.AddJob(name=NAME, draft=JobDraft(id="j"), key=KEY, on_duplicate=OnDuplicate.SKIP),
    calls.AddJobs(
        name=NAME,
        jobs=(
            JobDraft(
                id="j",
                status=JobStatus.DONE,
                hyperparameters=VALUES,
                results=VALUES,
                priority=-3,
                not_before=12.5,
                tags=("t",),
                notes="n\n",
                origin=VALUES,
                depends_on=("k",),
                prune_with=True,
                task="train",
                gang="g",
                rank=1,
                seed=2,
            ),
        ),
        key=KEY,
        on_duplicate=OnDuplicate.ERROR,
    ),
    calls.PutJob(
        **JOB,
        document=Document(status=JobStatus.PRUNED, hyperparameters=VALUES, results=VALUES),
        key=KEY,
        guard=Guard.match("a", "b"),
        attempt=new_key(),
    ),
    calls.GetJob(**JOB),
    calls.GetGang(**JOB),
    calls.MakeRoom(**JOB, worker="w"),
    calls.DeleteJob(**JOB, key=KEY, guard=PRESENT),
    calls.ListAttempts(**JOB),
    calls.ListDependencies(**JOB),
    calls.ListBlocked(name="sweep", start="7", limit=3),
    calls.PruneJob(**JOB, key=KEY),
    calls.StopJobs(name=NAME, key=KEY, ids=("a", "b")),
    calls.RetryJob(**JOB, key=KEY),
    calls.SetQueueing(**JOB, changes=QueueingChanges(priority=1, not_before=None, tags=("a",), notes="n"), key=KEY),
    calls.ExplainJob(**JOB),
    calls.ListExperiments(start="3", limit=9),
    calls.PutExperiment(
        name=by_owner("ada@example.org", "mnist"),
        draft=ExperimentDraft(
            search=SearchDefinition("Grid", '{"x":[1]}'), status=ExperimentStatus.DONE, settings=Settings(lease=9.0)
        ),
        key=KEY,
        guard=ABSENT,
    ),
    calls.GetExperiment(name=NAME),
    calls.DeleteExperiment(name=NAME, key=KEY, guard=Guard.match("e"), force=True),
    calls.CountJobs(name=NAME),
    calls.PutSpec(name=NAME, draft=SpecDraft(text="a: 1\n", document=VALUES), key=KEY),
    calls.GetSpec(name=NAME, version=3),
    calls.IntendBatches(
        name=NAME,
        batches=(
            BatchDraft(
                id="ü/1",
                jobs=("a", "b"),
                dependencies=("c",),
                backend="slurm",
                name="n",
                nodes=2,
                estimated_runtime=1.5,
                timeout=60.0,
                layout="flat",
                session="s",
                estimates=(1.0, 0.5),
                starts=(0.0, 1.0),
            ),
        ),
        key=KEY,
    ),
    calls.ListBatches(name=NAME, start="3", limit=9, live=True),
    calls.GetBatch(**JOB, number=3),
    calls.NoteBatch(
        **JOB,
        number=3,
        note=BatchNote(
            status=BatchStatus.ENDED, jobid="12_3", allocation=AllocationState.TIMEOUT, reason="DUE TO TIME LIMIT"
        ),
        key=KEY,
    ),
    calls.BeginBatch(**JOB, number=3, jobid="12_3", worker="w"),
    calls.ExportPage(name=NAME, start="jobs.3.0.0"),
    calls.TakePart(name=NAME, part=ImportPart(id=KEY, number=3, abandon=True)),
    calls.AskFiles(name=NAME),
    calls.ListFiles(**JOB, number=3),
    calls.KeepFiles(**JOB, attempt=new_key(), files=(KeptFile(path="a/ü", size=3, sha256="ab" * 32),), keep=2),
    calls.PutContent(
        **JOB, attempt=new_key(), sha256="ab" * 32, size=9, offset=4, digest="cd" * 32, piece=b"\xff\x00{"
    ),
    calls.GetContent(**JOB, number=3, path="a&b/ü", sha256="ab" * 32, within=Span(3, 9)),
    calls.AppendLog(**JOB, attempt=new_key(), offset=7, digest="cd" * 32, piece=b"\r\n"),
    calls.GetLog(**JOB, number=3, within=Span(None, 9)),
    calls.ResetTokens(),
    calls.ListTokens(),
    calls.CreateToken(wanted=NewToken(role=Role.WORK, name="n", lifetime=60.0)),
    calls.RevokeToken(id="0123456789ab"),
    calls.GetAccess(name=NAME),
    calls.ShareExperiment(name=NAME, email="bob@example.org", share=NewShare(Role.READ)),
    calls.UnshareExperiment(name=NAME, email="bob@example.org"),
    calls.WhoAmI(),
    calls.Ping(),
)
#: The same of the verbs that only a server does.
LOGINS: Final[tuple[Call[Any], ...]] = (
    calls.ExchangeToken(credentials=Credentials(email="a@b", token="t")),
    calls.LogIn(credentials=Credentials(email="a@b", token="p")),
)


def arrived(call: Call[Any]) -> Call[Any]:
    """Return the call that a server makes of the request of a call."""
    request = request_of(call)
    path, _, query = request.path.partition("?")
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(call.operation.path))
    found = re.fullmatch(pattern, path)
    assert found is not None, path
    names = {word: unquote(text) for word, text in found.groupdict().items()}
    headers = {name.lower(): value for name, value in request.headers.items()}
    if "name" in names:
        names["name"] = read_reference(names["name"], headers.get(ADDRESS.lower()), headers.get(OWNER.lower()))
    asked = Asked(query=parse_qs(query, keep_blank_values=True), headers=headers, new_key=new_key)
    body = json.loads(request.body) if isinstance(request.body, str) else request.body
    return call_of(type(call), names, asked, body)


@pytest.mark.parametrize("call", SAMPLES + LOGINS, ids=lambda call: call.operation.name)
def test_a_call_arrives_as_it_was_sent(call: Call[Any]) -> None:
    """Every field that travels, wherever in a request it stands."""
    assert arrived(call) == call


@pytest.mark.parametrize("call", SAMPLES, ids=lambda call: call.operation.name)
def test_a_call_shows_no_key(call: Call[Any]) -> None:
    """Whoever reads it in a log can neither repeat it nor report on an attempt."""
    of_attempts = (*getattr(call, "attempts", ()), getattr(getattr(call, "report", None), "attempt", None))
    secrets = (*(getattr(call, name, None) for name in ("key", "claim", "attempt")), *of_attempts)
    assert [secret for secret in secrets if secret and secret in repr(call)] == []


def test_each_verb_is_tried_and_done_by_something() -> None:
    """The samples, the table of verbs and the functions that do them name the same."""
    kinds = set(calls.CALLS.values())
    assert {type(call) for call in SAMPLES} == kinds
    assert set(PERFORMERS) == kinds
    assert tuple(type(call) for call in LOGINS) == calls.LOGINS


def test_what_a_ledger_holds_is_known_by_its_word() -> None:
    """The word of a verb is its operation's; stores have had another for importing ever since."""
    words = {name: kind.word for name, kind in calls.CALLS.items()}
    assert {name: word for name, word in words.items() if word != name} == {"import_part": "import"}


def test_each_verb_needs_the_role_of_what_it_does() -> None:
    """Who may only read changes nothing; who works neither makes nor removes experiments; anybody may ping."""
    needed = {name: kind.operation.role for name, kind in calls.CALLS.items()}
    reading = {"list_experiments", "get_experiment", "count_jobs", "export", "list_jobs", "get_job", "why"}
    reading |= {
        "list_attempts",
        "list_dependencies",
        "list_blocked",
        "ask_files",
        "list_files",
        "get_content",
        "get_log",
    }
    reading |= {"get_spec", "list_workers", "who_am_i", "get_batch", "list_batches"}
    owning = {"put_experiment", "put_spec", "delete_experiment", "import_part", "delete_job"}
    owning |= {"resettoken", "list_tokens", "create_token", "revoke_token", "get_access", "share", "unshare"}
    assert {name for name, role in needed.items() if role is Role.READ} == reading
    assert {name for name, role in needed.items() if role is Role.ADMIN} == owning
    assert {name for name, role in needed.items() if role is None} == {"ready"}
    assert {kind.operation.role for kind in calls.LOGINS} == {None}


def test_all_verbs_but_few_outlast_a_store_that_is_away() -> None:
    """The next heartbeat is the repeat of the last; a ping tells how it is now; calls about users have no key."""
    once = {
        call.operation.name for call in SAMPLES + LOGINS if call.patience is None and not isinstance(call, AboutUsers)
    }
    assert once == {"heartbeat", "ready"}
    assert {call.patience for call in SAMPLES + LOGINS if isinstance(call, AboutUsers)} == {None}
    assert {call.patience() for call in SAMPLES if call.patience is not None} == {PATIENCE}


def test_a_write_without_a_key_gets_one() -> None:
    """Clients that know of no keys are served."""
    asked = Asked(query={}, headers={}, new_key=lambda: KEY)
    assert call_of(calls.PruneJob, {"name": "e", "id": "j"}, asked, None).key == KEY


@pytest.mark.parametrize(
    "headers, tree, path",
    [
        ({"idempotency-key": "short"}, {"worker": "w"}, "Idempotency-Key"),
        ({}, {"worker": "w", "misspelt": 1}, "misspelt"),
        ({}, {"ids": ["a\n"]}, "ids[0]"),
        ({}, [], ""),
    ],
)
def test_what_has_not_the_form_is_malformed(headers: dict[str, str], tree: Any, path: str) -> None:
    """The error names the header or the field."""
    asked = Asked(query={}, headers=headers, new_key=new_key)
    with pytest.raises(MalformedError) as refused:
        call_of(calls.ClaimJob, {"name": "e"}, asked, tree)
    assert [where for where, _ in refused.value.problems] == [path]


def test_what_cannot_be_named_is_not_sent() -> None:
    """What shall be made is refused; what is asked for is not there."""
    with pytest.raises(InvalidInputError, match="id"):
        request_of(calls.PutJob(name="e", id="\n", document=Document(status=JobStatus.DONE), key=KEY))
    with pytest.raises(NotFoundError):
        request_of(calls.GetJob(name="e", id="\n"))
