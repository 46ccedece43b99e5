"""Nothing that people can use is left out of the documentation."""

import importlib
import inspect
import pkgutil
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import attrs
import click
import pytest

import sweepstake
from sweepstake import config, errors, spec
from sweepstake.cli.main import app
from sweepstake.domain.settings import Settings
from sweepstake.domain.status import TRANSITIONS
from sweepstake.errors import ConfigurationError, SweepstakeError
from sweepstake.http.operations import OPERATIONS
from sweepstake.spec.fields import spelled
from sweepstake.spec.records import Record
from tests.kit.checkout import ROOT

DOCS = ROOT / "docs"
DESIGN = Path("explanation") / "design.md"


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the generated reference, written as the docs build writes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        import _reference

        folder = tmp_path_factory.mktemp("generated")
        _reference.write(folder)
        for name in ("_reference", "_http", "_transitions"):
            sys.modules.pop(name)
    return folder


def commands(command: click.Command, words: tuple[str, ...] = ("sweepstake",)) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with the words that call it."""
    yield " ".join(words), command
    if isinstance(command, click.Group):
        for name, subcommand in command.commands.items():
            yield from commands(subcommand, (*words, name))


def public_members(name: str) -> Iterator[tuple[str, object]]:
    """Yield a public name and, of a class, the public methods and properties that it defines."""
    value = getattr(sweepstake, name)
    yield name, value
    if inspect.isclass(value):
        for member, defined in vars(value).items():
            if not member.startswith("_") and (inspect.isfunction(defined) or isinstance(defined, property)):
                yield f"{name}.{member}", defined


PUBLIC = [pair for name in sweepstake.__all__ for pair in public_members(name)]
COMMANDS = list(commands(app))


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in PUBLIC])
def test_a_public_name_has_a_docstring(value: object) -> None:
    """Whatever a user can call says what it does for them."""
    assert inspect.getdoc(value)


@pytest.mark.parametrize("command", [pytest.param(command, id=words) for words, command in COMMANDS])
def test_a_command_says_what_it_and_its_options_do(command: click.Command) -> None:
    """Each command, and each of its options, has a help text."""
    assert command.help
    silent = [each.name for each in command.params if isinstance(each, click.Option) and not each.help]
    assert silent == []


def test_every_command_is_in_the_reference(reference: Path) -> None:
    """The page of the command line has a section for each command that is not hidden."""
    page = (reference / "cli.md").read_text()
    missing = [words for words, command in COMMANDS if not command.hidden and f"`{words}`\n" not in page]
    assert missing == []


def test_every_endpoint_is_in_the_reference(reference: Path) -> None:
    """The page of the server has a section, with a summary, for each operation."""
    page = (reference / "http.md").read_text()
    missing = [
        each.name for each in OPERATIONS.values() if f"## `{each.method} {each.path}`\n\n{each.summary}." not in page
    ]
    assert missing == []


def test_every_setting_of_an_experiment_is_in_the_reference(reference: Path) -> None:
    """The page of settings says what each one means."""
    page = (reference / "experiment-settings.md").read_text()
    rows = [
        re.search(rf"^\| `{field.name}` \| .+ \| .{{10,}} \|$", page, re.MULTILINE) for field in attrs.fields(Settings)
    ]
    assert all(rows)


def test_every_environment_variable_is_in_the_reference(reference: Path) -> None:
    """Each variable that the package reads, or sets for a command, is described."""
    page = (reference / "environment.md").read_text() + (DOCS / "reference" / "settings.md").read_text()
    used = {
        name
        for path in (ROOT / "sweepstake").rglob("*.py")
        for name in re.findall(r"""["'](SWEEPSTAKE_[A-Z_]+)["']""", path.read_text())
    }
    assert used == {name for name in used if f"| `{name}` |" in page}
    assert set(config.SETTINGS) <= used


def test_every_key_of_the_configuration_file_is_in_the_reference(tmp_path: Path) -> None:
    """The settings page lists the keys that the file may hold."""
    file = tmp_path / "config.toml"
    file.write_text("unknown = 'x'\n")
    with pytest.raises(ConfigurationError) as refused:
        config.read_config(config=file)
    keys = re.split(r", ", str(refused.value).partition("there are ")[2])
    page = (DOCS / "reference" / "settings.md").read_text()
    assert keys == [key for key in keys if f"| `{key}` |" in page]


def test_every_error_is_public_and_in_the_tree(reference: Path) -> None:
    """Each error class is exported by the front module, drawn in the tree, and described."""
    classes = [
        name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, SweepstakeError)
    ]
    assert sorted(classes) == sorted(errors.__all__)
    assert set(classes) <= set(sweepstake.__all__)
    page = (reference / "errors.md").read_text()
    tree = page.partition("```text")[2].partition("```")[0]
    assert set(re.findall(r"\w*(?:Error|PruneJob)\b", re.sub(r"\(also .*?\)", "", tree))) == set(classes)
    assert [name for name in classes if f".. autoclass:: sweepstake.{name}\n" not in page] == []


def test_the_state_diagram_shows_every_transition(reference: Path) -> None:
    """The picture is drawn from the table: each verb is written on an arrow."""
    picture = (reference / "transitions.svg").read_text()
    words = {word for label in re.findall(r">([a-z, ]+)</text>", picture) for word in label.split(", ")}
    assert words == {transition.verb for transition in TRANSITIONS}


