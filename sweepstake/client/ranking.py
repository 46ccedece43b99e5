"""Which jobs are the best."""

from __future__ import annotations

import json
import logging
from typing import Self

from attrs import frozen

from sweepstake.domain.addresses import called
from sweepstake.domain.lengths import MAX_PAGE
from sweepstake.domain.names import check_text
from sweepstake.domain.query.queries import JobQuery, Order
from sweepstake.domain.records import JobRecord, SearchDefinition, Unranked
from sweepstake.domain.settings import Direction, Settings
from sweepstake.domain.status import JobStatus, member_of
from sweepstake.errors import InvalidInputError, shown
from sweepstake.queue.queue import Queue

__all__ = ["Ranking"]

_logger = logging.getLogger(__name__)


@frozen
class Ranking:
    """By which result jobs are compared, and which way is better."""

    result: str
    direction: Direction

    @classmethod
    def of(cls, settings: Settings, search: SearchDefinition, by: str | None, direction: str | None) -> Self:
        """Return the ranking asked for, else the settings', else that of the search itself."""
        params = json.loads(search.params) if search.kind == "PBT" else {}
        result = settings.objective or params.get("qualityResultName") if by is None else check_text(by, "by")
        if not result:
            raise InvalidInputError.at(
                "by", "name the result that counts, such as top(10, 'accuracy'), or set objective= on the experiment"
            )
        own = params.get("objective") if result == params.get("qualityResultName") else settings.direction
        return cls(result, member_of(Direction, own if direction is None else direction, "direction"))

    @classmethod
    def known(cls, settings: Settings, search: SearchDefinition) -> Self | None:
        """Return the ranking of an experiment; None if nothing says which result counts."""
        try:
            return cls.of(settings, search, None, None)
        except InvalidInputError:
            return None

    def best(self, queue: Queue, name: str, n: object) -> list[JobRecord]:
        """Return the best `n` DONE jobs whose result is a number, best first; a warning tells how many have none."""
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MAX_PAGE:
            raise InvalidInputError.at("n", f"must be a whole number from 1 to {MAX_PAGE:,}, is {shown(n)}")
        field = f"results.{self.result}"
        order = Order(field, descending=self.direction is Direction.MAXIMIZE)
        page = queue.list_jobs(name, JobQuery(status=frozenset({JobStatus.DONE}), order=order), limit=n)
        if page.unranked is not None:
            _tell_unranked(name, self.result, page.unranked)
        return [job for job in page.items if order.ranks(job)]


def _tell_unranked(name: str, result: str, unranked: Unranked) -> None:
    """Say which jobs are left out, so that a sweep that diverged does not look like one that did well."""
    kinds = {
        "with NaN": unranked.nan,
        "with text": unranked.text,
        "with a value that is no number": unranked.other,
        "without a value": unranked.missing,
    }
    told = [f"{count:,} {how}" for how, count in kinds.items() if count]
    if told:
        _logger.warning("DONE jobs of %r that are not compared by %r: %s.", called(name), result, ", ".join(told))
