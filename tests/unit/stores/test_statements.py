"""The `.sql` files."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

import sweepstake.stores
from sweepstake.stores.statements import load_migrations, load_statements, with_parameters

FOLDER = Path(sweepstake.stores.__file__).parent
DIALECTS = ("sqlite", "postgres")
#: What may run statements: the databases' own code, and what the verbs do.
CODE = [path for folder in ("stores", "queue/verbs", "queue/verify") for path in (FOLDER.parent / folder).rglob("*.py")]
CODE += (FOLDER.parent / "queue").glob("*.py")


def read(paths: Iterable[Path]) -> str:
    """Return the code of modules, without what they offer to others."""
    return "".join(re.sub(r"__all__ = \[.*?\]", "", path.read_text("utf-8"), flags=re.DOTALL) for path in paths)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_statement_is_used(dialect: str) -> None:
    """No statement is left over: each name stands in the package's code."""
    code = read(CODE)
    assert [name for name in load_statements(dialect) if f'"{name}"' not in code] == []


@pytest.mark.parametrize("dialect,other", [DIALECTS, DIALECTS[::-1]])
def test_both_databases_know_what_the_shared_code_asks_for(dialect: str, other: str) -> None:
    """Only the engine of a database may use a statement that the other has not."""
    own = load_statements(dialect).keys() - load_statements(other).keys()
    shared = read(path for path in CODE if path.parent.name not in DIALECTS)
    assert [name for name in own if f'"{name}"' in shared] == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_migrations_are_numbered_without_gaps(dialect: str) -> None:
    """The first migration is number 1, and each makes the next schema."""
    versions = [migration.version for migration in load_migrations(dialect)]
    assert versions == list(range(1, len(versions) + 1))


def test_parameters_are_told_from_casts() -> None:
    """`:name` is a parameter, and neither `::type` nor a time of day is."""
    spelled = with_parameters("select :a, b::text, :long_name where c = '12:30'", lambda name: f"<{name}>")
    assert spelled == "select <a>, b::text, <long_name> where c = '12:30'"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_parts_of_statements_are_written_out(dialect: str) -> None:
    """What several statements share stands in each of them, and nothing is left in braces."""
    statements = load_statements(dialect)
    assert [name for name, text in statements.items() if "{" in text or text.lstrip().startswith("--")] == []
    assert "where key = :key" in statements["claim" if dialect == "postgres" else "pick"]


def test_every_statement_says_what_it_is_for() -> None:
    """Each named statement has its line of purpose, and every file holds at least one."""
    for path in FOLDER.glob("sql/*/*.sql"):
        text = path.read_text("utf-8")
        lines = re.findall(r"^-- [a-z_]+: [a-z].+[.]$", text, re.MULTILINE)
        assert lines or re.search(r"^-- \{[a-z_]+\}: [a-z].+[.]$", text, re.MULTILINE), path
        assert len(lines) == len(re.findall(r";$", text, re.MULTILINE)), path
