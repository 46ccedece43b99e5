"""Compare plans with those of Canary on the same seeded random graphs.

python -m tests.benchmarks.batches                          # installs canary-wm into a folder of its own
python -m tests.benchmarks.batches --canary /tmp/canary/bin/python
python -m tests.benchmarks.batches --quick                  # small graphs: shows whether everything runs
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.batches.comparing import (
    MODES,
    Compared,
    compare,
    missed,
    missed_in_time,
    missed_over_all,
    table,
    time_both,
    times,
)
from tests.benchmarks.batches.graphs import graphs
from tests.benchmarks.batches.planners import install_canary
from tests.benchmarks.page import fill
from tests.benchmarks.report import machine


def main() -> int:
    """Print the tables of the comparison page; the exit code is 1 if something is missed that was aimed at."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.batches", description="Plans beside Canary's.")
    parser.add_argument("--canary", type=Path, help="an interpreter that has canary-wm; without it one is made")
    parser.add_argument("--quick", action="store_true", help="graphs of at most 100 jobs, times up to 1,000")
    parser.add_argument("--page", type=Path, help="write the tables into this page of the docs")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = chosen.canary or install_canary(Path(folder))
        tables, problems = _compare(python, quick=chosen.quick)
    if chosen.page:
        text = "\n\n".join([_conditions(), *tables])
        chosen.page.write_text(fill(chosen.page.read_text(), text))
    print("\n".join(f"MISSED {problem}" for problem in problems) or "Everything holds.")
    return 1 if problems else 0


def _compare(python: Path, *, quick: bool) -> tuple[list[str], list[str]]:
    """Return the tables, and what is missed."""
    chosen = [graph for graph in graphs() if not quick or len(graph.jobs) <= 100]
    tables: list[str] = []
    problems: list[str] = []
    counted: list[Compared] = []
    for mode in MODES:
        found = compare(python, chosen, mode)
        tables.append(f"**{mode.layout}, given the {mode.by}** ({len(found)} graphs)\n\n{table(found)}")
        print(tables[-1], "\n", flush=True)
        problems += missed(mode, found)
        counted += found if mode.by == "count" else []
    problems += missed_over_all(counted)
    timed = list(time_both(python, (100, 1000) if quick else (100, 1000, 10_000, 100_000)))
    tables.append(f"**Time to plan** (of the processor; the ten families, at 100,000 jobs four)\n\n{times(timed)}")
    print(tables[-1], "\n", flush=True)
    return tables, problems + missed_in_time(timed)


def _conditions() -> str:
    where = machine()
    taken = datetime.now(UTC).date().isoformat()
    return f"Taken on {taken}: {where['processors']}, {where['system']}, Python {where['python']}."


if __name__ == "__main__":
    sys.exit(main())
