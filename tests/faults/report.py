"""What a run of the faults saw: as a line for people, as JSON for the record, as a table for the documentation."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from tests.faults.fault import Fault

__all__ = ["Finding", "load", "markdown", "merged", "save"]


@frozen(kw_only=True)
class Finding:
    """One fault, tried at one place.

    Attributes:
        number: of the fault.
        kind: of the place.
        size: how much of it, in the fault's unit.
        seconds: how long it took.
        figures: what was seen.
        broken: how the promise broke; empty if it held.
        date: when, as in `2025-06-30`.
    """

    number: str
    kind: str
    size: int
    seconds: float
    figures: Mapping[str, float]
    broken: str = ""
    date: str = ""

    def line(self) -> str:
        """Say it in a line."""
        seen = f"BROKEN: {self.broken}" if self.broken else f"holds: {_words(self.figures)}"
        return f"{self.number} on {self.kind}: {seen} ({self.seconds:.1f} s)"


def merged(before: Iterable[Finding], now: Iterable[Finding]) -> list[Finding]:
    """Return the findings of both; a newer one takes the place of one of the same fault, place and size."""
    found = {(finding.number, finding.kind, finding.size): finding for finding in (*before, *now)}
    return sorted(found.values(), key=lambda finding: (int(finding.number[1:]), finding.kind, finding.size))


def save(path: Path, findings: Sequence[Finding], conditions: Mapping[str, Any]) -> None:
    """Write findings to a JSON file."""
    document = {"conditions": dict(conditions), "findings": [asdict(finding) for finding in findings]}
    path.write_text(json.dumps(document, indent=2) + "\n")


def load(path: Path) -> tuple[list[Finding], dict[str, Any]]:
    """Read findings back."""
    document = json.loads(path.read_text())
    return [Finding(**finding) for finding in document["findings"]], document["conditions"]


def markdown(faults: Sequence[Fault], findings: Sequence[Finding]) -> str:
    """Lay out what is broken, what must hold, and the largest run of each fault at each place."""
    largest = {(finding.number, finding.kind): finding for finding in sorted(findings, key=lambda one: one.size)}
    what = [("#", "what is broken", "what must hold", "full size"), ("---", "---", "---", "---:")]
    what += [(one.number, one.words, one.holds, f"{one.full:,} {one.unit}") for one in faults]
    seen: list[Sequence[str]] = [
        ("#", "store", "size", "what was seen", "s", "day", ""),
        ("---", "---", "---", "---", "---:", "---", "---"),
    ]
    units = {fault.number: fault for fault in faults}
    known = [finding for finding in merged(largest.values(), ()) if finding.number in units]
    seen += [_cells(units[finding.number], finding) for finding in known]
    return f"{_table(what)}\n\n{_table(seen)}"


def _cells(fault: Fault, finding: Finding) -> tuple[str, ...]:
    size = f"{finding.size:,}{'' if finding.size >= fault.full else f' of {fault.full:,}'} {fault.unit}"
    how = "BROKEN" if finding.broken else "holds"
    return finding.number, finding.kind, size, _words(finding.figures), f"{finding.seconds:.0f}", finding.date, how


def _table(rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _words(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in figures.items())


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"
