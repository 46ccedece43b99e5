"""Values as text."""

from __future__ import annotations

import json
from typing import Any

from sweepstake.plaintext import printable

__all__ = ["cell", "full"]


def cell(value: Any) -> str:
    """Return a value as one line of text: floats with six digits, None as nothing."""
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else full(value)


def full(value: Any) -> str:
    """Return a value as one line of text, with all its digits."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, (list, dict)):
        return printable(json.dumps(value, ensure_ascii=False))
    return str(value)
