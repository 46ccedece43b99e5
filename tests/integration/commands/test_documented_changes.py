"""What a page shows does what the page says, and nothing besides."""

import ast
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from sweepstake import Database, Experiment, Job, ManualSearch, Settings
from tests.kit.checkout import ROOT
from tests.kit.shell import Command

_PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs").glob("*/*.md"))]
#: No setting, and nothing that a job has beside its document, is as it is by default.
_SETTINGS: Final = Settings(
    lease=120.0,
    timeout=7200.0,
    max_attempts=4,
    max_lost=5,
    max_preemptions=7,
    retry_delay=5.0,
    no_retry_on=("ValueError", 2),
    max_running=9,
    max_jobs=50,
    objective="accuracy",
    direction="min",
    seed=11,
    tags=("vision",),
    notes="ours",
)
_JOB: Final[Mapping[str, Any]] = {"priority": 3, "not_before": 4e9, "tags": ("old",), "notes": "theirs"}

#: What a verb may change of a record; besides, what it is given by name.
_OF_EXPERIMENTS: Final = {"update": (), "pause": ("status",), "resume": ("status",), "push_updates": ()}
_ENDED: Final = ("status", "ended_at")
_OF_JOBS: Final = {"set_queueing": (), "put": (), "retry": _ENDED, "prune": _ENDED}
_OF_COMMANDS: Final = {
    "edit": (),
    "pause": ("status",),
    "resume": ("status",),
    "retry": _ENDED,
    "prune": _ENDED,
}


def _blocks(page: Path, language: str) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    yield from re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _shown() -> Iterator[str]:
    """Yield every line of Python on a page that changes an experiment or a job, from blocks and from the text."""
    for page in _PAGES:
        inline = re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
        for code in [*_blocks(page, "python"), *inline]:
            try:
                tree = ast.parse(code)
            except SyntaxError:
                continue
            yield from (ast.unparse(node) for node in ast.walk(tree) if _changes(node))


def _changes(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        [target, *_] = node.targets
        return isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and isinstance(node.value.func.value, ast.Name)
        and node.value.func.value.id not in {"self", "model"}
        and node.value.func.attr in {*_OF_EXPERIMENTS, *_OF_JOBS}
    )


def _commands() -> Iterator[str]:
    """Yield every command on a page that changes an experiment or a job."""
    for page in _PAGES:
        for block in [*_blocks(page, "console"), *_blocks(page, "sh")]:
            for line in block.splitlines():
                words = line.removeprefix("$ ").split()
                if words[:1] == ["sweepstake"] and words[1] in _OF_COMMANDS:
                    yield line.removeprefix("$ ")


_LINES: Final = sorted(set(_shown()))
_TYPED: Final = sorted(set(_commands()))


def _set_up(db: Database, name: str, job_id: str, status: str) -> tuple[Experiment, Job]:
    experiment = db.add_experiment(ManualSearch(name, **attrs.asdict(_SETTINGS)))
    job = experiment.add_job({"rate": 0.3}, status, {"accuracy": 0.5}, job_id=job_id, **_JOB)
    return experiment, job


def _state(db: Database, name: str, job_id: str) -> dict[str, Any]:
    """Return everything that the store says of an experiment and its job, but for etags, which change with a write."""
    experiment = db.get_experiment(name)
    assert experiment.record is not None
    settings = {f"settings.{key}": value for key, value in attrs.asdict(experiment.settings).items()}
    definition = attrs.asdict(experiment.record, recurse=False, filter=_but("etag", "settings"))
    record = attrs.asdict(experiment.get_job(job_id).record, recurse=False, filter=_but("etag"))
    return {
        **settings,
        **{f"experiment.{k}": v for k, v in definition.items()},
        **{f"job.{k}": v for k, v in record.items()},
    }


def _but(*names: str) -> Any:
    return lambda attribute, _value: attribute.name not in names


def _differences(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_the_pages_show_changes() -> None:
    """The search below finds what it is for."""
    assert "experiment.update(max_jobs=52)" in _LINES
    assert any(line.startswith("job.set_queueing(") for line in _LINES)
    assert any(line.startswith("sweepstake edit mnist --max-jobs") for line in _TYPED)


@pytest.mark.parametrize("line", _LINES)
def test_a_line_of_python_changes_what_it_names(db: Database, line: str) -> None:
    """Run on an experiment and a job of which nothing is as by default, it leaves all the rest."""
    node = ast.parse(line).body[0]
    experiment, job = _set_up(db, "mnist", "job", "CRASHED" if ".retry(" in line else "QUEUED")
    if isinstance(node, ast.Assign):
        target = node.targets[0]
        assert isinstance(target, ast.Attribute)
        assert isinstance(target.value, ast.Name)
        name, allowed = target.value.id, set[str]()
        held: Experiment | Job = experiment if name.startswith("exp") else job
    else:
        assert isinstance(node, ast.Expr)
        call = node.value
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Attribute)
        assert isinstance(call.func.value, ast.Name)
        name, verb = call.func.value.id, call.func.attr
        named = [keyword.arg for keyword in call.keywords if keyword.arg is not None]
        kind, prefix = ("experiment", "settings") if verb in _OF_EXPERIMENTS else ("job", "job")
        fields = (_OF_EXPERIMENTS | _OF_JOBS)[verb]
        allowed = {f"{kind}.{field}" for field in fields} | {f"{prefix}.{field}" for field in named}
        held = experiment if verb in _OF_EXPERIMENTS else job
    before = _state(db, "mnist", "job")
    exec(line, {}, defaultdict(dict, {name: held}))
    assert _differences(before, _state(db, "mnist", "job")) <= allowed


@pytest.mark.parametrize("line", _TYPED)
def test_a_command_changes_what_it_names(sw: Command, db: Database, line: str) -> None:
    """As of a line of Python."""
    _, verb, name, *rest = shlex.split(line)
    jobs = [word for word in rest[:1] if not word.startswith("--")]
    options = {word.removeprefix("--").replace("-", "_") for word in rest if word.startswith("--")}
    job_id = jobs[0] if jobs else "job"
    _set_up(db, name, job_id, "CRASHED" if verb == "retry" else "QUEUED")
    before = _state(db, name, job_id)
    sw(verb, name, *rest)
    kind = "job" if jobs or verb in {"retry", "prune"} else "experiment"
    prefix = "job" if kind == "job" else "settings"
    fields = {{"tag": "tags"}.get(option, option) for option in options}
    allowed = {f"{prefix}.{field}" for field in fields} | {f"{kind}.{field}" for field in _OF_COMMANDS[verb]}
    assert _differences(before, _state(db, name, job_id)) <= allowed
