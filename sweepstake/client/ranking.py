"""Which jobs are the best."""

from __future__ import annotations

import json
import math
from typing import Self

from attrs import frozen

from sweepstake.domain.names import check_text
from sweepstake.domain.queries import JobQuery, Order, field_value
from sweepstake.domain.records import JobRecord, SearchDefinition
from sweepstake.domain.settings import Direction, Settings
from sweepstake.domain.status import JobStatus, member_of
from sweepstake.errors import InvalidInputError, shown
from sweepstake.ports import MAX_PAGE
from sweepstake.retrying import RetryingQueue

__all__ = ["Ranking"]


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

    def best(self, queue: RetryingQueue, name: str, n: object) -> list[JobRecord]:
        """Return the best `n` DONE jobs whose result is a number, best first."""
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MAX_PAGE:
            raise InvalidInputError.at("n", f"must be a whole number from 1 to {MAX_PAGE:,}, is {shown(n)}")
        field = f"results.{self.result}"
        order = Order(field, descending=self.direction is Direction.MAXIMIZE)
        page = queue.list_jobs(name, JobQuery(status=frozenset({JobStatus.DONE}), order=order), limit=n)
        return [job for job in page.items if _is_number(field_value(job, field, None))]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not math.isnan(value)
