"""Write the findings of a run into the documentation.

python -m tests.faults.page faults.json docs/explanation/faults.md
"""

import argparse
from pathlib import Path

from tests.benchmarks.page import fill
from tests.faults.catalogue import FAULTS
from tests.faults.report import load, markdown

__all__ = ["filled"]


def filled(page: str, run: Path) -> str:
    """Return the page with the run's findings between its marks.

    Raises:
        ValueError: the page has no marks.
    """
    findings, conditions = load(run)
    where = (
        f"Taken on {conditions['processors']}, {conditions['system']}, "
        f"Python {conditions['python']}, SQLite {conditions['sqlite']}."
    )
    return fill(page, f"{where}\n\n{markdown(FAULTS, findings)}")


def main() -> None:
    """Fill the page in place."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.page", description="Fill the page on faults.")
    parser.add_argument("run", type=Path, help="what `python -m tests.faults --json` wrote")
    parser.add_argument("page", type=Path, help="the page to fill")
    chosen = parser.parse_args()
    chosen.page.write_text(filled(chosen.page.read_text(), chosen.run))


if __name__ == "__main__":
    main()
