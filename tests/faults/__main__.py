"""Break things, and see whether the promises hold.

python -m tests.faults                              # every fault, at small size, everywhere
python -m tests.faults F1 F2 --full --store postgres
python -m tests.faults --full --json faults.json    # findings are added to those in the file
"""

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.places import open_places
from tests.benchmarks.report import machine
from tests.faults.catalogue import FAULTS, choose
from tests.faults.fault import Fault, open_place
from tests.faults.report import Finding, load, merged, save
from tests.kit.podman import podman_runs
from tests.kit.slurm import lacking
from tests.kit.stack import KINDS


def main() -> int:
    """Try what was asked for; the exit code is 1 if a promise broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Break things, and see what holds.")
    parser.add_argument("faults", nargs="*", metavar="F1", help="which faults; all without")
    parser.add_argument("--list", action="store_true", help="list the faults and stop")
    parser.add_argument("--full", action="store_true", help="the sizes that prove it; they take minutes each")
    parser.add_argument("--size", type=int, help="a size of your own, for all chosen faults")
    parser.add_argument("--store", choices=KINDS, action="append", help="only there; may be given several times")
    parser.add_argument("--json", type=Path, help="add the findings to this file")
    chosen = parser.parse_args()
    if chosen.list:
        print("\n".join(f"{fault.number}  {fault.words}: {fault.holds}" for fault in FAULTS))
        return 0
    try:
        faults = choose(chosen.faults)
    except ValueError as error:
        parser.error(str(error))
    broken = False
    with open_places() as places:
        for fault in faults:
            if fault.podman and not podman_runs():
                print(f"{fault.number}: skipped, as podman runs no containers here", file=sys.stderr, flush=True)
                broken = broken or bool(os.environ.get("CI"))
                continue
            if fault.slurm and (problem := lacking()):
                print(f"{fault.number}: skipped: {problem}", file=sys.stderr, flush=True)
                broken = broken or bool(os.environ.get("CI"))
                continue
            size = chosen.size or (fault.full if chosen.full else fault.small)
            for kind in fault.full_kinds:
                if chosen.store and kind not in chosen.store:
                    continue
                finding = _try(fault, kind, size, lambda: places.postgres.new_database())  # noqa: PLW0108 -- starts late
                broken = broken or bool(finding.broken)
                if chosen.json:
                    _add(chosen.json, finding)
    return int(broken)


def _try(fault: Fault, kind: str, size: int, new_database: Callable[[], str]) -> Finding:
    print(f"{fault.number} on {kind}: {size:,} {fault.unit} ...", file=sys.stderr, flush=True)
    figures, broken, started = {}, "", time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sweepstake-fault-") as folder:
        try:
            with open_place(kind, Path(folder), new_database) as place:
                figures = dict(fault.prove(place, size))
        except Exception as error:  # noqa: BLE001 -- a run ends here: the others shall be tried all the same
            traceback.print_exc()
            broken = f"{type(error).__name__}: {error}"
    finding = Finding(
        number=fault.number,
        kind=kind,
        size=size,
        seconds=time.monotonic() - started,
        figures=figures,
        broken=broken,
        date=datetime.now(UTC).date().isoformat(),
    )
    print(finding.line(), file=sys.stderr, flush=True)
    return finding


def _add(path: Path, finding: Finding) -> None:
    before = load(path)[0] if path.exists() else []
    save(path, merged(before, [finding]), machine())


if __name__ == "__main__":
    sys.exit(main())
