"""What waits and is not under way, packed and ready to be submitted."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from sweepstake.batch.batch import Batch
from sweepstake.batch.packing import Packing, backends_of, lacks_command, output_folder
from sweepstake.batch.planning import BatchSpec, Capacity
from sweepstake.batch.reading import Reading
from sweepstake.batch.settling import live_batches, settle
from sweepstake.batch.submitting import Order, submissions_of, submit_plan
from sweepstake.batch.wishes import Wishes
from sweepstake.client import Experiment
from sweepstake.domain.batches.records import BatchRecord

__all__ = ["Prepared", "prepare"]


@frozen(kw_only=True)
class Prepared:
    """What waits in an experiment and is not under way, packed; nothing is submitted yet.

    Attributes:
        packing: how it was packed.
        live: submissions that are not over.
        read: what waits.
        batches: it, packed.
    """

    packing: Packing = field(repr=False)
    live: Sequence[BatchRecord]
    read: Reading = field(repr=False)
    batches: tuple[BatchSpec, ...]

    @property
    def capacity(self) -> Capacity:
        """What an allocation can have."""
        return self.packing.capacity(self.read)

    @property
    def lacks_command(self) -> bool:
        """Whether nobody says what is run for some of the jobs."""
        return lacks_command(self.read, self.packing.wishes)

    def limit(self, spec: BatchSpec) -> float | None:
        """Return the limit of a batch's allocation, in seconds."""
        return self.packing.limit(self.read, spec)

    def capacity_of(self, spec: BatchSpec) -> Capacity:
        """Return what the allocation of a batch can have."""
        return self.packing.capacity_of(self.read, spec)

    def scripts(self) -> list[str]:
        """Return what would be submitted."""
        backend = self.packing.backend()
        order = self.packing.order(self.read)
        return [backend.script(each) for each in submissions_of(self.batches, self.capacity, backend, order)]

    def unsubmitted(self) -> list[Batch]:
        """Return the batches, each with a folder that is to be made."""
        return self._batches(None if self.lacks_command else self.packing.order(self.read))

    def submit(self) -> list[tuple[BatchRecord, Batch]]:
        """Submit the batches, and leave a folder of each: see `submit_plan`."""
        packing, order = self.packing, self.packing.order(self.read)
        records = submit_plan(packing.experiment, self.batches, self.capacity, packing.backend(), order)
        made = self._batches(order)
        for record, batch in zip(records, made, strict=True):
            batch.setstate({"jobid": record.jobid, "submitted_at": record.submitted_at})
            batch.setup()
        return list(zip(records, made, strict=True))

    def _batches(self, order: Order | None) -> list[Batch]:
        experiment, wishes = self.packing.experiment, self.packing.wishes
        supports = wishes.backend is not None and self.packing.backend().supports_dependencies
        made = dict[str, Batch]()
        for spec in self.batches:
            made[spec.id] = Batch(
                spec,
                output_folder(experiment) / spec.id,
                [made[other] for other in spec.dependencies],
                supports,
                time_limit=self.limit(spec),
                experiment=experiment,
                capacity=self.capacity_of(spec),
                order=order,
            )
        return list(made.values())


def prepare(experiment: Experiment, wishes: Wishes, *, settled: bool = True) -> Prepared:
    """Pack what waits in an experiment and is not under way.

    Args:
        experiment: whose jobs.
        wishes: how they are packed, and where they are submitted.
        settled: ask the schedulers first what became of earlier submissions; else what the queue knows counts.

    Raises:
        PlanError: jobs fit into no allocation, or there is nothing to estimate from.
        ConfigurationError: the experiment is paused, or what is wished lacks something.
    """
    packing = Packing(experiment, wishes)
    if settled:
        live = [record for record, _ in settle(experiment, backends_of(experiment))]
    else:
        live = list(live_batches(experiment))
    read = packing.read({job: record.jobid or "" for record in live for job in record.jobs})
    return Prepared(packing=packing, live=live, read=read, batches=packing.pack(read) if read.jobs else ())
