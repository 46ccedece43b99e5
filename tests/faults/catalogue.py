"""All faults, in the order of their numbers, and how they are chosen."""

from collections.abc import Sequence
from typing import Final

from tests.faults import (
    bad_node,
    broken_databases,
    claim_race,
    faulty_files,
    forked_blocks,
    interleavings,
    judges,
    killed_servers,
    killed_statements,
    killed_workers,
    late_deliveries,
    left_blocks,
    limits,
    lost_answers,
    power_cuts,
    random_walks,
    same_name,
    stopped_workers,
    store_away,
    upgrades,
    wrong_clocks,
)
from tests.faults.fault import Fault

__all__ = ["FAULTS", "choose"]

#: One line for each.
FAULTS: Final[Sequence[Fault]] = (
    claim_race.FAULT,
    killed_workers.FAULT,
    killed_statements.FAULT,
    lost_answers.FAULT,
    late_deliveries.FAULT,
    stopped_workers.FAULT,
    wrong_clocks.FAULT,
    interleavings.FAULT,
    same_name.FAULT,
    broken_databases.FAULT,
    faulty_files.FAULT,
    killed_servers.FAULT,
    left_blocks.FAULT,
    store_away.FAULT,
    forked_blocks.FAULT,
    random_walks.FAULT,
    judges.FAULT,
    limits.FAULT,
    bad_node.FAULT,
    upgrades.FAULT,
    power_cuts.FAULT,
)  # fmt: skip


def choose(numbers: Sequence[str]) -> list[Fault]:
    """Return the faults of these numbers; all without any.

    Raises:
        ValueError: there is no fault of that number.
    """
    known = {fault.number for fault in FAULTS}
    for number in numbers:
        if number not in known:
            raise ValueError(f"there is no fault {number!r}, only {', '.join(sorted(known))}")
    return [fault for fault in FAULTS if not numbers or fault.number in numbers]
