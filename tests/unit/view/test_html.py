"""Experiments and jobs as HTML."""

from html.parser import HTMLParser

import attrs
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.domain.records import AttemptRecord
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.markup import MAX_ROWS
from sweepstake.view.html import attempts_html, experiment_html, job_html, jobs_html
from tests.kit.records import experiment, job


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


def test_an_experiment_shows_its_definition_and_jobs() -> None:
    """Name, status and search stand above how many jobs there are, the best and the newest."""
    text = _read(experiment_html(experiment("mnist"), "2 jobs: 2 done", [job("a")], [job("b")])).text
    assert text[text.index("scheduler") + 1] == "Manual"
    assert text[text.index("jobs") + 1] == "2 jobs: 2 done"
    assert text.index("Best jobs") < text.index("a") < text.index("Newest jobs") < text.index("b")


BEGUN = AttemptRecord(number=1, key="k", worker="node:1", lease=60.0, started_at=1_800_000_000.0)
TRACEBACK = "Traceback (most recent call last):\n  File x\nValueError: no such kernel\n"


def test_a_crash_shows_its_last_line() -> None:
    """Of a traceback the line that says what happened, beside the job and in the table of attempts."""
    crashed = attrs.evolve(BEGUN, ended_at=1_800_000_090.0, outcome=Outcome.CRASHED, reason=TRACEBACK)
    text = _read(attempts_html([crashed, attrs.evolve(BEGUN, number=2)])).text
    assert "ValueError: no such kernel" in text
    assert "Traceback" not in "".join(text)
    assert {"1 min", "crashed", "running"} <= set(text)
    text = _read(job_html(attrs.evolve(job("a"), status=JobStatus.CRASHED), [crashed])).text
    assert text[text.index("reason") + 1] == "ValueError: no such kernel"


def test_long_values_are_cut() -> None:
    """A value of many thousand characters does not fill the notebook."""
    html = jobs_html([job("a", {"text": "x" * 100_000})])
    assert "x" * 79 + "…" in html
    assert len(html) < 1000


def test_a_job_shows_hyperparameters_and_results() -> None:
    """Inputs and results stand beside their names."""
    text = _read(job_html(job("a", {"lr": 0.5}, {"accuracy": 0.9}))).text
    assert text[text.index("lr") + 1] == "0.5"
    assert text[text.index("accuracy") + 1] == "0.9"


@given(st.text(), st.text(min_size=1))
def test_no_text_becomes_markup(value: str, name: str) -> None:
    """Hostile names and values stay text: only the tags of a table appear."""
    hostile = job(f"<img src=x onerror=alert(1)>{value}", {name: value, "<b>": "</td><script>"})
    for html in (job_html(hostile), jobs_html([hostile])):
        assert _read(html).tags <= {"table", "caption", "thead", "tbody", "tr", "th", "td"}


def test_very_long_tables_are_cut_and_counted() -> None:
    """A notebook is spared more than a thousand rows, and the reader is told."""
    html = jobs_html(job(str(i)) for i in range(MAX_ROWS + 5))
    assert html.count("<td>DONE</td>") == MAX_ROWS
    assert "and 5 more" in html
