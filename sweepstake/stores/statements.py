"""The named statements of the `.sql` files, and the migrations beside them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from attrs import frozen

from sweepstake.domain.vocabulary import QUEUEING
from sweepstake.stores.rows import JobRow

__all__ = ["Migration", "load_migrations", "load_statements", "with_parameters"]

#: Stands above a statement; with a name in braces above a part of several, which stand for it by that.
_HEADER: Final = re.compile(r"^-- (?P<name>[a-z_]+|\{[a-z_]+\}): (?P<purpose>.+)$", re.MULTILINE)
_COMMENT: Final = re.compile(r"^-- .*\n", re.MULTILINE)
_PART: Final = re.compile(r"\{[a-z_.:?]+\}")
_PARAMETER: Final = re.compile(r"(?<![:\w]):(?P<name>[a-z_]+)")
_FOLDER: Final = files(__package__) / "sql"


@frozen
class Migration:
    """One step from a schema to the next.

    Attributes:
        version: the schema's number afterwards, counted from 1.
    """

    version: int
    statements: tuple[str, ...]


def load_statements(dialect: str) -> Mapping[str, str]:
    """Return the statements that all databases share and those of `dialect`, by name."""
    found: dict[str, str] = {}
    for folder in (_FOLDER / "shared", _FOLDER / dialect):
        for file in _sql_files(folder):
            for name, statement in _parse(file.read_text("utf-8")).items():
                assert name not in found, f"two statements are named {name}"
                found[name] = statement
    parts = {**_columns(), **{name: text for name, text in found.items() if name.startswith("{")}}
    return {name: _put_together(text, parts) for name, text in found.items() if name not in parts}


def _put_together(statement: str, parts: Mapping[str, str]) -> str:
    """Write out the parts that a statement names, and those that these name."""
    while named := _PART.search(statement):
        statement = statement.replace(named[0], parts[named[0]])
    return statement


def _columns() -> dict[str, str]:
    """Return what stands for columns: all of a job, where its table is called `j` or alone, and its queueing."""
    queueing = [word.name for word in QUEUEING]
    columns = {
        "{job}": [f"j.{name}" for name in JobRow._fields],
        "{bare_job}": JobRow._fields,
        "{queueing}": queueing,
        "{j.queueing}": [f"j.{name}" for name in queueing],
        "{:queueing}": [f":{name}" for name in queueing],
        "{?queueing}": ["?" for _ in queueing],
    }
    return {mark: ", ".join(names) for mark, names in columns.items()}


def with_parameters(statement: str, spell: Callable[[str], str]) -> str:
    """Return the statement with every `:name` as `spell` writes it."""
    return _PARAMETER.sub(lambda match: spell(match["name"]), statement)


def load_migrations(dialect: str) -> tuple[Migration, ...]:
    """Return the migrations of `dialect` in order."""
    return tuple(
        Migration(int(file.name[:4]), _split(file.read_text("utf-8")))
        for file in _sql_files(_FOLDER / dialect / "migrations")
    )


def _sql_files(folder: Traversable) -> list[Traversable]:
    return sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)


def _parse(text: str) -> dict[str, str]:
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    return {
        header["name"]: _COMMENT.sub("", text[header.end() : end].strip()).removesuffix(";")
        for header, end in zip(headers, ends, strict=True)
    }


def _split(text: str) -> tuple[str, ...]:
    """Split a migration where a semicolon ends a line that is not indented; those within a trigger or function are."""
    bare = re.sub(r"--.*", "", text)
    found: list[list[str]] = [[]]
    for line in bare.splitlines():
        found[-1].append(line)
        if line.rstrip().endswith(";") and not line[:1].isspace():
            found.append([])
    statements = ("\n".join(lines).strip().removesuffix(";") for lines in found)
    return tuple(statement for statement in statements if statement)
