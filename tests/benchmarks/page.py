"""Write the findings of a run into the documentation.

python -m tests.benchmarks.page speed.json docs/explanation/speed.md
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from tests.benchmarks.report import load, markdown

__all__ = ["fill", "filled"]

_BETWEEN = re.compile(r"(<!-- findings -->\n).*(<!-- end of findings -->)", re.DOTALL)


def filled(page: str, run: Path) -> str:
    """Return the page with the run's findings between its marks.

    Raises:
        ValueError: the page has no marks.
    """
    findings, conditions = load(run)
    where = (
        f"Taken on {conditions['date']}: {conditions['processors']}, {conditions['system']}, "
        f"Python {conditions['python']}, SQLite {conditions['sqlite']}."
    )
    return fill(page, f"{where}\n\n{markdown(findings)}")


def fill(page: str, text: str) -> str:
    """Return the page with a text between its marks.

    Raises:
        ValueError: the page has no marks.
    """
    written, count = _BETWEEN.subn(lambda marks: f"{marks[1]}\n{text}\n\n{marks[2]}", page)
    if count != 1:
        raise ValueError("the page has no place for findings: '<!-- findings -->' to '<!-- end of findings -->'")
    return written


def main() -> None:
    """Fill the page in place."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.page", description="Fill the page on speed.")
    parser.add_argument("run", type=Path, help="what `python -m tests.benchmarks --json` wrote")
    parser.add_argument("page", type=Path, help="the page to fill")
    chosen = parser.parse_args()
    chosen.page.write_text(filled(chosen.page.read_text(), chosen.run))


if __name__ == "__main__":
    main()
