"""All faults, in the order of their numbers, and how they are chosen."""

from collections.abc import Sequence
from typing import Final

from tests.faults.answers import late_deliveries, lost_answers
from tests.faults.clusters import broken_clusters
from tests.faults.disks import faulty_files, full_results, power_cuts
from tests.faults.fault import Fault
from tests.faults.histories import judges, upgrades
from tests.faults.machines import bad_node, gpu_books, same_name, wrong_clocks
from tests.faults.processes import (
    forked_blocks,
    killed_copies,
    killed_gangs,
    killed_raylets,
    killed_servers,
    killed_statements,
    killed_workers,
    stopped_workers,
)
from tests.faults.races import claim_race, interleavings, limits, random_walks
from tests.faults.stores import broken_databases, copies_away, left_blocks, store_away
from tests.faults.tasks import absent_images, killed_tasks, large_specs, stopped_tasks

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
    killed_copies.FAULT,
    copies_away.FAULT,
    full_results.FAULT,
    killed_gangs.FAULT,
    gpu_books.FAULT,
    killed_tasks.FAULT,
    killed_tasks.CONTAINED,
    absent_images.FAULT,
    stopped_tasks.FAULT,
    large_specs.FAULT,
    broken_clusters.FAULT,
    killed_raylets.FAULT,
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
