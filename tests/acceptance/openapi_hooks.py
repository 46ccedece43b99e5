"""Helps the API tester get deep: names, cursors and guards that it makes up end a walk at its first step."""

from __future__ import annotations

from typing import Any, Final

import schemathesis
from schemathesis.generation.meta import TestPhase

#: The experiments that are there before the tester begins.
SEEDED: Final = tuple(f"seeded-{number}" for number in range(40))
_GUARDS: Final = ("If-Match", "If-None-Match", "Sweepstake-Attempt", "Idempotency-Key")


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    """Aim most valid steps of a walk at an experiment that exists, without guards and cursors."""
    if case.meta is None or case.meta.phase.name is not TestPhase.STATEFUL or case.meta.generation.mode.is_negative:
        return
    dice = sum(map(ord, case.id))
    if dice % 4 == 0:
        return
    for name in _GUARDS:
        case.headers.pop(name, None)
    case.query.pop("start", None)
    if "name" in case.path_parameters and case.path_parameters["name"] not in SEEDED:
        case.path_parameters["name"] = SEEDED[dice % len(SEEDED)]
