"""Helps the API tester get deep: names, cursors and guards that it makes up end a walk at its first step."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import schemathesis
from schemathesis.generation.meta import TestPhase

#: The variable that names the file in which the steps of walks are noted.
STEPS: Final = "SWEEPSTAKE_TEST_STEPS"
#: The experiments that are there before the tester begins.
SEEDED: Final = tuple(f"seeded-{number}" for number in range(40))
_GUARDS: Final = (
    *("If-Match", "If-None-Match", "Sweepstake-Attempt", "Idempotency-Key"),
    *("Sweepstake-Experiment", "Sweepstake-Owner"),
)


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


@schemathesis.hook
def after_call(
    _context: schemathesis.HookContext, case: schemathesis.Case[Any], response: schemathesis.Response
) -> None:
    """Note which operation a step of a walk called, and the status that it got."""
    if case.meta is None or case.meta.phase.name is not TestPhase.STATEFUL:
        return
    with Path(os.environ[STEPS]).open("a", encoding="utf-8") as steps:
        steps.write(f"{case.operation.definition.raw['operationId']} {response.status_code}\n")
