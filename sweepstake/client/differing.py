"""How an experiment that is there differs from one that somebody defines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

import attrs

from sweepstake.client.experiment import Experiment
from sweepstake.domain.records import ExperimentRecord, SearchDefinition
from sweepstake.errors import ResourceExistsError, shown

__all__ = ["differences", "taken"]


def differences(experiment: Experiment, stored: ExperimentRecord) -> list[str]:
    """Return, for each setting and the status, what is stored and not what is defined."""
    wanted, there = attrs.asdict(experiment.settings), attrs.asdict(stored.settings)
    if wanted["seed"] is None:  # the store has chosen one
        wanted["seed"] = there["seed"]
    others = _told(there, wanted)
    if experiment.status != stored.status:
        others.append(f"status is {stored.status}, not {experiment.status}")
    return others


def taken(experiment: Experiment, stored: ExperimentRecord) -> ResourceExistsError:
    """Return the error for a name that is taken: it says what differs, and what can be done."""
    search = _of_searches(experiment.search(), stored.search)
    others = [*search, *differences(experiment, stored)]
    how = f", with another search: {'; '.join(others)}" if search else f": {'; '.join(others)}" if others else ""
    advice = "get_experiment() takes the one there" if search else "exist_ok=True takes the one there as it is"
    return ResourceExistsError(
        f"there is an experiment {experiment.name!r} already{how}. Choose another name; {advice}"
    )


def _of_searches(wanted: SearchDefinition, there: SearchDefinition) -> list[str]:
    if wanted.kind != there.kind:
        return [f"the search is {there.kind}, not {wanted.kind}"]
    if wanted == there:
        return []
    ours, theirs = json.loads(wanted.params), json.loads(there.params)
    if not (isinstance(ours, dict) and isinstance(theirs, dict)):
        return [f"the search's parameters are {shown(theirs)}, not {shown(ours)}"]
    return _told(theirs, ours) or ["its hyperparameters stand in another order"]


def _told(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return what differs, by name; what one of the two lacks is none there."""
    names = dict.fromkeys([*wanted, *there])
    return [
        f"{name} is {_plain(there, name)}, not {_plain(wanted, name)}"
        for name in names
        if name not in there or name not in wanted or there[name] != wanted[name]
    ]


def _plain(values: Mapping[str, Any], name: str) -> str:
    """Return a value as people write it."""
    if name not in values:
        return "missing"
    value = values[name]
    return shown(value.value if isinstance(value, Enum) else value)
