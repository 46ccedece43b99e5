"""No text of others drives the terminal, whichever command shows it."""

import sys
import unicodedata
from contextlib import closing
from typing import Final

import pytest

import sweepstake
from sweepstake.domain.access import Role
from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import ABSENT, Claim, Document, ExperimentDraft, SearchDefinition
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.queue.verbs.access.shares import give
from sweepstake.queue.verbs.access.tokens import create_token
from sweepstake.server.passwords import add_user
from sweepstake.values import JsonObject
from tests.kit.lab import draft, new_key
from tests.kit.shell import Command
from tests.kit.stack import open_queue
from tests.kit.stores import open_store

#: What a name may hold that a terminal takes for more than text: an order of letters turned round, a line, no space.
NAME: Final = "x\u202ey\u2028z\u200b\u2066"
#: What a value may hold beyond that: colours, a cleared screen, a line written over, a window's title.
VALUE: Final = f"{NAME}\x1b[31m\x1b[2J\rover\x07\x9b2J\x1b]0;title\x07"
EMAIL: Final = f"{NAME}@example.org"
#: Commands that cannot do it, and say so.
_REFUSED: Final = {("best", NAME), ("user", "remove")}


@pytest.fixture
def evil(url: str) -> str:
    """Put such text wherever a store has room for it, and return the id of a job that crashed."""
    with closing(open_queue(url)) as queue:
        search = SearchDefinition("RandomSearch", '{"' + NAME + '":{"choice":{"values":["\\u001b[2J"]}}}')
        queue.put_experiment(NAME, ExperimentDraft(search=search), guard=ABSENT, key=new_key())
        values = JsonObject.of({VALUE: VALUE, "list": [VALUE], "deep": {VALUE: VALUE}})
        document = Document(status=JobStatus.QUEUED, hyperparameters=values, results=values)
        queue.add_jobs(NAME, [draft(f"{NAME}1", of=document, tags=(NAME,), notes=NAME)], key=new_key())
        claim = queue.claim(NAME, worker=NAME, key=new_key())
        assert isinstance(claim, Claim)
        finish = Finish(attempt=claim.key, outcome=Outcome.CRASHED, results=values, reason=VALUE, output=VALUE)
        queue.finish(NAME, claim.job.id, finish, key=new_key())
        queue.add_jobs(NAME, [draft(f"{NAME}2", of=document, depends_on=(claim.job.id,))], key=new_key())
        queue.add_jobs(NAME, [draft(f"{NAME}3", of=document, priority=1)], key=new_key())
        queue.claim(NAME, worker=NAME, key=new_key())
        queue.add_jobs(NAME, [draft(f"{NAME}4", of=document)], key=new_key())
    with closing(open_store(url)) as store:
        add_user(store, EMAIL)
        _, token = create_token(store, EMAIL, role=Role.READ, name=NAME)
        give(store, NAME, EMAIL)
    return token.id


def _is_safe(text: str) -> bool:
    return not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and c != "\n" for c in text)


def test_no_view_lets_others_text_drive_the_terminal(sw: Command, evil: str) -> None:
    """Experiments, jobs, attempts, workers, users, tokens and shares."""
    one, two = f"{NAME}1", f"{NAME}2"
    for arguments in (
        ("list",),
        ("list", "-t"),
        ("list", "-p"),
        ("list", NAME),
        ("list", NAME, "-t"),
        ("list", NAME, "-p"),
        ("show", NAME),
        ("show", NAME, one),
        ("show", NAME, two),
        ("why", NAME, one),
        ("why", NAME, two),
        ("workers",),
        ("pause", NAME),
        ("resume", NAME),
        ("retry", NAME, one),
        ("edit", NAME, one, "--priority", "3"),
        ("prune", NAME, one),
        ("rm", NAME, one, "-f"),
        ("best", NAME, "--by", "list"),
        ("token", "list"),
        ("token", "revoke", evil, "-f"),
        ("user", "list"),
        ("share", NAME),
        ("verify",),
        ("user", "remove", EMAIL, "-f"),
    ):
        ran = sw(*arguments, code=1 if arguments[:2] in _REFUSED else 0)
        assert _is_safe(ran.out), (arguments, ran.out)
        assert _is_safe(ran.err), (arguments, ran.err)


def test_no_complaint_lets_others_text_drive_the_terminal(sw: Command, evil: str) -> None:
    """Also when it comes back from what was typed, or pasted."""
    for arguments, code in (
        (("show", VALUE), 1),
        (("show", NAME, VALUE), 1),
        ((VALUE,), 2),
        (("list", f"--{VALUE}"), 2),
        (("list", NAME, "--where", VALUE), 1),
        (("share", NAME, VALUE), 1),
        (("token", "create", "--email", VALUE), 1),
        (("token", "create", "--expires", VALUE), 2),
        (("token", "revoke", VALUE, "-f"), 1),
        (("user", "add", VALUE), 1),
        (("push", NAME, "-p", VALUE), 2),
    ):
        ran = sw(*arguments, code=code)
        assert _is_safe(ran.out + ran.err), (arguments, ran)


def test_no_repr_lets_others_text_drive_the_terminal(url: str, evil: str) -> None:
    """Of what the client returns, as a notebook or a log shows it."""
    with sweepstake.connect(url) as db:
        experiment = db.get_experiment(NAME)
        for each in (experiment, *experiment.all_jobs(), *experiment.get_job(f"{NAME}1").attempts()):
            assert _is_safe(repr(each)), repr(each)


def test_a_worker_writes_such_text_out(sw: Command, evil: str) -> None:
    """In its status lines; what a command itself prints is passed on as it is."""
    ran = sw("run", NAME, "--max-jobs", "1", "--", sys.executable, "-c", "raise SystemExit(3)", code=1)
    assert "z\\u200b\\u20664" in ran.err
    assert _is_safe(ran.err), ran.err
