"""On which terms jobs are submitted: what the scheduler is told, and what an allocation can have then."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from attrs import evolve

from sweepstake.batch.backends.clusters import Cluster
from sweepstake.batch.backends.scheduler import Backend
from sweepstake.batch.backends.submissions import Site
from sweepstake.batch.planning import BatchJob, Capacity
from sweepstake.batch.planning.limits import padded
from sweepstake.batch.site import SiteSettings
from sweepstake.batch.wishes import Wishes
from sweepstake.errors import ConfigurationError

__all__ = ["Terms"]

_FIELDS: Final = ("partition", "account", "qos", "constraint")


class Terms:
    """Terms of jobs that are alike in them; what there is, the scheduler is asked once.

    Args:
        name: of the task whose settings they are; empty for those of the experiment.
        wishes: what somebody wants; it comes before what the configuration says.
        settings: what that says.
        backend: returns the scheduler.
        there: what there is, if somebody knows it already.
    """

    def __init__(
        self,
        name: str,
        wishes: Wishes,
        settings: SiteSettings,
        backend: Callable[[], Backend],
        there: Cluster | None = None,
    ) -> None:
        self.name = name
        self._wishes = wishes
        self._settings = settings
        self._backend = backend
        self._said = wishes.capacity
        self._there = there

    def capacity(self, jobs: Iterable[BatchJob]) -> Capacity:
        """Return what an allocation for these can have: see `Packing.capacity`."""
        if self._said is None and self._there is None:
            self._ask()
        if self._said is not None:
            return self._said
        assert self._there is not None, "it was asked"
        nodes = max((job.nodes for job in jobs), default=1)
        capacity = self._there.capacity
        return evolve(capacity, nodes=min(capacity.nodes, nodes))

    @property
    def time_limit(self) -> float | None:
        """The limit of all allocations, in seconds; None for what is planned."""
        return self._wishes.time_limit if self._wishes.time_limit is not None else self._settings.time_limit

    @property
    def site(self) -> Site:
        """What else the scheduler is told."""
        site = self._settings.site
        given: dict[str, Any] = {name: getattr(self._wishes, name) for name in _FIELDS if getattr(self._wishes, name)}
        return evolve(site, extra=(*site.extra, *self._wishes.extra), **given)

    def longest(self) -> float:
        """Return for how many seconds an allocation may last: the site's longest limit, or the one that is asked for.

        A scheduler that does not say what there is need not be asked for that, if somebody else does.
        """
        if self._there is None and self._wishes.backend is not None:
            with suppress(ConfigurationError):
                self._there = self._cluster()
        site = None if self._there is None else self._there.longest
        return min((each for each in (site, self.time_limit) if each is not None), default=math.inf)

    def given(self, job: BatchJob) -> float:
        """Return for how many seconds an allocation would be a job's, if it were alone in it."""
        return min(padded(job.runtime) if self.time_limit is None else self.time_limit, self.longest())

    def _ask(self) -> None:
        if self._settings.capacity is not None:
            self._said = Capacity.parse(self._settings.capacity)
        elif self._wishes.backend is None:
            raise ConfigurationError(
                'say what an allocation has, such as capacity="nodes=1,cpus=8,gpus=2", or which backend knows it'
            )
        else:
            self._there = self._cluster()

    def _cluster(self) -> Cluster:
        return self._backend().cluster(self.site.partition)
