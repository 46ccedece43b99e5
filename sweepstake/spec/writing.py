"""Specs as YAML: block style, texts plain where nobody could take them for something else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from sweepstake.spec.records import Record
from sweepstake.spec.scalars import WrittenFloat, WrittenInt, resolve_yaml11, resolve_yaml12

__all__ = ["to_yaml"]

#: Texts that need no quotes in any context, if they are no number, date, truth value or null.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*")
#: What YAML wants written as an escape, beyond what JSON does.
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def to_yaml(record: Record) -> str:
    """Return a record as a YAML document; read again it is an equal one, and gives processes the same words."""
    return "".join(_block(record.to_json(), "")).removeprefix("\n")


def _block(value: Any, indent: str) -> Iterator[str]:
    """Yield the text that follows ``key:`` or ``-``: what is in a mapping or a list stands on lines of its own."""
    if isinstance(value, dict) and value:
        for key, member in value.items():
            yield f"\n{indent}{_scalar(key)}:"
            yield from _block(member, indent + "  ")
        if not indent:
            yield "\n"
    elif isinstance(value, list) and value:
        for item in value:
            yield f"\n{indent[2:]}-"
            yield from _item(item, indent)
    else:
        yield f" {_flow(value)}"


def _item(value: Any, indent: str) -> Iterator[str]:
    """Yield an item of a list; the first member of a mapping stands on the line of its hyphen."""
    if isinstance(value, list):
        yield f" {_flow(value)}"
        return
    pieces = _block(value, indent)
    yield f" {next(pieces).strip()}"
    yield from pieces


def _flow(value: Any) -> str:
    """Return a value on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_scalar(key)}: {_flow(member)}' for key, member in value.items())}}}"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, WrittenInt | WrittenFloat):
        return value.text
    if isinstance(value, float):
        return _float(value)
    return json.dumps(value)


def _float(value: float) -> str:
    """Return a number that YAML 1.1 and 1.2 both take for one: with a point, and a sign in its exponent."""
    text = repr(value)
    if text in ("nan", "inf", "-inf"):
        return text.replace("nan", ".nan").replace("inf", ".inf")
    digits, mark, exponent = text.partition("e")
    if not mark:
        return text
    return f"{digits if '.' in digits else digits + '.0'}e{exponent if exponent[0] in '+-' else '+' + exponent}"


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and resolve_yaml11(value) == value == resolve_yaml12(value) and value != "<<":
        return value
    return _UNPRINTABLE.sub(_escape, json.dumps(value, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
