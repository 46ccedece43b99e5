"""Measure the speed of Sweepstake against its floors.

python -m tests.benchmarks                          # every row, at full size
python -m tests.benchmarks --quick 'cycles-*'       # does it run?
python -m tests.benchmarks --json speed.json
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from attrs import evolve

from tests.benchmarks.comparing import Sizes
from tests.benchmarks.places import open_places
from tests.benchmarks.report import Finding, machine, save, table
from tests.benchmarks.rows import ROWS, choose


def main() -> int:
    """Run the rows that were asked for; the exit code is 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Sweepstake against its floors.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to run, as patterns such as 'http-*'; all without")
    parser.add_argument("--list", action="store_true", help="list the rows and stop")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows whether everything runs")
    parser.add_argument("--rounds", type=int, help="how often each side is measured; the median counts (3)")
    parser.add_argument("--jobs", type=int, help="jobs of a round of cycles (2,000); few in many rounds bear noise")
    parser.add_argument("--folder", type=Path, help="where files are written; on a disk (the temporary folder)")
    parser.add_argument("--json", type=Path, help="write the findings to this file as well")
    chosen = parser.parse_args()
    if chosen.list:
        print("\n".join(row.name for row in ROWS))
        return 0
    sizes = Sizes.quick() if chosen.quick else Sizes()
    sizes = evolve(sizes, rounds=chosen.rounds or sizes.rounds, jobs=chosen.jobs or sizes.jobs)
    try:
        rows = choose(chosen.rows)
    except ValueError as error:
        parser.error(str(error))
    findings: list[Finding] = []
    with open_places(chosen.folder) as places:
        for row in rows:
            print(f"{row.name} ...", file=sys.stderr, flush=True)
            findings.append(row.measure(places, sizes))
            print(table(findings[-1:]), file=sys.stderr, flush=True)
    print(table(findings))
    if chosen.json:
        save(chosen.json, findings, {**machine(), "date": datetime.now(UTC).date().isoformat()})
    return 0 if all(finding.holds for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
