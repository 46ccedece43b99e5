"""The generated parts of the reference: made from the code at each build, so they cannot fall behind it."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import _http
import _transitions
import attrs
import click

import sweepstake
from sweepstake import config, errors, spec
from sweepstake.cli.main import app
from sweepstake.domain.settings import Settings
from sweepstake.http.openapi import openapi
from sweepstake.search import SEARCHES
from sweepstake.spec.fields import Entry, table_of
from sweepstake.spec.records import Record
from sweepstake.wire.problems import STATUSES

__all__ = ["write"]


def write(folder: Path) -> None:
    """Write every generated part into the folder."""
    folder.mkdir(exist_ok=True)
    pages = {
        "transitions.svg": _transitions.svg(),
        "api.md": api(),
        "errors.md": error_list(),
        "experiment-settings.md": settings_table(),
        "environment.md": environment_table(),
        "spec.md": spec_types(),
        "cli.md": "\n".join(command_pages(app)),
        "http.md": _http.page(openapi(metadata.version("sweepstake"))),
    }
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


_GROUPS = {
    "Connect": ("connect", "Database"),
    "Experiments": ("Experiment", *(kind.called for kind in SEARCHES), "Settings"),
    "Jobs": ("Job", "current_job", "CurrentJob"),
    "Spaces": ("Grid", "Choice", "Constant", "LogUniform", "Normal", "Uniform"),
    "Populations": ("Perturb", "Truncate"),
}


def api() -> str:
    """Describe each public class and function; errors have a page of their own."""
    grouped = {name for names in _GROUPS.values() for name in names}
    others = tuple(name for name in sweepstake.__all__ if name not in grouped and not _is_elsewhere(name))
    groups = {**_GROUPS, **({"More": others} if others else {})}
    return "\n".join(
        part for title, names in groups.items() for part in (f"## {title}\n", *(_autodoc(name) for name in names))
    )


def error_list() -> str:
    """Describe each error under the tree of all of them."""
    tree = inspect.cleandoc(errors.__doc__ or "").partition("::\n")[2]
    drawn = f"```text\n{inspect.cleandoc(tree)}\n```\n"
    return "\n".join([drawn, *(_autodoc(name) + _on_the_wire(name) for name in errors.__all__)])


def _on_the_wire(name: str) -> str:
    """Say how a server reports the error, if it can."""
    error = getattr(errors, name)
    if error not in STATUSES:
        return ""
    return f"\nA server reports it with status {STATUSES[error]} and the word `{error.slug}`.\n"


def settings_table() -> str:
    """Describe each setting of an experiment, with its default."""
    meanings = dict(attribute_lines(Settings))
    rows = [f"| `{field.name}` | `{field.default!r}` | {meanings[field.name]} |" for field in attrs.fields(Settings)]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows, ""])


def spec_types() -> str:
    """Describe each type of a spec, with the names that its fields have in files."""
    plain = [name for name in spec.__all__ if not name.startswith("Beaker") and name not in errors.__all__]
    order = sorted(plain, key=lambda name: (name not in ("ExperimentSpec", "TaskSpec"), name))
    return "\n".join(
        f"## {name}\n\n{_fields_of(getattr(spec, name))}{_autodoc(name, 'sweepstake.spec')}" for name in order
    )


def _fields_of(kind: Any) -> str:
    """Return the table of a type's fields, if it has some that stand in files."""
    if not issubclass(kind, Record):
        return ""
    meanings = dict(attribute_lines(kind))
    rows = [
        f"| `{field.name}` | `{field.wire}` | {_default(field)} | {meanings[field.name]} |"
        for field in table_of(kind).entries
    ]
    return "\n".join(["| in Python | in files | default | meaning |", "|---|---|---|---|", *rows, "", ""])


def _default(field: Entry) -> str:
    if field.required:
        return "required"
    value = field.absent()
    made = f"{type(value).__name__}()" if isinstance(value, Record) else repr(value)
    return f"`{value if isinstance(value, str) else made}`"


def environment_table() -> str:
    """Describe each environment variable."""
    rows = [f"| `{name}` | {meaning} |" for name, meaning in config.SETTINGS.items()]
    return "\n".join(["| variable | meaning |", "|---|---|", *rows, ""])


def command_pages(command: click.Command, words: tuple[str, ...] = ("sweepstake",)) -> Iterator[str]:
    """Yield the help of a command and of each of its subcommands, as `--help` shows it."""
    context = click.Context(command, info_name=" ".join(words), max_content_width=110, terminal_width=110)
    depth = "#" * min(len(words) + 1, 4)
    yield f"{depth} `{' '.join(words)}`\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            if subcommand is not None and not subcommand.hidden:
                yield from command_pages(subcommand, (*words, name))


def attribute_lines(documented: type) -> Iterator[tuple[str, str]]:
    """Yield the names and texts below `Attributes:` of a class docstring."""
    section = inspect.cleandoc(documented.__doc__ or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    for match in re.finditer(r"^    (\w+): (.*(?:\n        .*)*)", section, re.MULTILINE):
        yield match[1], " ".join(match[2].split())


def _is_elsewhere(name: str) -> bool:
    value = getattr(sweepstake, name)
    return inspect.ismodule(value) or (inspect.isclass(value) and issubclass(value, errors.SweepstakeError))


def _autodoc(name: str, module: str = "sweepstake") -> str:
    kind = "autoclass" if inspect.isclass(getattr(import_module(module), name)) else "autofunction"
    options = "   :members:\n   :exclude-members: slug, settle, one_of\n" if kind == "autoclass" else ""
    return f"```{{eval-rst}}\n.. {kind}:: {module}.{name}\n{options}```\n"