def test_the_design_names_the_layers_that_are_checked() -> None:
    """The table of layers in the design is the list that import-linter holds, in its order."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (checked,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    written = [[name for name in re.split(r"[ |]+", line) if not name.startswith("(")] for line in checked]
    page = (DOCS / "explanation" / "design.md").read_text().partition("\n## Layers\n")[2].partition("\n## ")[0]
    table = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in page.splitlines() if row.startswith("| `")]
    assert table == [layer for layer in written if layer]


def test_a_claim_takes_the_path_that_the_design_shows(tmp_path: Path) -> None:
    """The functions that the design names are passed in its order."""
    (told,) = re.findall(
        r"^One claim end to end, on a file: (.+?)\. Through", (DOCS / DESIGN).read_text(), re.MULTILINE
    )
    named = re.findall(r"`([\w.]+)`", told)
    with sweepstake.connect(f"sqlite:///{tmp_path}/store.db") as db:
        experiment = db.add_experiment(sweepstake.ManualSearch("sweep"))
        experiment.add_job({})
        passed: list[str] = []

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and frame.f_globals.get("__name__", "").startswith("sweepstake."):
                passed.append(frame.f_code.co_qualname)

        sys.setprofile(note)
        try:
            job = experiment.next_job()
        finally:
            sys.setprofile(None)
        job.release()
    assert [name for name in passed if name in named] == named


PAGES = [
    pytest.param(page, id=str(page.relative_to(ROOT)))
    for page in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    if not {"generated", "_build"} & set(page.parts)
]


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Each relative link of a page names a file of the repository."""
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    "name", [name for name in spec.__all__ if not name.startswith("Beaker") and name not in errors.__all__]
)
def test_every_type_of_a_spec_is_in_the_reference(reference: Path, name: str) -> None:
    """With each of its fields, by the names that it has in Python and in files."""
    page = (reference / "spec.md").read_text().partition(f"## {name}\n")[2].partition("\n## ")[0]
    assert f".. autoclass:: sweepstake.spec.{name}\n" in page
    fields = spelled(getattr(spec, name)) if issubclass(getattr(spec, name), Record) else {}
    assert [field for field, wire in fields.items() if f"| `{field}` | `{wire}` |" not in page] == []


def test_every_field_and_variable_of_beaker_has_its_row() -> None:
    """The page for Beaker's users says of each field what it is here, and of each variable that tasks find."""
    page = (DOCS / "howto" / "coming-from-beaker.md").read_text()
    table = page.partition("\n## Fields\n")[2].partition("\n## ")[0]
    named = {word for row in table.splitlines() if row.startswith("| ") for word in re.findall(r"`([\w.]+)`", row)}
    told = {part for word in named for part in word.split(".")}
    kinds = {getattr(spec, name) for name in spec.__all__}
    records = [kind for kind in kinds if issubclass(kind, Record) and kind is not Record]
    fields = {wire for kind in records if kind.__name__ != "SweepSpec" for wire in spelled(kind).values()}
    assert fields - told == set()
    variables = set(re.findall(r'"(BEAKER_\w+)"', (ROOT / "sweepstake/worker/tasks/run.py").read_text()))
    assert variables
    assert variables == {name for name in variables if f"`{name}`" in page}


@pytest.mark.parametrize("name", spec.__all__)
def test_every_method_of_a_spec_has_a_docstring(name: str) -> None:
    """Whatever a user can call says what it does for them."""
    kind = getattr(spec, name)
    assert inspect.getdoc(kind)
    methods = {method: value for method, value in vars(kind).items() if callable(value) and not method.startswith("_")}
    assert [method for method, value in methods.items() if not inspect.getdoc(value)] == []


@pytest.fixture(scope="module")
def heads() -> dict[str, str]:
    """What a dotted name of ours begins with: a module, whose package may be left out, or a class; and where it is."""
    heads = {"sweepstake": "sweepstake"}
    for module in pkgutil.walk_packages(sweepstake.__path__, "sweepstake."):
        if module.name.count(".") == 1:
            heads[module.name.partition(".")[2]] = module.name
        if not module.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(module.name)).items():
                if inspect.isclass(value) and value.__module__ == module.name:
                    heads[name] = f"{module.name}:{name}"
    return heads


def leads_somewhere(name: str, heads: dict[str, str]) -> bool:
    """Tell whether there is something of this dotted name."""
    head, _, rest = name.partition(".")
    try:
        pkgutil.resolve_name(f"{heads[head]}.{rest}")
    except (ImportError, AttributeError):
        return False
    return True


@pytest.mark.parametrize("page", PAGES)
def test_the_modules_and_classes_that_a_page_names_exist(page: Path, heads: dict[str, str]) -> None:
    """Each dotted name of ours in the text of a page, such as `queue.retrying` or `Queue.claim`, leads somewhere."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    named = re.findall(rf"(?<![\w/.-])(?:{'|'.join(heads)})(?:\.\w+)+(?![\w/-])", prose)
    named = [name for name in named if not name.endswith((".md", ".toml"))]
    assert [name for name in named if not leads_somewhere(name, heads)] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_files_and_folders_that_a_page_names_exist(page: Path) -> None:
    """Each path of the repository in a page leads somewhere, but for what is built; `*` is for anything."""
    named = re.findall(r"(?<![\w/.-])(?:sweepstake|docs|tests|\.ci)/[\w./*-]*[\w/*]", page.read_text())
    assert [path for path in named if path != "docs/_build" and not any(ROOT.glob(path))] == []


def test_names_and_paths_that_are_gone_are_found(heads: dict[str, str]) -> None:
    """The two tests above can fail: a module, an attribute and a method that do not exist lead nowhere."""
    there = ["sweepstake.connect", "queue.retrying", "stores.engine.Engine", "Queue.claim"]
    gone = ["sweepstake.service", "queue.remote", "stores.engine.Archive", "Queue.seize", "codec.nothing"]
    assert [leads_somewhere(name, heads) for name in there] == [True] * 4
    assert [leads_somewhere(name, heads) for name in gone] == [False] * 5
    assert not any(ROOT.glob("sweepstake/service/"))
