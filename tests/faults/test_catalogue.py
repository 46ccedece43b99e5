"""Every fault at its small size, wherever it runs with the tests; with `-m full`, at its full size everywhere."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.catalogue import FAULTS, choose
from tests.faults.fault import Fault, open_place
from tests.faults.page import filled
from tests.faults.report import Finding, load, merged, save


@pytest.mark.parametrize(
    "fault, kind",
    [pytest.param(fault, kind, id=f"{fault.number}-{kind}") for fault in FAULTS for kind in fault.small_kinds],
)
def test_the_promise_holds(fault: Fault, kind: str, tmp_path: Path, new_database: Callable[[], str]) -> None:
    """What is broken in a small way breaks no promise."""
    with open_place(kind, tmp_path, new_database) as place:
        fault.prove(place, fault.small)


@pytest.mark.full
@pytest.mark.parametrize(
    "fault, kind",
    [pytest.param(fault, kind, id=f"{fault.number}-{kind}") for fault in FAULTS for kind in fault.full_kinds],
)
def test_the_promise_holds_at_full_size(
    fault: Fault, kind: str, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    """What is broken as often and as badly as it takes to be sure breaks no promise."""
    with open_place(kind, tmp_path, new_database) as place:
        fault.prove(place, fault.full)


def test_the_numbers_are_in_order_and_choose() -> None:
    """Each number stands for one fault, and an unknown one is refused by name."""
    numbers = [int(fault.number.removeprefix("F")) for fault in FAULTS]
    assert numbers == sorted(set(numbers))
    assert [fault.number for fault in choose(["F1"])] == ["F1"]
    with pytest.raises(ValueError, match="'F99'"):
        choose(["F99"])


def test_findings_fill_the_page(tmp_path: Path) -> None:
    """The newest finding of a size is kept, the largest size is shown, and what broke is said to be broken."""
    small, full = (
        Finding(number="F1", kind="sqlite", size=size, seconds=2.5, figures={"lost": 0}) for size in (9, 10_000)
    )
    broken = Finding(number="F1", kind="postgres", size=9, seconds=0.5, figures={}, broken="AssertionError: twice")
    saved = tmp_path / "faults.json"
    save(
        saved,
        merged([broken, small], [full, small]),
        {"processors": "2", "system": "Linux", "python": "3", "sqlite": "3"},
    )
    assert load(saved)[0] == [broken, small, full]
    page = filled("# Faults\n<!-- findings -->\nout of date\n<!-- end of findings -->\n", saved)
    assert "| F1 | sqlite | 10,000 jobs | lost 0 | 2 |  | holds |" in page
    assert "| F1 | postgres | 9 of 10,000 jobs |  | 0 |  | BROKEN |" in page
    assert "out of date" not in page
    assert "twice" in broken.line()
