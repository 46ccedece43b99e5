"""Text from outside, made safe to print."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sweepstake
from sweepstake.config import Config, read_config
from sweepstake.domain.records import ABSENT, Document
from sweepstake.domain.status import JobStatus
from sweepstake.errors import InvalidInputError, NotFoundError, shown
from sweepstake.plaintext import printable, printable_lines, without_password
from sweepstake.view.html import job_html, jobs_html
from sweepstake.wire.problems import error_of
from tests.kit.records import job

#: Colours, goes up a line, and turns the order of what follows round.
EVIL = "a\x1b[31m\x1b[A\u202eb"


def _is_safe(text: str) -> bool:
    return not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in text)


@given(st.text())
def test_printable_text_holds_no_control_character(text: str) -> None:
    """Whatever goes in; once is enough; and lines stay lines where that is asked for."""
    assert _is_safe(printable(text))
    assert printable(printable(text)) == printable(text)
    assert printable_lines(text).split("\n") == [printable(line) for line in text.split("\n")]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@host/base",
        "postgresql://me:se/cret@secret@host/base?password=secret",
        "https://me:secret@host/",
    ],
)
def test_a_url_for_people_has_no_password(url: str) -> None:
    """Nor options, and it cannot drive the terminal; the settings show themselves so, too."""
    assert "secret" not in without_password(url)
    assert without_password(url).startswith(url.partition(":secret")[0].partition(":se/")[0])
    assert "secret" not in repr(read_config(url))
    assert isinstance(read_config(url), Config)


def test_the_message_of_a_server_cannot_drive_the_terminal() -> None:
    """Nor can a value that a message shows."""
    assert _is_safe(str(error_of(404, {"type": "x:not-found", "detail": EVIL})))
    wrong = error_of(422, {"type": "urn:sweepstake:problem:input", "errors": [{"path": EVIL, "problem": EVIL}]})
    assert _is_safe(str(wrong))
    assert _is_safe(str(error_of(500, {"detail": EVIL})))

    class Evil:
        def __repr__(self) -> str:
            return EVIL

    assert _is_safe(shown(Evil()))
    assert isinstance(error_of(404, {}), NotFoundError)
    assert isinstance(InvalidInputError.at("x", "y"), ValueError)


def test_what_objects_say_of_themselves_cannot_drive_the_terminal(tmp_path: object) -> None:
    """A job has its id from whoever added it."""
    with sweepstake.connect(f"sqlite:///{tmp_path}/{EVIL}.db") as db:
        assert _is_safe(repr(db))
        experiment = db.add_experiment(sweepstake.ManualSearch("e\u202e"))
        added = experiment.add_job({"x\u202e": "\u202e"})
        document = Document(status=JobStatus.QUEUED)
        db.session.queue.put_job(experiment.name, "id\u202e", document, guard=ABSENT)
        odd = experiment.get_job("id\u202e")
        for each in (experiment, added, odd, experiment.all_jobs()):
            assert _is_safe(repr(each))
            assert _is_safe(each._repr_html_())


def test_a_page_of_a_notebook_is_safe() -> None:
    """Names of columns, and ids, are others' text."""
    record = job(EVIL, {EVIL: EVIL})
    assert _is_safe(job_html(record))
    assert _is_safe(jobs_html([record]))
