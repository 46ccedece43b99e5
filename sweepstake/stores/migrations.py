"""Bringing a store to the schema that this version knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sweepstake.errors import StoreRefusedError
from sweepstake.stores.engine import Transaction
from sweepstake.stores.statements import load_migrations

__all__ = ["migrate"]


def migrate(transaction: Transaction, dialect: str, execute: Callable[[str], Any]) -> None:
    """Apply the migrations that the store lacks, within a transaction that keeps everybody else out.

    Raises:
        StoreRefusedError: a newer version has changed the schema to one that we do not know.
    """
    if transaction.row("has_meta") is None:  # to create it, even if it exists, takes a right that workers need not have
        transaction.run("create_meta")
    row = transaction.row("meta", name="schema")
    version = 0 if row is None else int(row[0])
    migrations = load_migrations(dialect)
    if version > migrations[-1].version:
        raise StoreRefusedError(
            f"The store has schema {version}, and this version of Sweepstake knows schemas up to "
            f"{migrations[-1].version}. Install a newer Sweepstake here."
        )
    for migration in migrations[version:]:
        for statement in migration.statements:
            execute(statement)
    if version < migrations[-1].version:
        transaction.run("set_meta", name="schema", value=str(migrations[-1].version))
