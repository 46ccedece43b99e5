"""What a run of the benchmarks found: as a table for people, as JSON for the record."""

from __future__ import annotations

import json
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, field, frozen

__all__ = ["Finding", "load", "machine", "markdown", "save", "table"]

_HEADINGS = ("measure", "unit", "bare floor", "floor", "Sweepstake", "ratio", "target", "")


@frozen(kw_only=True)
class Finding:
    """One row of the table.

    Attributes:
        unit: of `floor`, `bare` and `ours`.
        floor: the median of the floor's rounds; None where the target is no ratio.
        bare: the median of the bare floor's rounds, where it was run.
        target: the bound of the ratio (of `ours` itself, if there is no floor).
        at_least: whether the ratio must be at least the target, else at most.
        curve: how the cost grows, if that was measured: size -> cost in `unit`, for each side.
    """

    row: str
    measure: str
    unit: str
    ours: float
    floor: float | None
    bare: float | None = None
    target: float
    at_least: bool
    rounds: Mapping[str, Sequence[float]] = field(factory=dict)
    curve: Mapping[str, Mapping[str, float]] = field(factory=dict)

    @property
    def ratio(self) -> float:
        """What is held against the target."""
        return self.ours if self.floor is None else self.ours / self.floor

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target


def table(findings: Sequence[Finding]) -> str:
    """Lay the findings out for a terminal."""
    lines = [_HEADINGS, *(_cells(finding) for finding in findings)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(line, widths, strict=True)) for line in lines)
    )


def markdown(findings: Sequence[Finding]) -> str:
    """Lay the findings, and the curves among them, out as Markdown."""
    rows = [_HEADINGS, ("---", "---", *["---:"] * 5, "---"), *(_cells(finding) for finding in findings)]
    parts = ["\n".join(f"| {' | '.join(row)} |" for row in rows)]
    parts += [_curve(finding) for finding in findings if finding.curve]
    return "\n\n".join(parts)


def machine() -> dict[str, str]:
    """Describe where the run took place."""
    cpu = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [
            line.partition(":")[2].strip() for line in information.read_text().splitlines() if "model name" in line
        ]
        cpu = f"{len(names)} x {names[0]}" if names else cpu
    return {
        "processors": cpu,
        "system": platform.system(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def save(path: Path, findings: Sequence[Finding], conditions: Mapping[str, Any]) -> None:
    """Write the run to a JSON file."""
    document = {"conditions": dict(conditions), "findings": [asdict(finding) for finding in findings]}
    path.write_text(json.dumps(document, indent=2) + "\n")


def load(path: Path) -> tuple[list[Finding], dict[str, Any]]:
    """Read a run back."""
    document = json.loads(path.read_text())
    return [Finding(**finding) for finding in document["findings"]], document["conditions"]


def _cells(finding: Finding) -> tuple[str, ...]:
    sign = ">=" if finding.at_least else "<="
    return (
        finding.measure,
        finding.unit,
        _number(finding.bare),
        _number(finding.floor),
        _number(finding.ours),
        f"{finding.ratio:.2f}" if finding.floor is not None else "",
        f"{sign} {finding.target:g}",
        "holds" if finding.holds else "MISSED",
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"


def _curve(finding: Finding) -> str:
    sizes = list(next(iter(finding.curve.values())))
    rows = [(f"{finding.measure} ({finding.unit})", *sizes), ("---", *["---:"] * len(sizes))]
    rows += [(side, *(_number(costs[size]) for size in sizes)) for side, costs in finding.curve.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
